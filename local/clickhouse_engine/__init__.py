"""The HTTP interface of ClickHouse over the in-process engine of chdb-core.

For machines without Docker and without a ClickHouse server: real clients (the Rust `clickhouse` crate, curl,
clickhouse-connect) talk to a real engine whose data lives in one directory. Start it with
`python -m clickhouse_engine --help`.
"""
