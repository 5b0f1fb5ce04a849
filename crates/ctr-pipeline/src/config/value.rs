//! One setting: its row in the table, its accepted values, and the errors of a value.

use std::fmt;

use serde_yaml::Value as Yaml;

use super::text::TextRule;

/// Displayed instead of a secret that is set.
pub(super) const MASK: &str = "***";

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The dotted key.
    pub key: &'static str,
    /// The kind of value.
    pub kind: Kind,
    /// The default, as it would be written.
    pub default: &'static str,
    /// Its description: one or two sentences.
    pub doc: &'static str,
    /// Whether the value is never displayed.
    pub secret: bool,
}

impl Setting {
    /// The environment variable that overrides the setting.
    #[must_use]
    pub fn variable(&self) -> String {
        variable(self.key)
    }
}

/// The environment variable of a key: upper case, dots and dashes as underscores.
pub(super) fn variable(key: &str) -> String {
    key.replace(['.', '-'], "_").to_ascii_uppercase()
}

/// The kinds of settings.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A whole number within inclusive bounds.
    Integer {
        /// The smallest value.
        min: i64,
        /// The largest value.
        max: i64,
        /// The unit; empty if the number has none.
        unit: &'static str,
    },
    /// `true` or `false`.
    Boolean,
    /// One of several words.
    Choice(&'static [&'static str]),
    /// A setting of the original that accepts only one value here.
    Only {
        /// The value.
        value: &'static str,
        /// Why no other value is supported.
        because: &'static str,
    },
    /// Text that follows a rule.
    Text(TextRule),
    /// Properties of librdkafka: a map in YAML, `name=value,name=value` in the environment.
    Properties,
}

/// The problem with a value, and the remedy.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) problem: String,
    pub(super) remedy: String,
}

impl Kind {
    /// The accepted values, to follow "write" or for a table.
    #[must_use]
    pub fn expects(&self) -> String {
        match self {
            Self::Integer { min, max, unit: "" } => format!("a whole number from {min} to {max}"),
            Self::Integer { min, max, unit } => format!("a whole number from {min} to {max} ({unit})"),
            Self::Boolean => "true or false".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Only { value, .. } => format!("only {value}"),
            Self::Text(rule) => rule.expects.to_owned(),
            Self::Properties => "a map of librdkafka properties".to_owned(),
        }
    }

    /// Parses the text of a variable or a default.
    pub(super) fn check(&self, text: &str) -> Result<String, Mistake> {
        let word = text.trim();
        let problem = match self {
            Self::Integer { min, max, .. } => match word.parse::<i64>() {
                Ok(number) if number < *min => format!("{number} is below the smallest value {min}"),
                Ok(number) if number > *max => format!("{number} is above the largest value {max}"),
                Ok(number) => return Ok(number.to_string()),
                Err(_) => format!("{} is not a whole number in range", quote(text)),
            },
            Self::Boolean if matches!(word, "true" | "false") => return Ok(word.to_owned()),
            Self::Boolean => format!("{} is neither true nor false", quote(text)),
            Self::Choice(words) if words.contains(&word) => return Ok(word.to_owned()),
            Self::Choice(_) => format!("{} is not possible", quote(text)),
            Self::Only { value, .. } if *value == word => return Ok(word.to_owned()),
            Self::Only { value, because } => {
                let problem = format!("{} is not possible: {because}", quote(text));
                return Err(Mistake { problem, remedy: format!("write {value}, or leave it out") });
            }
            Self::Text(rule) => return rule.check(text).map_err(|problem| self.wrong(problem)),
            Self::Properties => "this is a map".to_owned(),
        };
        Err(self.wrong(problem))
    }

    /// The value of a key in the file, as text. YAML's types are enforced: text instead of a number is an error, and so
    /// is a number instead of text, because by then YAML has turned 1.10 into 1.1.
    pub(super) fn check_yaml(&self, value: &Yaml) -> Result<String, Mistake> {
        match (self, value) {
            (Self::Integer { .. } | Self::Only { .. }, Yaml::Number(number)) => self.check(&number.to_string()),
            (Self::Boolean | Self::Only { .. }, Yaml::Bool(value)) => self.check(&value.to_string()),
            // YAML reads a plain `off` as text, but many people and tools write it as false.
            (Self::Choice(words), Yaml::Bool(false)) if words.contains(&"off") => Ok("off".to_owned()),
            (Self::Choice(_) | Self::Only { .. } | Self::Text(_), Yaml::String(text)) => self.check(text),
            (Self::Text(_), Yaml::Number(_) | Yaml::Bool(_)) => {
                let problem = format!("it is {}, and text is needed", kind_of(value));
                Err(Mistake { problem, remedy: "put the value in quotes".to_owned() })
            }
            (Self::Integer { .. } | Self::Boolean, Yaml::String(text)) => {
                let mistake = self.wrong(format!("{} is text", quote(text)));
                let is_quoted = self.check(text).is_ok();
                Err(if is_quoted { Mistake { remedy: "remove the quotes".to_owned(), ..mistake } } else { mistake })
            }
            (_, other) => Err(self.wrong(format!("it is {}", kind_of(other)))),
        }
    }

