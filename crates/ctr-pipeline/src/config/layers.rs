//! The layers of settings: the effective value of each setting, its origin, and its errors.

use std::collections::BTreeMap;
use std::iter;

use serde::Serialize;
use serde_yaml::Value as Yaml;

use super::error::{ConfigError, Origin, Place};
use super::original;
use super::properties::{self, Properties};
use super::value::{MASK, Mistake, Setting, variable};

/// The variable with the name of this process if `ctr.job.instance-id` is not set.
pub(super) const HOST_NAME: &str = "HOSTNAME";

/// One effective setting, for display: secrets are masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingRow {
    /// The dotted key; for an entry of `kafka.properties` followed by the name of the property.
    pub key: String,
    /// The value, or `***` for a secret that is set.
    pub value: String,
    /// Its layer.
    pub origin: Origin,
}

/// The file and the environment, and the findings so far.
pub(super) struct Layers<'a> {
    /// The entries of the file with known keys.
    pub(super) file: BTreeMap<String, Yaml>,
    pub(super) env: &'a BTreeMap<String, String>,
    pub(super) errors: Vec<ConfigError>,
    pub(super) rows: Vec<SettingRow>,
    places: BTreeMap<String, Place>,
}

impl<'a> Layers<'a> {
    pub(super) fn new(
        file: BTreeMap<String, Yaml>,
        env: &'a BTreeMap<String, String>,
        errors: Vec<ConfigError>,
    ) -> Self {
        Self { file, env, errors, rows: Vec::new(), places: BTreeMap::new() }
    }

    /// The effective value of a setting. Errors in any layer are recorded, even if another layer overrides it; the
    /// value is then a substitute, from which nothing is concluded ([`Self::place`]).
    pub(super) fn take<T: Default>(&mut self, setting: &Setting, typed: fn(&str) -> Option<T>) -> T {
        self.take_or(setting, setting.kind.check(setting.default), typed)
    }

    /// `ctr.job.instance-id`: the host name by default.
    pub(super) fn instance_id(&mut self, setting: &Setting) -> String {
        let problem = match self.variable(HOST_NAME).map(|name| setting.kind.check(name)) {
            Some(Ok(name)) => return self.take_or(setting, Ok(name), |text| Some(text.to_owned())),
            Some(Err(mistake)) => format!("the host name cannot be used: {}", mistake.problem),
            None => "its default, the host name, is not known".to_owned(),
        };
        let remedy = format!("set it in the file or as {}, to a name unique to this process", setting.variable());
        self.take_or(setting, Err(Mistake { problem, remedy }), |text| Some(text.to_owned()))
    }

    /// The entries of `kafka.properties`, one by one.
    pub(super) fn properties(&mut self, setting: &Setting) -> Properties {
        let variable = setting.variable();
        let env = self.variable(&variable).map(|text| (variable.as_str(), text));
        let chosen = properties::choose(self.file.get(setting.key), env, &mut self.errors);
        for (name, (value, origin)) in &chosen {
            let key = format!("{}.{name}", setting.key);
            self.in_force(Place { name: key.clone(), origin: *origin }, key, properties::masked(name, value));
        }
        chosen.into_iter().map(|(name, (value, _))| (name, value)).collect()
    }

    /// The origin of a setting's value; `None` if it is invalid.
    pub(super) fn place(&self, key: &str) -> Option<Place> {
        self.places.get(key).cloned()
    }

    fn take_or<T: Default>(
        &mut self,
        setting: &Setting,
        default: Result<String, Mistake>,
        typed: fn(&str) -> Option<T>,
    ) -> T {
        let earlier = self.errors.len();
        let (file, env) = (self.in_file(setting), self.in_env(setting));
        if self.errors.len() > earlier {
            return T::default();
        }
        let (place, value) = match env.or(file) {
            Some((place, text)) => (place, Ok(text)),
            None => (Place::by_default(setting.key), default),
        };
        let typed = |text: String| match typed(&text) {
            Some(value) => Ok((text, value)),
            None => Err(setting.kind.wrong("it is out of range".to_owned())),
        };
        match value.and_then(typed) {
            Ok((text, value)) => {
                let shown = if setting.secret && !text.is_empty() { MASK } else { &text };
                self.in_force(place, setting.key.to_owned(), shown);
                value
            }
            Err(mistake) => {
                self.refuse(place, mistake);
                T::default()
            }
        }
    }

    fn in_file(&mut self, setting: &Setting) -> Option<(Place, String)> {
        let is_unset = |value: &Yaml| value.is_null() || (setting.default.is_empty() && value.as_str() == Some(""));
        let given = names(setting).filter_map(|key| Some((key, self.file.get(key)?)));
        let given = given.filter(|(_, value)| !is_unset(value));
        self.agree(given.map(|(key, value)| (Place::in_file(key), setting.kind.check_yaml(value))).collect())
    }

    fn in_env(&mut self, setting: &Setting) -> Option<(Place, String)> {
        let given = names(setting).map(variable).filter_map(|name| {
            let text = self.variable(&name)?;
            let value = if text.contains(char::REPLACEMENT_CHARACTER) {
                Err(Mistake { problem: "it is not UTF-8".to_owned(), remedy: "write it in UTF-8".to_owned() })
            } else {
                setting.kind.check(text)
            };
            Some((Place::in_env(name), value))
        });
        self.agree(given.collect())
    }

    /// A variable with a value: Compose and shells pass unset variables as empty ones.
    fn variable(&self, name: &str) -> Option<&'a str> {
        self.env.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// The value that a layer gives under a key or its alias; they must not differ.
    fn agree(&mut self, given: Vec<(Place, Result<String, Mistake>)>) -> Option<(Place, String)> {
        let mut agreed: Option<(Place, String)> = None;
        for (place, value) in given {
            match (value, &agreed) {
                (Err(mistake), _) => self.refuse(place, mistake),
                (Ok(value), None) => agreed = Some((place, value)),
                (Ok(value), Some((at, first))) if value != *first => self.errors.push(ConfigError::Contradiction {
                    first: at.clone(),
                    second: place,
                    problem: format!("both name the same setting, and differ: {first:?} and {value:?}"),
                    remedy: "keep one of the two".to_owned(),
                }),
                (Ok(_), Some(_)) => {}
            }
        }
        agreed
    }

    fn in_force(&mut self, place: Place, key: String, shown: &str) {
        self.rows.push(SettingRow { key: key.clone(), value: shown.to_owned(), origin: place.origin });
        self.places.insert(key, place);
    }

    fn refuse(&mut self, place: Place, Mistake { problem, remedy }: Mistake) {
        self.errors.push(ConfigError::Invalid { place, problem, remedy });
    }
}

/// The names of a setting: its key, and the original's alias.
fn names(setting: &Setting) -> impl Iterator<Item = &'static str> + use<> {
    iter::once(setting.key).chain(original::alias_of(setting.key))
}
