//! ClickHouse's compressed blocks: what `decompress=1` announces.

use bytes::Bytes;

/// Bytes of rows that are compressed as one block at most. ClickHouse's own blocks are of a mebibyte; LZ4's frames, through
/// which the local stack's engine reads them, end at four.
pub(super) const MAX_BLOCK_BYTES: usize = 1 << 20;

/// The method byte of LZ4.
const LZ4: u8 = 0x82;
/// The checksum, before everything else.
const CHECKSUM: usize = 16;
/// The method and both sizes; counted in the compressed size.
const HEADER: usize = 9;

/// One block: checksum, method, size with its header, size unpacked, LZ4.
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
