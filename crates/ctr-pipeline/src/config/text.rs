//! Rules for text settings.

use ctr_domain::timestamp;
use tracing_subscriber::filter::Targets;

use super::original;
use super::value::quote;

/// Kafka's limit for topic names, which also applies to static members' IDs
/// (`org.apache.kafka.common.internals.Topic`).
const MAX_KAFKA_NAME: usize = 249;

/// Room for the `-63` that a worker appends to the instance ID.
const MAX_INSTANCE_ID: usize = MAX_KAFKA_NAME - 3;

/// The kinds of text settings.
#[derive(Debug, Clone, Copy)]
pub struct TextRule {
    /// The accepted values.
    pub(super) expects: &'static str,
    /// The text as stored in the setting, or the error.
    check: fn(&str) -> Result<String, String>,
}

pub(super) const BROKERS: TextRule =
    TextRule { expects: "host:port pairs with commas between them", check: |text| brokers(line(text)?) };
pub(super) const TOPIC: TextRule = TextRule {
    expects: "a topic name of letters, digits, '.', '_' and '-', at most 249",
    check: |text| kafka_name(line(text)?, MAX_KAFKA_NAME),
};
/// A name in Kafka's alphabet, short enough to append a worker's number.
pub(super) const INSTANCE_ID: TextRule = TextRule {
    expects: "a name of letters, digits, '.', '_' and '-', at most 246",
    check: |text| kafka_name(line(text)?, MAX_INSTANCE_ID),
};
pub(super) const NAME: TextRule = TextRule { expects: "a name", check: |text| Ok(line(text)?.to_owned()) };
/// Stored without user, password, parameters and trailing slashes.
pub(super) const HTTP_URLS: TextRule =
    TextRule { expects: "http(s)://host:port, several with commas between them", check: |text| http_urls(line(text)?) };
/// A name that ClickHouse accepts without quotes.
pub(super) const IDENTIFIER: TextRule = TextRule {
    expects: "a name of letters, digits and '_' that does not begin with a digit",
    check: |text| identifier(line(text)?),
};
pub(super) const PASSWORD: TextRule = TextRule { expects: "text, in quotes", check: |text| Ok(text.to_owned()) };
pub(super) const HOST: TextRule =
    TextRule { expects: "an IP address or a host name without a port", check: |text| host(line(text)?) };
/// Directives that `tracing_subscriber`'s `Targets` accepts.
pub(super) const LOG_FILTER: TextRule = TextRule {
    expects: "a level (off, error, warn, info, debug, trace), also by part: info,ctr_pipeline::sink=debug",
    check: |text| log_filter(line(text)?),
};
/// Stored as empty text if there is none.
pub(super) const FOLDER: TextRule = TextRule {
    expects: "a directory, or none for no log files",
    check: |text| if matches!(text.trim(), "" | "none") { Ok(String::new()) } else { line(text).map(str::to_owned) },
};
pub(super) const EVENT_TIME: TextRule =
    TextRule { expects: "an RFC 3339 time, for instance 2000-01-01T00:00:00Z", check: |text| event_time(line(text)?) };

impl TextRule {
    pub(super) fn check(self, text: &str) -> Result<String, String> {
        // Taken literally, a placeholder would be a wrong password that is noticed late.
        if text.trim().starts_with("${") && text.trim().ends_with('}') {
            return Err("placeholders are not replaced here, environment variables override the file".to_owned());
        }
        (self.check)(text)
    }
}

