//! The rules for settings that are text.

use ctr_domain::timestamp;
use tracing_subscriber::EnvFilter;

use super::original;
use super::value::quote;

/// Kafka's limit for names of topics, also held against static members' ids (`org.apache.kafka.common.internals.Topic`).
const MAX_KAFKA_NAME: usize = 249;

/// Room for the `-63` that a worker puts after the instance id.
const MAX_INSTANCE_ID: usize = MAX_KAFKA_NAME - 3;

/// What a text setting may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextRule {
    /// `host:port` pairs with commas between them.
    Brokers,
    /// The name of a Kafka topic.
    Topic,
    /// A name in Kafka's alphabet, short enough for a worker's number behind it.
    InstanceId,
    /// Any text but the empty one.
    Name,
    /// `http://`, host, and perhaps port and path.
    HttpUrl,
    /// A name of ClickHouse that needs no quotes.
    Identifier,
    /// Any text, also none.
    Password,
    /// An address or a host name to listen on.
    Host,
    /// A filter of `tracing_subscriber`.
    LogFilter,
    /// A folder; empty for none.
    Folder,
    /// A moment of event time.
    EventTime,
}

impl TextRule {
    /// What may be written.
    pub(super) const fn expects(self) -> &'static str {
        match self {
            Self::Brokers => "host:port pairs with commas between them",
            Self::Topic => "a topic name of letters, digits, '.', '_' and '-', at most 249",
            Self::InstanceId => "a name of letters, digits, '.', '_' and '-', at most 246",
            Self::Name => "a name",
            Self::HttpUrl => "http(s)://host:port",
            Self::Identifier => "a name of letters, digits and '_' that does not begin with a digit",
            Self::Password => "text, in quotes",
            Self::Host => "an IP address or a host name without a port",
            Self::LogFilter => {
                "a level (off, error, warn, info, debug, trace), also by part: info,ctr_pipeline::sink=debug"
            }
            Self::Folder => "a folder, or none for no log files",
            Self::EventTime => "an RFC 3339 time, for instance 2000-01-01T00:00:00Z",
        }
    }

    /// The text as the setting holds it, or what is wrong with it.
    pub(super) fn check(self, text: &str) -> Result<String, String> {
        if self == Self::Password && !is_placeholder(text) {
            return Ok(text.to_owned());
        }
        let text = text.trim();
        if is_placeholder(text) {
            return Err("placeholders are not replaced here, environment variables override the file".to_owned());
        }
        if text.chars().any(char::is_control) {
            return Err(format!("{} holds control characters", quote(text)));
        }
        match self {
            Self::Folder => return Ok(if text == "none" { String::new() } else { text.to_owned() }),
            _ if text.is_empty() => return Err("it is empty".to_owned()),
            Self::Brokers => return brokers(text),
            Self::Topic => kafka_name(text, MAX_KAFKA_NAME)?,
            Self::InstanceId => kafka_name(text, MAX_INSTANCE_ID)?,
            Self::HttpUrl => return http_url(text),
            Self::Identifier => identifier(text)?,
            Self::Host => host(text)?,
            Self::LogFilter => log_filter(text)?,
            Self::EventTime => event_time(text)?,
            Self::Name | Self::Password => {}
        }
        Ok(text.to_owned())
    }
}

/// `${NAME}`, as Spring and Compose would replace it. Taken literally it would be a wrong password, found out late.
fn is_placeholder(text: &str) -> bool {
    text.starts_with("${") && text.ends_with('}')
}

fn brokers(text: &str) -> Result<String, String> {
    let mut addresses = Vec::new();
    for address in text.split(',').map(str::trim) {
        match split_port(address) {
            Some((name, Some(_))) if host(name).is_ok() => addresses.push(address),
            _ => return Err(format!("{} is not host:port", quote(address))),
        }
    }
    Ok(addresses.join(","))
}

fn kafka_name(text: &str, longest: usize) -> Result<(), String> {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    if text == "." || text == ".." || text.len() > longest || !text.chars().all(legal) {
        return Err(format!("{} is not a name that Kafka takes", quote(text)));
    }
    Ok(())
}

/// Never repeats the URL: it may hold a password.
fn http_url(url: &str) -> Result<String, String> {
    if url.starts_with("jdbc:") {
        return Err(format!("JDBC URLs belong to Java, this client speaks HTTP ({})", original::instead_of_jdbc(url)));
    }
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return Err("the URL begins with neither http:// nor https://".to_owned());
    };
    if rest.contains(['?', '#']) {
        return Err("parameters in the URL have no effect".to_owned());
    }
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Err(
            "user and password do not belong in the URL but in clickhouse.user and clickhouse.password".to_owned()
        );
    }
    match split_port(authority) {
        Some((name, _)) if host(name).is_ok() => Ok(url.trim_end_matches('/').to_owned()),
        _ => Err("the URL names no host, or a port that is not one".to_owned()),
    }
}

