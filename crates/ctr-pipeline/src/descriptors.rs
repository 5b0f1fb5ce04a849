//! File descriptors: connections to brokers and ClickHouse must never lack one.

/// More than anything here opens: partitions' brokers, ClickHouse, the log, 64 visitors. Beyond it nothing is gained.
const WANTED: u64 = 65_536;

/// Below this a cluster of some brokers and the visitors of the status page may want the same descriptors.
const ENOUGH: u64 = 512;

/// Raises the soft limit as far as the hard limit lets it.
pub fn raise_limit() {
    match rlimit::increase_nofile_limit(WANTED) {
        Ok(max_fds) if max_fds < ENOUGH => {
            tracing::warn!(max_fds, "few file descriptors: raise the hard limit (ulimit -Hn) to {ENOUGH} at least");
        }
        Ok(max_fds) => tracing::debug!(max_fds, "file descriptors"),
        Err(error) => tracing::warn!(%error, "the limit of file descriptors could not be raised"),
    }
}
