//! Errors of the ClickHouse client, including responses from a server that is not ClickHouse.

use std::time::Duration;

/// Characters kept of an exception's text: some repeat the whole statement.
const MAX_TEXT: usize = 600;

/// Why a request to ClickHouse failed. Every kind is retried without limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClickHouseError {
    /// It could not be reached, or the connection broke.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// It did not respond in time.
    #[error("no answer within {} s; if ClickHouse is only slow, increase `clickhouse.request-timeout-ms`", .0.as_secs_f64())]
    TimedOut(Duration),
    /// The response lacks the proof that ClickHouse sent it, so it acknowledges nothing.
    #[error("the response is not from ClickHouse: {0}; check `clickhouse.url`")]
    NotClickHouse(String),
    /// The login failed.
    #[error(
        "ClickHouse refused the login of user `{user}`: check `clickhouse.user` and `clickhouse.password` ({text})"
    )]
    LoginRefused {
        /// The user.
        user: String,
        /// ClickHouse's message.
        text: String,
    },
    /// The user lacks a privilege.
    #[error("user `{user}` (`clickhouse.user`) lacks a privilege: {text}")]
    RightMissing {
        /// The user.
        user: String,
        /// ClickHouse's message.
        text: String,
    },
    /// There is no such database.
    #[error("ClickHouse has no database `{database}`: check `clickhouse.database` ({text})")]
    DatabaseMissing {
        /// The database.
        database: String,
        /// ClickHouse's message.
        text: String,
    },
    /// The table does not match the encoded rows.
    #[error("table {0}")]
    TableChanged(String),
    /// ClickHouse returned another exception.
    #[error("{0}")]
    Refused(String),
}

impl ClickHouseError {
    /// The kind in one word, for metrics and the table of failures (`failures.rs`).
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut(_) => "slow",
            Self::NotClickHouse(_) => "not_clickhouse",
            Self::LoginRefused { .. } => "login",
            Self::RightMissing { .. } => "right",
            Self::DatabaseMissing { .. } => "database",
            Self::TableChanged(_) => "table",
            Self::Refused(_) => "refused",
        }
    }

    /// All kinds.
    pub const KINDS: [&'static str; 8] =
        ["unreachable", "slow", "not_clickhouse", "login", "right", "database", "table", "refused"];
}

/// The user and database of a client, for the messages.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    pub(crate) user: String,
    pub(crate) database: String,
}

impl ClickHouseError {
    /// The error for an exception with the `code` of the header and the `text` of the body.
    pub(super) fn of_exception(code: Option<u32>, text: &str, asker: &Asker) -> Self {
        let text = shortened(text.trim());
        let user = asker.user.clone();
        match code {
            // UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, IP_ADDRESS_NOT_ALLOWED, AUTHENTICATION_FAILED
            Some(192..=195 | 516) => Self::LoginRefused { user, text },
            // READONLY, DATABASE_ACCESS_DENIED, ACCESS_DENIED
            Some(164 | 291 | 497) => Self::RightMissing { user, text },
            // UNKNOWN_DATABASE
            Some(81) => Self::DatabaseMissing { database: asker.database.clone(), text },
            _ => Self::Refused(text),
        }
    }
}

/// The code that an exception's text begins with: `Code: 516. DB::Exception: …`.
pub(super) fn code_of(text: &str) -> Option<u32> {
    let (code, rest) = text.trim_start().strip_prefix("Code: ")?.split_once('.')?;
    rest.contains("DB::").then(|| code.parse().ok()).flatten()
}

/// The beginning of a text, cut at a character boundary.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: Option<u32>) -> String {
        let asker = Asker { user: "writer".to_owned(), database: "ads".to_owned() };
        ClickHouseError::of_exception(code, "Code: 1. DB::Exception: so it is\n", &asker).to_string()
    }

    #[test]
    fn each_kind_names_its_setting() {
        for code in [192, 193, 194, 195, 516] {
            let said = of(Some(code));
            assert!(said.contains("`writer`") && said.contains("`clickhouse.password`"), "{code}: {said}");
        }
        for code in [164, 291, 497] {
            assert!(of(Some(code)).contains("`writer` (`clickhouse.user`) lacks a privilege"), "{code}");
        }
        assert!(of(Some(81)).contains("no database `ads`: check `clickhouse.database`"));
        assert_eq!(of(Some(60)), "Code: 1. DB::Exception: so it is");
        assert_eq!(of(None), "Code: 1. DB::Exception: so it is");
    }

    #[test]
    fn an_exception_is_known_by_its_text_too() {
        assert_eq!(code_of("Code: 516. DB::Exception: default: Authentication failed"), Some(516));
        for text in ["<html>", "", "Code: 516", "Code: x. DB::Exception", "Code: 5. something else"] {
            assert_eq!(code_of(text), None, "{text}");
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let cut = shortened(&"ü".repeat(MAX_TEXT + 1));
        assert_eq!(cut.chars().count(), MAX_TEXT + 1);
        assert_eq!(shortened("short"), "short");
    }
}