/// One line of text, without surrounding space.
fn line(text: &str) -> Result<&str, String> {
    match text.trim() {
        "" => Err("it is empty".to_owned()),
        text if text.chars().any(char::is_control) => Err(format!("{} holds control characters", quote(text))),
        text => Ok(text),
    }
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

fn kafka_name(text: &str, longest: usize) -> Result<String, String> {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    if text == "." || text == ".." || text.len() > longest || !text.chars().all(legal) {
        return Err(format!("{} is not a valid Kafka name", quote(text)));
    }
    Ok(text.to_owned())
}

fn http_urls(text: &str) -> Result<String, String> {
    let urls: Result<Vec<String>, String> = text.split(',').map(|url| http_url(url.trim())).collect();
    Ok(urls?.join(","))
}

/// Never repeats the URL: it may contain a password.
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

fn identifier(text: &str) -> Result<String, String> {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if text.starts_with(|first: char| first.is_ascii_digit()) || !text.chars().all(legal) {
        return Err(format!("{} is not a plain name", quote(text)));
    }
    Ok(text.to_owned())
}

fn host(text: &str) -> Result<String, String> {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    let in_brackets = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_ipv6 = in_brackets.unwrap_or(text).parse::<std::net::Ipv6Addr>().is_ok();
    if is_ipv6 || (!text.is_empty() && text.chars().all(legal)) {
        return Ok(text.to_owned());
    }
    Err(format!("{} is not a host", quote(text)))
}

/// Host and port of an address; `None` if the part after the colon is not a port. An IPv6 address is in brackets.
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

fn event_time(text: &str) -> Result<String, String> {
    timestamp::parse_text(text).map(|_| text.to_owned()).map_err(|error| format!("{} {error}", quote(text)))
}

/// `Targets` treats a misspelled level as the name of a module and then logs nothing else: a single word must be a
/// level here.
fn log_filter(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    for directive in text.split(',').map(str::trim).filter(|part| !part.contains('=')) {
        if !LEVELS.contains(&directive.to_ascii_lowercase().as_str()) {
            return Err(format!("{} is not a level", quote(directive)));
        }
    }
    match text.parse::<Targets>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("{} is not a filter: {error}", quote(text))),
    }
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
        taken(BROKERS, &["127.0.0.1:19092", "kafka1:29092,kafka2:29093", "[::1]:9092"]);
        assert_eq!(BROKERS.check(" a:1 , b:2 ").unwrap(), "a:1,b:2");
        refused(BROKERS, &["kafka1", "a:1,,b:2", "a:0", "a:65536", ":9092", "a:b", "", "http://a:9092", "a b:1"]);
    }

    #[test]
    fn names_are_what_kafka_and_clickhouse_take() {
        taken(TOPIC, &["impressions", "a.b_c-1"]);
        refused(TOPIC, &["", ".", "..", "a b", "klick/s", "größe", &"x".repeat(250)]);
        taken(INSTANCE_ID, &["host-1.example.org", &"x".repeat(246)]);
        refused(INSTANCE_ID, &["(none)", &"x".repeat(247)]);
        taken(IDENTIFIER, &["default", "_a1"]);
        refused(IDENTIFIER, &["1a", "a-b", "a.b", "a`b"]);
    }

    #[test]
    fn urls_are_http_and_hold_no_credentials() {
        taken(HTTP_URLS, &["http://127.0.0.1:8123", "https://ch.example.org", "http://[::1]:8123/path"]);
        assert_eq!(HTTP_URLS.check("http://ch:8123/").unwrap(), "http://ch:8123");
        assert_eq!(HTTP_URLS.check("http://a:8123/ , https://b").unwrap(), "http://a:8123,https://b");
        refused(
            HTTP_URLS,
            &[
                "ch:8123",
                "tcp://ch:9000",
                "http://",
                "http://ch:port",
                "http://ch:8123?a=b",
                "http://:1",
                "http://a,",
                "http://a,b",
            ],
        );
        let error = HTTP_URLS.check("http://me:geheim@ch:8123").unwrap_err();
        assert!(error.contains("clickhouse.password") && !error.contains("geheim"), "{error}");
    }

    #[test]
    fn a_host_to_listen_on_has_no_port() {
        taken(HOST, &["127.0.0.1", "0.0.0.0", "localhost", "::1", "::"]);
        refused(HOST, &["", "127.0.0.1:8081", "http://localhost", "::g"]);
    }

    #[test]
    fn a_misspelt_level_is_not_a_module() {
        taken(LOG_FILTER, &["info", "WARN", "info,ctr_pipeline::sink=debug", "off"]);
        refused(LOG_FILTER, &["inof", "info,debgu", "ctr_pipeline=louder", ""]);
    }

    #[test]
    fn passwords_are_kept_as_they_are_and_placeholders_are_found() {
        taken(PASSWORD, &["", " a b ", "${", "$x"]);
        refused(PASSWORD, &["${CLICKHOUSE_PASSWORD}"]);
        refused(TOPIC, &["${TOPIC:impressions}"]);
        assert_eq!(FOLDER.check("none").unwrap(), "");
    }
}
