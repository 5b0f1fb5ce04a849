//! The expected columns of the results table, and the comparison with the actual table.

use bytes::Bytes;

use super::clickhouse::{Column, RESULTS_TABLE};
use super::row_binary;

/// A column of the encoded rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnType {
    /// Its name.
    pub name: &'static str,
    /// Its type, as ClickHouse writes it.
    pub column_type: &'static str,
}

const fn column(name: &'static str, column_type: &'static str) -> ColumnType {
    ColumnType { name, column_type }
}

/// The columns in the order in which [`row_binary::encode`] writes them.
pub const COLUMNS: [ColumnType; 7] = [
    column("product_id", "String"),
    column("ctr", "Float64"),
    column("impressions", "UInt64"),
    column("clicks", "UInt64"),
    column("window_start", "DateTime64(3, 'UTC')"),
    column("window_end", "DateTime64(3, 'UTC')"),
    column("source_partition", "UInt32"),
];

/// The header of the format `RowBinaryWithNamesAndTypes`.
pub(super) fn header(columns: &[ColumnType]) -> Bytes {
    let mut header = Vec::new();
    row_binary::length(columns.len(), &mut header);
    for text in columns.iter().map(|column| column.name).chain(columns.iter().map(|column| column.column_type)) {
        row_binary::length(text.len(), &mut header);
        header.extend_from_slice(text.as_bytes());
    }
    header.into()
}

/// Why a table does not accept the rows of this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The difference: table, column, both types.
    pub what: String,
    /// The remedy.
    pub remedy: &'static str,
}

/// How to create missing tables.
pub(crate) const APPLY_SCHEMA: &str = "apply the schema: ./scripts/init-clickhouse.sh";

const RENAME_AND_APPLY: &str = "rename the old table and apply the schema: ./scripts/init-clickhouse.sh";

/// The first difference from the expected columns, if any.
#[must_use]
pub fn mismatch(columns: &[Column]) -> Option<Mismatch> {
    if columns.is_empty() {
        let what = "does not exist, or is not visible to this user".to_owned();
        return Some(Mismatch { what, remedy: APPLY_SCHEMA });
    }
    COLUMNS.iter().find_map(|expected| {
        let ColumnType { name, column_type } = expected;
        match columns.iter().find(|column| column.name == *name) {
            None => Some(Mismatch { what: format!("column `{name}` is missing"), remedy: APPLY_SCHEMA }),
            Some(column) if column.column_type != *column_type => Some(Mismatch {
                what: format!("column `{name}` has type {}, expected {column_type}", column.column_type),
                remedy: RENAME_AND_APPLY,
            }),
            Some(_) => None,
        }
    })
}

/// The name of the results table with its database.
#[must_use]
pub fn full_name(database: &str) -> String {
    format!("{database}.{RESULTS_TABLE}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<Column> {
        let column =
            |column: &ColumnType| Column { name: column.name.to_owned(), column_type: column.column_type.to_owned() };
        COLUMNS.iter().map(column).collect()
    }

    #[test]
    fn the_table_must_fit_column_by_column() {
        assert_eq!(mismatch(&columns()), None);
        assert_eq!(mismatch(&[]).unwrap().remedy, APPLY_SCHEMA);
        assert!(mismatch(&columns()[..6]).unwrap().what.contains("`source_partition` is missing"));
        let mut other = columns();
        other[1].column_type = "Decimal(18, 6)".to_owned();
        assert_eq!(mismatch(&other).unwrap().what, "column `ctr` has type Decimal(18, 6), expected Float64");
    }

    #[test]
    fn the_header_is_names_then_types() {
        let header = header(&[column("a", "UInt8"), column("bc", "String")]);
        assert_eq!(&header[..], b"\x02\x01a\x02bc\x05UInt8\x06String");
    }
}
