//! `kafka.properties`: what is passed to librdkafka unchanged, and what must not be set there.

use std::collections::BTreeMap;
use std::fmt;

use serde_yaml::Value;

use super::error::{ConfigError, Origin, Place, shown};
use super::value::{MASK, kind_of, quote};

/// The key of the map.
pub(super) const KEY: &str = "kafka.properties";

/// Properties determined by another setting.
const HAVE_A_SETTING: [(&str, &str); 8] = [
    ("bootstrap.servers", "kafka.bootstrap-servers"),
    ("metadata.broker.list", "kafka.bootstrap-servers"),
    ("group.id", "kafka.group-id"),
    ("group.instance.id", "ctr.job.instance-id"),
    ("session.timeout.ms", "kafka.session-timeout-ms"),
    ("auto.offset.reset", "kafka.offset-strategy"),
    ("auto.commit.interval.ms", "ctr.job.checkpoint-interval"),
    ("auto.commit.enable", "ctr.job.checkpoint-enabled"),
];

/// Properties required for exact counts and dead letters.
const FIXED: [&str; 17] = [
    "acks",
    "client.rack",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "enable.partition.eof",
    "group.protocol",
    "group.protocol.type",
    "group.remote.assignor",
    "isolation.level",
    "offset.store.method",
    "offset.store.path",
    "offset.store.sync.interval.ms",
    "partition.assignment.strategy",
    "request.required.acks",
    "transactional.id",
];

/// Properties for group members only: a client that only queries or only writes does not get them. It would reject them
/// (a poll interval below its default session timeout), or collect events that nobody fetches (statistics).
const OF_WORKERS: [&str; 12] = [
    "check.crcs",
    "coordinator.query.interval.ms",
    "fetch.error.backoff.ms",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "fetch.min.bytes",
    "fetch.queue.backoff.ms",
    "fetch.wait.max.ms",
    "heartbeat.interval.ms",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "statistics.interval.ms",
];

/// Prefixes of other such names.
const OF_WORKERS_PREFIX: &str = "queued.m";

/// Parts of the names of librdkafka's properties whose values are secrets (passwords, private keys, OAuth credentials).
const SECRET_PARTS: [&str; 7] = ["password", "passphrase", "secret", "pem", "ssl_key", "oauthbearer.config", "token"];

/// Properties for librdkafka. `Debug` masks the secret ones.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<String, String>);

impl Properties {
    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The properties without those for group members only: for every client.
    pub fn of_every_client(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter().filter(|(name, _)| !OF_WORKERS.contains(name) && !name.starts_with(OF_WORKERS_PREFIX))
    }

    /// One value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl FromIterator<(String, String)> for Properties {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(properties: I) -> Self {
        Self(properties.into_iter().collect())
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(name, value)| (name, masked(name, value)))).finish()
    }
}

/// The value to display for a property.
pub(super) fn masked<'a>(name: &str, value: &'a str) -> &'a str {
    if SECRET_PARTS.iter().any(|part| name.contains(part)) { MASK } else { value }
}

/// The properties of file and environment, merged one by one, the environment's taking precedence: so the address of a
/// key store may be in the file and its password in the environment.
pub(super) fn choose(
    file: Option<&Value>,
    env: Option<(&str, &str)>,
    errors: &mut Vec<ConfigError>,
) -> BTreeMap<String, (String, Origin)> {
    let mut chosen = BTreeMap::new();
    if let Some(value) = file {
        of_file(value, &mut chosen, errors);
    }
    if let Some((variable, text)) = env {
        of_env(variable, text, &mut chosen, errors);
    }
    chosen
}

