-- Keeps the rows of a table forever. ClickHouse refuses it for a table without a TTL.
ALTER TABLE {table:Identifier} REMOVE TTL
