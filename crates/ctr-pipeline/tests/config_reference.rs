//! `config/application.yml` and `docs/configuration.md` are written from the table of settings. After a change of the table:
//! `UPDATE_REFERENCE=1 cargo test -p ctr-pipeline --test config_reference`.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps; clippy knows only functions marked as tests")]

use std::fmt::Write as _;

use ctr_pipeline::config::{Kind, SECTIONS, SETTINGS, Setting};

mod reference;

use reference::up_to_date;

const COLUMNS: usize = 118;

#[test]
fn the_commented_file_is_up_to_date() {
    up_to_date("config/application.yml", &commented_file());
}

#[test]
fn the_table_in_the_documentation_is_up_to_date() {
    up_to_date("docs/configuration.md", &documentation());
}

fn of_section(section: &str) -> impl Iterator<Item = (&'static Setting, &'static str)> {
    let prefix = format!("{section}.");
    SETTINGS.iter().filter_map(move |setting| Some((setting, setting.key.strip_prefix(&prefix)?)))
}

fn commented_file() -> String {
    let mut file = String::from(
        "# Settings of ctr-pipeline, with their defaults: a file that says only what differs does as well, and so does none.\n\
         # A variable in the environment, the key in upper case with underscores, goes before the file\n\
         # (ctr.job.checkpoint-interval: CTR_JOB_CHECKPOINT_INTERVAL); an empty one does not count.\n\
         # `ctr-pipeline check` says what is in force. Written from the table of settings, like docs/configuration.md.\n",
    );
    for (section, about) in SECTIONS {
        file.push('\n');
        let mut indent = String::new();
        comment(&mut file, "", about);
        for name in section.split('.') {
            writeln!(file, "{indent}{name}:").unwrap();
            indent.push_str("  ");
        }
        let mut open_group = "";
        for (setting, name) in of_section(section) {
            let (group, name) = name.split_once('.').unwrap_or(("", name));
            if group != open_group {
                open_group = group;
                if !group.is_empty() {
                    writeln!(file, "{indent}{group}:").unwrap();
                }
            }
            let indent = if group.is_empty() { indent.clone() } else { format!("{indent}  ") };
            comment(&mut file, &indent, setting.doc);
            comment(&mut file, &indent, &range(setting));
            writeln!(file, "{indent}{name}: {}", literal(setting)).unwrap();
        }
    }
    file
}

fn comment(file: &mut String, indent: &str, text: &str) {
    let mut line = format!("{indent}#");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > COLUMNS {
            writeln!(file, "{line}").unwrap();
            line = format!("{indent}#");
        }
        line.push(' ');
        line.push_str(word);
    }
    writeln!(file, "{line}").unwrap();
}

/// The line below what a setting does: what it takes, and its default.
fn range(setting: &Setting) -> String {
    let default = if setting.default.is_empty() { "empty" } else { setting.default };
    match setting.kind {
        Kind::Integer { min, max, unit: "" } => format!("{min} to {max}; default {default}"),
        Kind::Integer { min, max, unit } => format!("{min} to {max} {unit}; default {default}"),
        Kind::Only { value, because } => format!("only {value}: {because}"),
        kind => format!("{}; default {default}", kind.expects()),
    }
}

fn literal(setting: &Setting) -> String {
    match setting.kind {
        Kind::Properties => "{}".to_owned(),
        _ if setting.default.is_empty() => "\"\"".to_owned(),
        // A bare `off` is a boolean to many readers of YAML.
        _ if setting.default == "off" => "\"off\"".to_owned(),
        _ => setting.default.to_owned(),
    }
}

fn documentation() -> String {
    let mut page = String::from(
        "# Configuration of ctr-pipeline\n\n\
         Written from the table of settings in `crates/ctr-pipeline/src/config/settings.rs`; do not edit by hand.\n\n\
         `ctr-pipeline run --config FILE` reads a YAML file; without `--config` it reads `config/application.yml` if that exists. \
         What the file leaves out has its default, and an environment variable goes before the file. An empty variable does not \
         count. Unknown keys, wrong types, values out of range and settings that contradict each other are refused, all of them \
         in one message, with exit code 2. `ctr-pipeline check` says what is in force and where it comes from; secrets are masked.\n\n\
         The keys of the original's `application.yml` are understood: `ctr.job.impression-topic`, `ctr.job.click-topic` and \
         `ctr.job.group-id` are other names of `kafka.topics.impression`, `kafka.topics.click` and `kafka.group-id`. A `jdbc:` URL, \
         `clickhouse.driver` and a folder as `ctr.job.checkpoint-storage` are refused with what to write instead.\n",
    );
    for (section, about) in SECTIONS {
        write!(page, "\n## {section}\n\n{about}\n\n").unwrap();
        page.push_str("| setting | environment | takes | default | what it does |\n|---|---|---|---|---|\n");
        for (setting, name) in of_section(section) {
            let default = if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) };
            let (variable, takes) = (setting.variable(), setting.kind.expects());
            let secret = if setting.secret { " Never shown." } else { "" };
            writeln!(page, "| `{name}` | `{variable}` | {takes} | {default} | {}{secret} |", setting.doc).unwrap();
        }
    }
    page
}
