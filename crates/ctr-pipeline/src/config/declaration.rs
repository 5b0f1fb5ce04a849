//! How a setting is declared: one line in [`settings`](super::settings) produces its table row and its typed field.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ctr_domain::timestamp;

use super::layers::Layers;
use super::properties::Properties;
use super::text::{EVENT_TIME, FOLDER, INSTANCE_ID, PASSWORD, TextRule};
use super::value::{Fixed, Kind, Secret, Setting, Word};

/// A setting and the function that reads its field. The field's type must be the declared type, or it does not compile.
pub(super) struct Declared<T> {
    setting: Setting,
    read: fn(&mut Layers<'_>, &Setting) -> T,
}

impl<T> Declared<T> {
    pub(super) const fn documented(&self, doc: &'static str) -> Setting {
        Setting { doc: doc.trim_ascii(), ..self.setting }
    }

    pub(super) fn read(&self, layers: &mut Layers<'_>) -> T {
        (self.read)(layers, &self.setting)
    }
}

/// Declares all sections. The comment of a field is the help text of its setting, the comment of a section its
/// introduction.
macro_rules! settings {
    ($(
        $(#[doc = $about:literal])+
        $Section:ident $(with $group:ident: $Group:ident)? {
            $($(#[doc = $doc:literal])+ $field:ident: $Type:ty = $declaration:expr;)+
        }
    )+) => {
        /// All settings, in the order of the file.
        pub const SETTINGS: &[Setting] =
            &[$($(Declared::<$Type>::documented(&$declaration, concat!($($doc),+)),)+)+];

        $(
            $(#[doc = $about])+
            #[derive(Debug, Clone)]
            pub struct $Section {
                $($(#[doc = $doc])+ pub $field: $Type,)+
                $(#[doc = concat!("See [`", stringify!($Group), "`].")] pub $group: $Group,)?
            }

            impl $Section {
                /// The subject of the section.
                pub const ABOUT: &str = concat!($($about),+).trim_ascii();

                /// Reads every setting of the section from the layers.
                pub(in crate::config) fn read(layers: &mut Layers<'_>) -> Self {
                    Self {
                        $($field: Declared::<$Type>::read(&const { $declaration }, layers),)+
                        $($group: $Group::read(layers),)?
                    }
                }
            }
        )+
    };
}

/// Declares the values of a choice. The first one is the default.
macro_rules! words {
    ($(
        $(#[$about:meta])+
        $Name:ident {
            $(#[$doc:meta])+ $First:ident = $first:literal,
            $($(#[$docs:meta])+ $Other:ident = $other:literal,)+
        }
    )+) => {$(
        $(#[$about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub enum $Name {
            #[default] $(#[$doc])+ $First,
            $($(#[$docs])+ $Other,)+
        }

        impl Word for $Name {
            const WORDS: &[&str] = &[$first, $($other),+];

            fn of(word: &str) -> Option<Self> {
                match word {
                    $first => Some(Self::$First),
                    $($other => Some(Self::$Other),)+
                    _ => None,
                }
            }
        }
    )+};
}

pub(super) use {settings, words};

const fn setting(key: &'static str, kind: Kind, default: &'static str) -> Setting {
    Setting { key, kind, default, doc: "", secret: false }
}

/// A whole number; a default out of range is a compile error.
const fn integer(key: &'static str, (min, max): (i64, i64), unit: &'static str, default: &'static str) -> Setting {
    let is_in_range = matches!(i64::from_str_radix(default, 10), Ok(number) if min <= number && number <= max);
    assert!(is_in_range, "the default is out of range");
    setting(key, Kind::Integer { min, max, unit }, default)
}

pub(super) const fn count<T: FromStr + Default>(
    key: &'static str,
    range: (i64, i64),
    unit: &'static str,
    default: &'static str,
) -> Declared<T> {
    let setting = integer(key, range, unit, default);
    Declared { setting, read: |layers, setting| layers.take(setting, |text| text.parse().ok()) }
}

/// A size in mebibytes, as bytes.
pub(super) const fn mebibytes(key: &'static str, range: (i64, i64), default: &'static str) -> Declared<u64> {
    let setting = integer(key, range, "MiB", default);
    Declared { setting, read: |layers, setting| layers.take(setting, |text| Some(text.parse::<u64>().ok()? << 20)) }
}

/// A duration of wall time in milliseconds.
pub(super) const fn ms(key: &'static str, range: (i64, i64), default: &'static str) -> Declared<Duration> {
    let setting = integer(key, range, "ms", default);
    Declared {
        setting,
        read: |layers, setting| layers.take(setting, |text| text.parse().ok().map(Duration::from_millis)),
    }
}

/// A duration that is compared with event times.
pub(super) const fn event_ms(key: &'static str, range: (i64, i64), default: &'static str) -> Declared<i64> {
    count(key, range, "ms", default)
}

/// A point in event time, as epoch milliseconds.
pub(super) const fn event_time(key: &'static str, default: &'static str) -> Declared<i64> {
    let setting = setting(key, Kind::Text(EVENT_TIME), default);
    Declared { setting, read: |layers, setting| layers.take(setting, |text| timestamp::parse_text(text).ok()) }
}

pub(super) const fn flag(key: &'static str, default: &'static str) -> Declared<bool> {
    let setting = setting(key, Kind::Boolean, default);
    Declared { setting, read: |layers, setting| layers.take(setting, |text| text.parse().ok()) }
}

pub(super) const fn choice<T: Word>(key: &'static str) -> Declared<T> {
    let setting = setting(key, Kind::Choice(T::WORDS), T::WORDS[0]);
    Declared { setting, read: |layers, setting| layers.take(setting, T::of) }
}

/// A setting of the original that accepts only one value here.
pub(super) const fn only(key: &'static str, value: &'static str, because: &'static str) -> Declared<Fixed> {
    let setting = setting(key, Kind::Only { value, because }, value);
    Declared { setting, read: |layers, setting| layers.take(setting, |_| Some(Fixed)) }
}

pub(super) const fn text(key: &'static str, rule: TextRule, default: &'static str) -> Declared<String> {
    let setting = setting(key, Kind::Text(rule), default);
    Declared { setting, read: |layers, setting| layers.take(setting, |text| Some(text.to_owned())) }
}

/// The name of the process; the host name by default.
pub(super) const fn instance_id(key: &'static str) -> Declared<String> {
    let setting = setting(key, Kind::Text(INSTANCE_ID), "");
    Declared { setting, read: |layers, setting| layers.instance_id(setting) }
}

pub(super) const fn secret(key: &'static str) -> Declared<Secret> {
    let setting = Setting { secret: true, ..setting(key, Kind::Text(PASSWORD), "") };
    Declared { setting, read: |layers, setting| layers.take(setting, |text| Some(Secret::new(text))) }
}

pub(super) const fn folder(key: &'static str, default: &'static str) -> Declared<Option<PathBuf>> {
    let setting = setting(key, Kind::Text(FOLDER), default);
    Declared {
        setting,
        read: |layers, setting| layers.take(setting, |text| Some((!text.is_empty()).then(|| text.into()))),
    }
}

pub(super) const fn properties(key: &'static str) -> Declared<Properties> {
    let setting = setting(key, Kind::Properties, "");
    Declared { setting, read: |layers, setting| layers.properties(setting) }
}
