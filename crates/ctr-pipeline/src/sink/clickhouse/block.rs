//! ClickHouse's compressed block format, which the parameter `decompress=1` announces.

use bytes::Bytes;

/// Maximum bytes of rows in one block. ClickHouse's own blocks have 1 MiB; LZ4 frames, through which the local stack's engine
/// reads them, are limited to 4 MiB.
pub(super) const MAX_BLOCK_BYTES: usize = 1 << 20;

/// The method byte of LZ4.
const LZ4: u8 = 0x82;
/// Length of the checksum, which comes first.
const CHECKSUM: usize = 16;
/// Length of the method and both sizes; included in the compressed size.
const HEADER: usize = 9;

/// One block: checksum, method, compressed size with header, uncompressed size, LZ4 data.
#[allow(clippy::cast_possible_truncation, reason = "a block has at most MAX_BLOCK_BYTES")]
pub(super) fn compress(plain: &[u8]) -> Bytes {
    let mut block = vec![0; CHECKSUM + HEADER];
    block.extend_from_slice(&lz4_flex::block::compress(plain));
    let size = block.len() - CHECKSUM;
    block[CHECKSUM] = LZ4;
    block[CHECKSUM + 1..CHECKSUM + 5].copy_from_slice(&(size as u32).to_le_bytes());
    block[CHECKSUM + 5..CHECKSUM + HEADER].copy_from_slice(&(plain.len() as u32).to_le_bytes());
    let checksum = cityhash_rs::cityhash_102_128(&block[CHECKSUM..]);
    block[..CHECKSUM].copy_from_slice(&checksum.rotate_right(64).to_le_bytes());
    block.into()
}
