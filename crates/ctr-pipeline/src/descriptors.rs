//! The limit of open files: connections to brokers and ClickHouse must always get a file descriptor.

/// More than the process ever opens: brokers, ClickHouse, the log, 64 connections to the status server.
const WANTED: u64 = 65_536;

/// Below this, connections to the brokers of a cluster and to the status server may compete for descriptors.
const ENOUGH: u64 = 512;

/// Raises the soft limit as far as the hard limit allows.
pub fn raise_limit() {
    match rlimit::increase_nofile_limit(WANTED) {
        Ok(max_fds) if max_fds < ENOUGH => {
            tracing::warn!(
                max_fds,
                "the limit of open files is low: raise the hard limit (ulimit -Hn) to at least {ENOUGH}"
            );
        }
        Ok(max_fds) => tracing::debug!(max_fds, "limit of open files"),
        Err(error) => tracing::warn!(%error, "could not raise the limit of open files"),
    }
}
