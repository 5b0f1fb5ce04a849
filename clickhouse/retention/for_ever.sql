-- The rows of a table stay. Refused by ClickHouse for a table without a TTL.
ALTER TABLE {table:Identifier} REMOVE TTL
