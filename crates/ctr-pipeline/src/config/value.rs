//! One value: from YAML or from text to what its setting takes, or what is wrong with it.

use serde_json::Value as Json;
use serde_yaml::Value as Yaml;

use super::document::kind_of;
use super::text::TextRule;

/// What a setting takes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A whole number within bounds, both allowed.
    Integer {
        /// The smallest value.
        min: i64,
        /// The largest value.
        max: i64,
        /// What is counted; empty where the number counts nothing.
        unit: &'static str,
    },
    /// `true` or `false`.
    Boolean,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// A setting that others have and that has only one value here.
    Only {
        /// The value.
        value: &'static str,
        /// Why there is no other.
        because: &'static str,
    },
    /// Text that follows a rule.
    Text(TextRule),
    /// Properties of librdkafka: a map in YAML, `name=value,name=value` in the environment.
    Properties,
}

/// What is wrong with a value, and the way out.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) problem: String,
    pub(super) remedy: String,
}

impl Kind {
    /// What may be written, to follow "write" or to stand in a table.
    #[must_use]
    pub fn expects(&self) -> String {
        match self {
            Self::Integer { min, max, unit: "" } => format!("a whole number from {min} to {max}"),
            Self::Integer { min, max, unit } => format!("a whole number from {min} to {max} ({unit})"),
            Self::Boolean => "true or false".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Only { value, .. } => format!("only {value}"),
            Self::Text(rule) => rule.expects().to_owned(),
            Self::Properties => "a map of librdkafka properties".to_owned(),
        }
    }

    /// The value that a text means: of a variable, or a default of the table.
    pub(super) fn parse(&self, text: &str) -> Result<Json, Mistake> {
        match self {
            Self::Integer { .. } => match text.trim().parse::<i64>() {
                Ok(number) => self.within(number),
                Err(_) => Err(self.wrong(&format!("{} is not a whole number in reach", quote(text)))),
            },
            Self::Boolean => match text.trim() {
                "true" => Ok(Json::Bool(true)),
                "false" => Ok(Json::Bool(false)),
                _ => Err(self.wrong(&format!("{} is neither true nor false", quote(text)))),
            },
            Self::Choice(words) if words.contains(&text.trim()) => Ok(text.trim().into()),
            Self::Choice(_) => Err(self.wrong(&format!("{} is not possible", quote(text)))),
            Self::Only { value, .. } if *value == text.trim() => Ok(text.trim().into()),
            Self::Only { value, because } => Err(Mistake {
                problem: format!("{} is not possible: {because}", quote(text)),
                remedy: format!("write {value}, or leave it out"),
            }),
            Self::Text(rule) => rule.check(text).map(Json::String).map_err(|problem| self.wrong(&problem)),
            Self::Properties => Err(self.wrong("this is a map")),
        }
    }

    /// The value of a key in the file. The types of YAML are held to: text where a number belongs is a mistake, and so is a
    /// number where text belongs, because YAML has made 1.1 of 1.10 by then.
    pub(super) fn parse_yaml(&self, value: &Yaml) -> Result<Json, Mistake> {
        match (self, value) {
            (Self::Integer { .. }, Yaml::Number(number)) => match number.as_i64() {
                Some(number) => self.within(number),
                None => Err(self.wrong(&format!("{number} is not a whole number in reach"))),
            },
            (Self::Boolean, Yaml::Bool(value)) => Ok(Json::Bool(*value)),
            (Self::Only { .. }, Yaml::Bool(value)) => self.parse(&value.to_string()),
            (Self::Only { .. }, Yaml::Number(value)) => self.parse(&value.to_string()),
            // YAML reads a bare `off` as text, but many people and tools write it as false.
            (Self::Choice(words), Yaml::Bool(false)) if words.contains(&"off") => Ok("off".into()),
            (Self::Choice(_) | Self::Only { .. } | Self::Text(_), Yaml::String(text)) => self.parse(text),
            (Self::Text(_), Yaml::Number(_) | Yaml::Bool(_)) => {
                let problem = format!("it is {}, and text is needed", kind_of(value));
                Err(Mistake { problem, remedy: "put the value in quotes".to_owned() })
            }
            (Self::Integer { .. } | Self::Boolean, Yaml::String(text)) if self.parse(text).is_ok() => {
                Err(Mistake { problem: format!("{} is text", quote(text)), remedy: "remove the quotes".to_owned() })
            }
            (Self::Integer { .. } | Self::Boolean, Yaml::String(text)) => {
                Err(self.wrong(&format!("{} is text", quote(text))))
            }
            (_, other) => Err(self.wrong(&format!("it is {}", kind_of(other)))),
        }
    }