    pub(super) fn wrong(&self, problem: String) -> Mistake {
        Mistake { problem, remedy: format!("write {}", self.expects()) }
    }
}

/// A type with one value per word of the file; the first word is the default.
pub(super) trait Word: Default {
    const WORDS: &[&str];

    fn of(word: &str) -> Option<Self>;
}

/// The field of a setting that has only one value ([`Kind::Only`]).
#[derive(Debug, Clone, Copy, Default)]
pub struct Fixed;

/// Text that is never displayed: `Debug` masks it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text itself, for the one call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "(none)" } else { MASK })
    }
}

/// The name of a YAML value's type in messages.
pub(super) const fn kind_of(value: &Yaml) -> &'static str {
    match value {
        Yaml::Null => "nothing",
        Yaml::Bool(_) => "a boolean",
        Yaml::Number(_) => "a number",
        Yaml::String(_) => "text",
        Yaml::Sequence(_) => "a list",
        Yaml::Mapping(_) => "a map",
        Yaml::Tagged(_) => "a tagged value",
    }
}

/// A value in a message: quoted, truncated if long.
pub(super) fn quote(text: &str) -> String {
    const LONGEST: usize = 80;
    if text.chars().count() <= LONGEST {
        return format!("{text:?}");
    }
    let head: String = text.chars().take(LONGEST).collect();
    format!("{head:?}...")
}

#[cfg(test)]
mod tests {
    use super::super::text::NAME;
    use super::*;

    const THREADS: Kind = Kind::Integer { min: 1, max: 64, unit: "threads" };

    fn problem(result: Result<String, Mistake>) -> String {
        let mistake = result.unwrap_err();
        format!("{}; {}", mistake.problem, mistake.remedy)
    }

    #[test]
    fn bounds_belong_to_the_range() {
        assert_eq!(THREADS.check("1").unwrap(), "1");
        assert_eq!(THREADS.check(" 64 ").unwrap(), "64");
        assert!(problem(THREADS.check("0")).contains("below the smallest value 1; write a whole number from 1 to 64"));
        assert!(problem(THREADS.check("65")).contains("above the largest value 64"));
        assert!(problem(THREADS.check("99999999999999999999")).contains("in range"));
    }

    #[test]
    fn the_types_of_yaml_are_held_to() {
        let yaml = |text: &str| serde_yaml::from_str::<Yaml>(text).unwrap();
        assert_eq!(THREADS.check_yaml(&yaml("2")).unwrap(), "2");
        assert_eq!(problem(THREADS.check_yaml(&yaml("'2'"))), "\"2\" is text; remove the quotes");
        assert!(problem(THREADS.check_yaml(&yaml("two"))).starts_with("\"two\" is text; write a whole number"));
        assert!(problem(THREADS.check_yaml(&yaml("2.5"))).starts_with("\"2.5\" is not a whole number"));
        assert!(problem(THREADS.check_yaml(&yaml("[2]"))).starts_with("it is a list; write"));
        assert!(problem(Kind::Boolean.check_yaml(&yaml("1"))).starts_with("it is a number; write true or false"));
        let text = Kind::Text(NAME);
        assert_eq!(
            problem(text.check_yaml(&yaml("1.10"))),
            "it is a number, and text is needed; put the value in quotes"
        );
    }

    #[test]
    fn off_is_off_however_yaml_reads_it() {
        let choice = Kind::Choice(&["off", "event-id"]);
        assert_eq!(choice.check_yaml(&Yaml::Bool(false)).unwrap(), "off");
        assert_eq!(choice.check_yaml(&Yaml::String("off".to_owned())).unwrap(), "off");
        assert!(choice.check_yaml(&Yaml::Bool(true)).is_err());
    }

    #[test]
    fn a_long_value_is_cut_in_a_message() {
        assert!(quote(&"x".repeat(500)).len() < 100);
    }
}
