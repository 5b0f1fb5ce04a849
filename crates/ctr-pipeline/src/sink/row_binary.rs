//! Encodes result rows in ClickHouse's RowBinary format, once for all attempts to send them.

use ctr_domain::counts::CtrResult;

/// Appends one row, in the order of [`super::results_table::COLUMNS`]. The times are `DateTime64(3, 'UTC')`, on the wire an `Int64` of epoch milliseconds.
pub fn encode(row: &CtrResult<'_>, out: &mut Vec<u8>) {
    let product = row.product_id.as_bytes();
    length(product.len(), out);
    out.extend_from_slice(product);
    out.extend_from_slice(&row.counts.ctr().to_le_bytes());
    out.extend_from_slice(&row.counts.impressions.to_le_bytes());
    out.extend_from_slice(&row.counts.clicks.to_le_bytes());
    out.extend_from_slice(&row.window.start.to_le_bytes());
    out.extend_from_slice(&row.window.end.to_le_bytes());
    out.extend_from_slice(&row.source_partition.to_le_bytes());
}

/// An unsigned LEB128 number, the length prefix of strings in RowBinary.
#[allow(clippy::cast_possible_truncation, reason = "the mask leaves seven bits")]
pub(super) fn length(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes of a row after its product: 8 each for CTR, both counts and both times, 4 for the partition.
const FIXED_BYTES: usize = 5 * 8 + 4;

/// Offset of the window end in these bytes.
const WINDOW_END: usize = 4 * 8;

/// The window end (epoch ms) of each encoded row.
pub fn window_ends(rows: &[u8]) -> impl Iterator<Item = i64> + '_ {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let product = read_length(&mut rest)?;
        let fixed = rest.get(product..product + FIXED_BYTES)?;
        rest = &rest[product + FIXED_BYTES..];
        fixed[WINDOW_END..].first_chunk().map(|end| i64::from_le_bytes(*end))
    })
}

/// Reads a number written by [`length`].
fn read_length(rest: &mut &[u8]) -> Option<usize> {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctr_domain::counts::Counts;
    use ctr_domain::window::Window;

    fn encoded(product_id: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let row = CtrResult {
            product_id,
            window: Window { start: 10_000, end: 20_000 },
            source_partition: 5,
            counts: Counts { impressions: 4, clicks: 1 },
        };
        encode(&row, &mut out);
        out
    }

    #[test]
    fn a_row_is_its_columns_in_order() {
        let mut expected = b"\x02p1".to_vec();
        expected.extend(0.25f64.to_le_bytes());
        expected.extend([4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend([0x10, 0x27, 0, 0, 0, 0, 0, 0, 0x20, 0x4e, 0, 0, 0, 0, 0, 0]);
        expected.extend([5, 0, 0, 0]);
        assert_eq!(encoded("p1"), expected);
    }

    #[test]
    fn the_ends_of_windows_are_read_back() {
        let mut rows = Vec::new();
        for product in ["", "p1", &"x".repeat(300)] {
            rows.extend(encoded(product));
        }
        assert_eq!(window_ends(&rows).collect::<Vec<_>>(), [20_000; 3]);
        assert_eq!(window_ends(&rows[..rows.len() - 1]).count(), 2, "half a row is none");
        assert_eq!(window_ends(&[]).count(), 0);
    }

    #[test]
    fn long_names_have_a_length_of_several_bytes() {
        assert_eq!(encoded(&"x".repeat(300))[..3], [0xac, 0x02, b'x']);
        assert_eq!(encoded(&"x".repeat(128))[..2], [0x80, 0x01]);
        assert_eq!(encoded(&"x".repeat(127))[..2], [0x7f, b'x']);
    }
}
