//! When rows are handed out, and how many.

use ctr_domain::shell::ShellSettings;
use ctr_domain::side::Side;
use ctr_domain::timestamp::to_rfc3339;

use super::{TestShell, at_work_with, impression_of, read};

/// Products with their impressions.
type Rows = Vec<(String, u64)>;

/// The rows handed out now, and the end of the window that is shown for the first time.
fn fired(shell: &mut TestShell, now: i64) -> Option<(Rows, Option<String>)> {
    let mut rows = Vec::new();
    let fired = shell.fire(now, |row| rows.push((row.product_id.to_owned(), row.counts.impressions)))?;
    assert_eq!(fired.rows, rows.len());
    Some((rows, fired.shown_first.map(to_rfc3339)))
}

#[test]
fn a_round_begins_after_the_interval_or_at_once_if_rows_are_left() {
    let settings = ShellSettings { fire_interval: 100, rows_per_firing: 2, ..ShellSettings::default() };
    let mut shell = at_work_with(&[0], settings);
    for (offset, product, seconds) in [(0, "a", 1), (1, "b", 2), (2, "c", 3), (3, "d", 13)] {
        read(&mut shell, 0, offset, &impression_of(product, seconds));
    }
    shell.read(0, Side::Clicks, 0).unwrap().end(0);
    shell.read(0, Side::Impressions, 9_000).unwrap().end(4);
    let row = |product: &str, impressions| (product.to_owned(), impressions);
    let shown = Some("2023-11-14T22:13:30.000Z".to_owned());
    // The clicks are silent: they hold the window back until they are idle.
    assert_eq!(fired(&mut shell, 4_999), None);
    assert_eq!(fired(&mut shell, 10_000), Some((vec![row("a", 1), row("b", 1)], None)));
    assert_eq!(fired(&mut shell, 10_000), Some((vec![row("c", 1)], shown)));
    read(&mut shell, 0, 4, &impression_of("c", 4));
    assert_eq!(fired(&mut shell, 10_000), None);
    assert_eq!(fired(&mut shell, 10_099), None, "the interval");
    assert_eq!(fired(&mut shell, 10_100), Some((vec![row("c", 2)], None)), "a window that was shown has changed");
}
