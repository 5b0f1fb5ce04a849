//! The three layers on top of one another: which value of each setting is in force, and where it comes from.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::document::Entry;
use super::error::{ConfigError, Origin, Place};
use super::sections::Sections;
use super::settings::{SETTINGS, Setting, variable};
use super::value::{Kind, Mistake};
use super::{HOST_NAME, SettingRow, original, properties};

/// The value in force of one setting.
struct Choice {
    setting: &'static Setting,
    value: Json,
    place: Place,
    /// Whether what was given is right; otherwise the value is a stand-in, and nothing is concluded from it.
    sound: bool,
}

/// The values in force of all settings.
pub(super) struct Chosen {
    choices: Vec<Choice>,
    properties: BTreeMap<String, (String, Origin)>,
}

/// Chooses a value for every setting. Mistakes in any layer go to `errors`, also in one that another layer overrides.
pub(super) fn choose(entries: &[Entry], env: &BTreeMap<String, String>, errors: &mut Vec<ConfigError>) -> Chosen {
    let layers = Layers { entries, env };
    for entry in entries {
        if let Some((why, remedy)) = original::without_meaning(&entry.key) {
            let place = Place::in_file(&entry.key);
            errors.push(ConfigError::Invalid { place, problem: why.to_owned(), remedy: remedy.to_owned() });
        }
    }
    let single = SETTINGS.iter().filter(|setting| !matches!(setting.kind, Kind::Properties));
    let choices = single.map(|setting| layers.choose_one(setting, errors)).collect();
    let file = entries.iter().find(|entry| entry.key == properties::KEY).map(|entry| &entry.value);
    let variable = variable(properties::KEY);
    let text = layers.variable(&variable);
    let properties = properties::choose(file, text.map(|text| (variable, text)), errors);
    Chosen { choices, properties }
}

struct Layers<'a> {
    entries: &'a [Entry],
    env: &'a BTreeMap<String, String>,
}

/// What one layer says of a setting.
type Given = Result<(Json, Place), ()>;

impl Layers<'_> {
    fn choose_one(&self, setting: &'static Setting, errors: &mut Vec<ConfigError>) -> Choice {
        let file = self.in_file(setting, errors);
        let env = self.in_env(setting, errors);
        let sound = !matches!(file, Some(Err(()))) && !matches!(env, Some(Err(())));
        let given = [env, file].into_iter().flatten().find_map(Result::ok);
        if let Some((value, place)) = given {
            return Choice { setting, value, place, sound };
        }
        let place = Place::by_default(setting.key);
        let (value, sound) = match self.default_of(setting) {
            Ok(default) => (default, sound),
            Err(mistake) => {
                // Where something was given and is wrong, that is what must be mended.
                if sound {
                    errors.push(invalid(place.clone(), mistake));
                }
                (setting.default.into(), false)
            }
        };
        Choice { setting, value, place, sound }
    }

    fn in_file(&self, setting: &Setting, errors: &mut Vec<ConfigError>) -> Option<Given> {
        let names = [Some(setting.key), original::alias_of(setting.key)];
        let entries = names.into_iter().flatten().filter_map(|key| self.entries.iter().find(|entry| entry.key == key));
        let is_unset =
            |value: &serde_yaml::Value| value.is_null() || (setting.default.is_empty() && value.as_str() == Some(""));
        let given = entries
            .filter(|entry| !is_unset(&entry.value))
            .map(|entry| (Place::in_file(&entry.key), setting.kind.parse_yaml(&entry.value)));
        agree(given, errors)
    }

    fn in_env(&self, setting: &Setting, errors: &mut Vec<ConfigError>) -> Option<Given> {
        let names = [Some(setting.key), original::alias_of(setting.key)];
        let given = names.into_iter().flatten().map(variable).filter_map(|name| {
            let text = self.variable(&name)?;
            let value = if text.contains(char::REPLACEMENT_CHARACTER) {
                Err(Mistake { problem: "it is not UTF-8".to_owned(), remedy: "write it in UTF-8".to_owned() })
            } else {
                setting.kind.parse(text)
            };
            Some((Place::in_env(name), value))
        });
        agree(given, errors)
    }

    /// A variable that is set to something: Compose and shells give an empty one for what is not set.
    fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    fn default_of(&self, setting: &Setting) -> Result<Json, Mistake> {
        if !setting.is_instance_id() {
            return setting.kind.parse(setting.default);
        }
        let problem = match self.variable(HOST_NAME).map(|name| setting.kind.parse(name)) {
            Some(Ok(name)) => return Ok(name),
            Some(Err(mistake)) => format!("the host name cannot be it: {}", mistake.problem),
            None => "the host name, its default, is not known".to_owned(),
        };
        let remedy = format!("set it in the file or as {}, to a name of this process alone", setting.variable());
        Err(Mistake { problem, remedy })
    }
}

