//! The kernel's figures about this process, under the names used by every Prometheus client library. Read from `/proc`
//! (proc(5)), so Linux only.

use std::fs;

use super::metrics::MetricKind;

/// Ticks per second of the times in `/proc/self/stat`: `USER_HZ`, which is 100 on every Linux architecture we build
/// for.
const TICKS_PER_SECOND: f64 = 100.0;

/// A metric without labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ProcessMetric {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: MetricKind,
    pub(super) value: f64,
}

/// All metrics that can be read here.
pub(super) fn metrics() -> Vec<ProcessMetric> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let mut metrics = of_texts(&read("/proc/self/stat"), &read("/proc/self/status"), &read("/proc/stat"));
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        metrics.push(gauge("process_open_fds", "Number of open file descriptors.", count(open.count())));
    }
    if let Ok(limit) = rlimit::Resource::NOFILE.get_soft() {
        metrics.push(gauge("process_max_fds", "Maximum number of open file descriptors.", count(limit)));
    }
    metrics
}

fn of_texts(stat: &str, status: &str, system: &str) -> Vec<ProcessMetric> {
    // The program's name is in parentheses and may contain spaces and parentheses.
    let fields: Vec<f64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(f64::NAN))
        .collect();
    // Numbering of proc(5), which counts from the process ID: utime 14, stime 15, starttime 22.
    let field = |number: usize| fields.get(number - 3).copied();
    let kibibytes = |name| number_after(status, name).map(|value| value * 1024.0);
    let counter = |name, help, value| ProcessMetric { name, help, kind: MetricKind::Counter, value };
    [
        field(14).zip(field(15)).map(|(user, system)| {
            let seconds = (user + system) / TICKS_PER_SECOND;
            counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", seconds)
        }),
        field(22).zip(number_after(system, "btime")).map(|(ticks, boot)| {
            let since_1970 = boot + ticks / TICKS_PER_SECOND;
            gauge(
                "process_start_time_seconds",
                "Start time of the process since the Unix epoch in seconds.",
                since_1970,
            )
        }),
        kibibytes("VmRSS:")
            .map(|bytes| gauge("process_resident_memory_bytes", "Resident memory size in bytes.", bytes)),
        kibibytes("VmSize:").map(|bytes| gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", bytes)),
        number_after(status, "Threads:")
            .map(|threads| gauge("process_threads", "Number of OS threads in the process.", threads)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The number after a word at the beginning of a line.
fn number_after(text: &str, word: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(word)?.split_whitespace().next()?.parse().ok())
}

fn gauge(name: &'static str, help: &'static str, value: f64) -> ProcessMetric {
    ProcessMetric { name, help, kind: MetricKind::Gauge, value }
}

/// Exact up to 2^53.
fn count(value: impl TryInto<u32>) -> f64 {
    value.try_into().map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_moves_no_field() {
        let stat =
            "42 (a) b) S 1 42 42 0 -1 4194304 100 0 0 0 250 150 0 0 20 0 7 0 12300 1000 200 18446744073709551615";
        let status = "Name:\ta) b\nVmSize:\t    2048 kB\nVmRSS:\t    1024 kB\nThreads:\t7\n";
        let found = of_texts(stat, status, "cpu 1 2 3\nbtime 1000\nprocesses 5\n");
        let value = |name: &str| found.iter().find(|metric| metric.name == name).unwrap().value;
        let same = |left: f64, right: f64| assert!((left - right).abs() < 1e-9, "{left} {right}");
        same(value("process_cpu_seconds_total"), 4.0);
        same(value("process_start_time_seconds"), 1_123.0);
        same(value("process_resident_memory_bytes"), 1_048_576.0);
        same(value("process_virtual_memory_bytes"), 2_097_152.0);
        same(value("process_threads"), 7.0);
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        assert_eq!(of_texts("", "", ""), []);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_all_of_them() {
        let found = metrics();
        assert_eq!(found.len(), 7, "{found:?}");
        assert!(
            found.iter().all(|metric| metric.value > 0.0 || metric.name == "process_cpu_seconds_total"),
            "{found:?}"
        );
    }
}