fn of_file(value: &Value, chosen: &mut BTreeMap<String, (String, Origin)>, errors: &mut Vec<ConfigError>) {
    let mut wrong = |place: String, problem: String, remedy: &str| {
        errors.push(ConfigError::Invalid { place: Place::in_file(&place), problem, remedy: remedy.to_owned() });
    };
    let map = match value {
        Value::Null => return,
        Value::Mapping(map) => map,
        other => {
            return wrong(KEY.to_owned(), format!("it is {}", kind_of(other)), "write a map of librdkafka properties");
        }
    };
    for (name, value) in map {
        let Some(name) = name.as_str() else {
            wrong(KEY.to_owned(), format!("a name in it is {}", kind_of(name)), "write the name of a property");
            continue;
        };
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(boolean) => boolean.to_string(),
            other => {
                let remedy = "write one value, and the name of the property in full with its dots";
                wrong(format!("{KEY}.{name}"), format!("it is {}", kind_of(other)), remedy);
                continue;
            }
        };
        match refusal(name) {
            Some((problem, remedy)) => wrong(format!("{KEY}.{name}"), problem, &remedy),
            None => drop(chosen.insert(name.to_owned(), (text, Origin::File))),
        }
    }
}

fn of_env(variable: &str, text: &str, chosen: &mut BTreeMap<String, (String, Origin)>, errors: &mut Vec<ConfigError>) {
    for part in split_unescaped(text) {
        let mistake = match part.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => match refusal(name.trim()) {
                None => {
                    chosen.insert(name.trim().to_owned(), (value.to_owned(), Origin::Env));
                    continue;
                }
                Some((problem, remedy)) => (format!("{}: {problem}", shown(name.trim())), remedy),
            },
            // The part may be the rest of a password: it is not repeated.
            _ => (
                "a part of it is not name=value".to_owned(),
                "write name=value,name=value, and a comma within a value as \\,".to_owned(),
            ),
        };
        let (problem, remedy) = mistake;
        errors.push(ConfigError::Invalid { place: Place::in_env(variable), problem, remedy });
    }
}

/// Why a property may not be set here, and the remedy.
fn refusal(name: &str) -> Option<(String, String)> {
    if name.is_empty() || name.chars().any(|letter| letter.is_whitespace() || letter == '=') {
        return Some((format!("{} is not the name of a property", quote(name)), "remove it".to_owned()));
    }
    if let Some((_, setting)) = HAVE_A_SETTING.iter().find(|(property, _)| *property == name) {
        return Some((format!("this is decided by {setting}"), format!("remove it and set {setting}")));
    }
    FIXED.contains(&name).then(|| {
        let problem = "the counts and the dead letters are exact only with the pipeline's own value".to_owned();
        (problem, "remove it".to_owned())
    })
}

/// Splits at commas; `\,` is a comma and `\\` a backslash within a part.
fn split_unescaped(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek()) {
            (',', _) => parts.push(String::new()),
            ('\\', Some(&escaped @ (',' | '\\'))) => {
                push(&mut parts, escaped);
                letters.next();
            }
            _ => push(&mut parts, letter),
        }
    }
    parts
}

fn push(parts: &mut [String], letter: char) {
    if let Some(part) = parts.last_mut() {
        part.push(letter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_split_unless_escaped() {
        assert_eq!(split_unescaped(r"a=b,c=d\,e,f=\\"), ["a=b", "c=d,e", r"f=\"]);
        assert_eq!(split_unescaped(r"a=C:\x"), [r"a=C:\x"]);
    }

    #[test]
    fn what_only_members_understand_goes_to_them_alone() {
        let of = |name: &str| Properties([(name.to_owned(), "1".to_owned())].into()).of_every_client().count();
        for name in [
            "max.poll.interval.ms",
            "statistics.interval.ms",
            "fetch.max.bytes",
            "queued.min.messages",
            "queued.max.messages.kbytes",
        ] {
            assert_eq!(of(name), 0, "{name}");
        }
        for name in ["security.protocol", "receive.message.max.bytes", "message.max.bytes", "socket.timeout.ms"] {
            assert_eq!(of(name), 1, "{name}");
        }
    }

    #[test]
    fn names_that_hold_secrets_are_masked() {
        for name in ["sasl.password", "ssl.key.pem", "sasl.oauthbearer.client.secret", "ssl.keystore.password"] {
            assert_eq!(masked(name, "geheim"), "***", "{name}");
        }
        assert_eq!(masked("ssl.ca.location", "/etc/ca"), "/etc/ca");
        assert!(!format!("{:?}", Properties([("sasl.password".into(), "geheim".into())].into())).contains("geheim"));
    }
}