fn identifier(text: &str) -> Result<(), String> {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if text.starts_with(|first: char| first.is_ascii_digit()) || !text.chars().all(legal) {
        return Err(format!("{} is not a plain name", quote(text)));
    }
    Ok(())
}

fn host(text: &str) -> Result<(), String> {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    let in_brackets = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_ipv6 = in_brackets.unwrap_or(text).parse::<std::net::Ipv6Addr>().is_ok();
    if is_ipv6 || (!text.is_empty() && text.chars().all(legal)) {
        return Ok(());
    }
    Err(format!("{} is not a host", quote(text)))
}

/// Host and port of an address; `None` if what follows the colon is no port. An IPv6 address stands in brackets.
fn split_port(address: &str) -> Option<(&str, Option<u16>)> {
    let after_brackets = address.rfind(']').map_or(0, |at| at + 1);
    match address[after_brackets..].rfind(':') {
        None => Some((address, None)),
        Some(colon) => {
            let colon = after_brackets + colon;
            let port = address[colon + 1..].parse::<u16>().ok().filter(|port| *port > 0)?;
            Some((&address[..colon], Some(port)))
        }
    }
}

fn event_time(text: &str) -> Result<(), String> {
    timestamp::parse_text(text).map(drop).map_err(|error| format!("{} {error}", quote(text)))
}

/// `EnvFilter` takes a misspelt level for the name of a module and then logs nothing of anything else: a bare word must be
/// a level here.
fn log_filter(text: &str) -> Result<(), String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    for directive in text.split(',').map(str::trim).filter(|part| !part.contains(['=', '[', ']', '}'])) {
        if !LEVELS.contains(&directive.to_ascii_lowercase().as_str()) {
            return Err(format!("{} is not a level", quote(directive)));
        }
    }
    EnvFilter::builder().parse(text).map(drop).map_err(|error| format!("{} is not a filter: {error}", quote(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(rule: TextRule, texts: &[&str]) {
        for text in texts {
            assert!(rule.check(text).is_err(), "{rule:?} takes {text:?}");
        }
    }

    fn taken(rule: TextRule, texts: &[&str]) {
        for text in texts {
            assert_eq!(rule.check(text).as_deref(), Ok(*text), "{rule:?}");
        }
    }

    #[test]
    fn brokers_are_hosts_with_ports() {
        taken(TextRule::Brokers, &["127.0.0.1:19092", "kafka1:29092,kafka2:29093", "[::1]:9092"]);
        assert_eq!(TextRule::Brokers.check(" a:1 , b:2 ").unwrap(), "a:1,b:2");
        refused(
            TextRule::Brokers,
            &["kafka1", "a:1,,b:2", "a:0", "a:65536", ":9092", "a:b", "", "http://a:9092", "a b:1"],
        );
    }

    #[test]
    fn names_are_what_kafka_and_clickhouse_take() {
        taken(TextRule::Topic, &["impressions", "a.b_c-1"]);
        refused(TextRule::Topic, &["", ".", "..", "a b", "klick/s", "größe", &"x".repeat(250)]);
        taken(TextRule::InstanceId, &["host-1.example.org", &"x".repeat(246)]);
        refused(TextRule::InstanceId, &["(none)", &"x".repeat(247)]);
        taken(TextRule::Identifier, &["default", "_a1"]);
        refused(TextRule::Identifier, &["1a", "a-b", "a.b", "a`b"]);
    }

    #[test]
    fn urls_are_http_and_hold_no_credentials() {
        taken(TextRule::HttpUrl, &["http://127.0.0.1:8123", "https://ch.example.org", "http://[::1]:8123/path"]);
        assert_eq!(TextRule::HttpUrl.check("http://ch:8123/").unwrap(), "http://ch:8123");
        refused(
            TextRule::HttpUrl,
            &["ch:8123", "tcp://ch:9000", "http://", "http://ch:port", "http://ch:8123?a=b", "http://:1"],
        );
        let error = TextRule::HttpUrl.check("http://me:geheim@ch:8123").unwrap_err();
        assert!(error.contains("clickhouse.password") && !error.contains("geheim"), "{error}");
    }

    #[test]
    fn a_host_to_listen_on_has_no_port() {
        taken(TextRule::Host, &["127.0.0.1", "0.0.0.0", "localhost", "::1", "::"]);
        refused(TextRule::Host, &["", "127.0.0.1:8081", "http://localhost", "::g"]);
    }

    #[test]
    fn a_misspelt_level_is_not_a_module() {
        taken(TextRule::LogFilter, &["info", "WARN", "info,ctr_pipeline::sink=debug", "off"]);
        refused(TextRule::LogFilter, &["inof", "info,debgu", "ctr_pipeline=louder", ""]);
    }

    #[test]
    fn passwords_are_kept_as_they_are_and_placeholders_are_found() {
        taken(TextRule::Password, &["", " a b ", "${", "$x"]);
        refused(TextRule::Password, &["${CLICKHOUSE_PASSWORD}"]);
        refused(TextRule::Topic, &["${TOPIC:impressions}"]);
        assert_eq!(TextRule::Folder.check("none").unwrap(), "");
    }
}