    fn within(&self, number: i64) -> Result<Json, Mistake> {
        match self {
            Self::Integer { min, .. } if number < *min => {
                Err(self.wrong(&format!("{number} is below the smallest value {min}")))
            }
            Self::Integer { max, .. } if number > *max => {
                Err(self.wrong(&format!("{number} is above the largest value {max}")))
            }
            _ => Ok(number.into()),
        }
    }

    fn wrong(&self, problem: &str) -> Mistake {
        Mistake { problem: problem.to_owned(), remedy: format!("write {}", self.expects()) }
    }
}

/// A value in a message: in quotes, cut where it is long.
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
    use super::*;

    const THREADS: Kind = Kind::Integer { min: 1, max: 64, unit: "threads" };

    fn problem(result: Result<Json, Mistake>) -> String {
        let mistake = result.unwrap_err();
        format!("{}; {}", mistake.problem, mistake.remedy)
    }

    #[test]
    fn bounds_belong_to_the_range() {
        assert_eq!(THREADS.parse("1").unwrap(), 1);
        assert_eq!(THREADS.parse(" 64 ").unwrap(), 64);
        assert!(problem(THREADS.parse("0")).contains("below the smallest value 1; write a whole number from 1 to 64"));
        assert!(problem(THREADS.parse("65")).contains("above the largest value 64"));
        assert!(problem(THREADS.parse("99999999999999999999")).contains("in reach"));
    }

    #[test]
    fn the_types_of_yaml_are_held_to() {
        let yaml = |text: &str| serde_yaml::from_str::<Yaml>(text).unwrap();
        assert_eq!(THREADS.parse_yaml(&yaml("2")).unwrap(), 2);
        assert_eq!(problem(THREADS.parse_yaml(&yaml("'2'"))), "\"2\" is text; remove the quotes");
        assert!(problem(THREADS.parse_yaml(&yaml("two"))).starts_with("\"two\" is text; write a whole number"));
        assert!(problem(THREADS.parse_yaml(&yaml("2.5"))).starts_with("2.5 is not a whole number"));
        assert!(problem(THREADS.parse_yaml(&yaml("[2]"))).starts_with("it is a list; write"));
        assert!(problem(Kind::Boolean.parse_yaml(&yaml("1"))).starts_with("it is a number; write true or false"));
        let text = Kind::Text(TextRule::Name);
        assert_eq!(
            problem(text.parse_yaml(&yaml("1.10"))),
            "it is a number, and text is needed; put the value in quotes"
        );
    }

    #[test]
    fn off_is_off_however_yaml_reads_it() {
        let choice = Kind::Choice(&["off", "event-id"]);
        assert_eq!(choice.parse_yaml(&Yaml::Bool(false)).unwrap(), "off");
        assert_eq!(choice.parse_yaml(&Yaml::String("off".to_owned())).unwrap(), "off");
        assert!(choice.parse_yaml(&Yaml::Bool(true)).is_err());
    }

    #[test]
    fn a_long_value_is_cut_in_a_message() {
        assert!(quote(&"x".repeat(500)).len() < 100);
    }
}