/// One value out of those that a layer gives under a key and its alias; they must not differ.
fn agree(given: impl Iterator<Item = (Place, Result<Json, Mistake>)>, errors: &mut Vec<ConfigError>) -> Option<Given> {
    let mut agreed: Option<Given> = None;
    for (place, value) in given {
        let value = match value {
            Ok(value) => value,
            Err(mistake) => {
                errors.push(invalid(place, mistake));
                agreed = Some(Err(()));
                continue;
            }
        };
        match &agreed {
            None => agreed = Some(Ok((value, place))),
            Some(Ok((first, at))) if *first != value => {
                errors.push(ConfigError::Contradiction {
                    first: at.clone(),
                    second: place,
                    problem: format!("both name the same setting, and differ: {first} and {value}"),
                    remedy: "keep one of the two".to_owned(),
                });
                agreed = Some(Err(()));
            }
            Some(_) => {}
        }
    }
    agreed
}

fn invalid(place: Place, Mistake { problem, remedy }: Mistake) -> ConfigError {
    ConfigError::Invalid { place, problem, remedy }
}

impl Setting {
    fn is_instance_id(&self) -> bool {
        self.key == "ctr.job.instance-id"
    }
}

impl Chosen {
    /// Where the value of a setting stands, with the value; `None` if the setting has a mistake of its own.
    pub(super) fn sound(&self, key: &str) -> Option<Place> {
        let choice = self.choices.iter().find(|choice| choice.setting.key == key)?;
        choice.sound.then(|| choice.place.clone())
    }

    /// The layer of a property of librdkafka.
    pub(super) fn property_place(&self, name: &str) -> Option<Place> {
        let (_, origin) = self.properties.get(name)?;
        Some(Place { name: format!("{}.{name}", properties::KEY), origin: *origin })
    }

    /// The typed sections.
    pub(super) fn sections(&self) -> Result<Sections, serde_json::Error> {
        let mut root = Map::new();
        // A setting with only one value has nothing to say to the program.
        for choice in self.choices.iter().filter(|choice| !matches!(choice.setting.kind, Kind::Only { .. })) {
            insert(&mut root, choice.setting.key, choice.value.clone());
        }
        let properties = self.properties.iter().map(|(name, (value, _))| (name.clone(), value.as_str().into()));
        insert(&mut root, properties::KEY, Json::Object(properties.collect()));
        serde_json::from_value(Json::Object(root))
    }

    /// All values as they may be shown.
    pub(super) fn rows(&self) -> Vec<SettingRow> {
        let mut rows = Vec::with_capacity(SETTINGS.len());
        for setting in SETTINGS {
            match self.choices.iter().find(|choice| choice.setting.key == setting.key) {
                Some(choice) => rows.push(SettingRow {
                    key: setting.key.to_owned(),
                    value: choice.shown(),
                    origin: choice.place.origin,
                }),
                None => rows.extend(self.properties.iter().map(|(name, (value, origin))| SettingRow {
                    key: format!("{}.{name}", properties::KEY),
                    value: properties::masked(name, value).to_owned(),
                    origin: *origin,
                })),
            }
        }
        rows
    }
}

impl Choice {
    fn shown(&self) -> String {
        match &self.value {
            Json::String(text) if self.setting.secret && !text.is_empty() => "***".to_owned(),
            Json::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

/// Puts a value where its dotted key belongs.
fn insert(section: &mut Map<String, Json>, key: &str, value: Json) {
    match key.split_once('.') {
        None => drop(section.insert(key.to_owned(), value)),
        Some((name, rest)) => {
            let inner = section.entry(name).or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}
