//! The keys of the original project: each is accepted, or rejected with the name of its replacement.

/// Keys of the original that are aliases of ours.
const ALIASES: [(&str, &str); 3] = [
    ("ctr.job.impression-topic", "kafka.topics.impression"),
    ("ctr.job.click-topic", "kafka.topics.click"),
    ("ctr.job.group-id", "kafka.group-id"),
];

/// Keys of the original without an equivalent: key, reason, remedy.
const WITHOUT_MEANING: [(&str, &str, &str); 1] = [(
    "clickhouse.driver",
    "there is no JDBC driver to choose, the ClickHouse client is built in and uses HTTP",
    "remove it",
)];

/// All aliases.
pub(super) fn alias_keys() -> impl Iterator<Item = &'static str> {
    ALIASES.iter().map(|(alias, _)| *alias)
}

/// The alias of one of our keys.
pub(super) fn alias_of(key: &str) -> Option<&'static str> {
    ALIASES.iter().find(|(_, ours)| *ours == key).map(|(alias, _)| *alias)
}

/// Why a key of the original is rejected, and the remedy.
pub(super) fn without_meaning(key: &str) -> Option<(&'static str, &'static str)> {
    WITHOUT_MEANING.iter().find(|(name, ..)| *name == key).map(|(_, why, remedy)| (*why, *remedy))
}

/// What to write instead of a `jdbc:` URL; its parameters, which may contain a password, are not repeated.
pub(super) fn instead_of_jdbc(url: &str) -> String {
    let address = url.split_once("://").map_or("", |(_, rest)| rest);
    let address = address.split(['?', '#']).next().unwrap_or_default();
    let address = address.rsplit('@').next().unwrap_or_default();
    let (server, database) = address.split_once('/').unwrap_or((address, ""));
    let server = if server.is_empty() { "host:8123" } else { server };
    let mut remedy = format!("write clickhouse.url: http://{server}");
    if !database.is_empty() {
        remedy.push_str(&format!(" and clickhouse.database: {database}"));
    }
    remedy + "; user and password are clickhouse.user and clickhouse.password"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jdbc_url_is_taken_apart_without_its_credentials() {
        assert!(
            instead_of_jdbc("jdbc:clickhouse://ch:8123/ads?user=a&password=b")
                .starts_with("write clickhouse.url: http://ch:8123 and clickhouse.database: ads;")
        );
        assert!(!instead_of_jdbc("jdbc:ch:https://a:secret@ch/ads").contains("secret"));
        assert!(instead_of_jdbc("jdbc:").contains("http://host:8123;"));
    }
}
