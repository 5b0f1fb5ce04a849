//! `config/application.yml` and `docs/configuration.md` are generated from the table of settings. After changing the
//! table: `UPDATE_REFERENCE=1 cargo test -p ctr-pipeline --test config_reference`.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps; clippy knows only functions marked as tests")]

use std::fmt::Write as _;

use ctr_pipeline::config::{SECTIONS, SETTINGS, Setting, commented};

mod reference;

use reference::up_to_date;

#[test]
fn the_commented_file_is_up_to_date() {
    up_to_date("config/application.yml", &commented::defaults());
}

#[test]
fn the_table_in_the_documentation_is_up_to_date() {
    up_to_date("docs/configuration.md", &documentation());
}

fn of_section(section: &str) -> impl Iterator<Item = (&'static Setting, &'static str)> {
    let prefix = format!("{section}.");
    SETTINGS.iter().filter_map(move |setting| Some((setting, setting.key.strip_prefix(&prefix)?)))
}

fn documentation() -> String {
    let mut page = String::from(
        "# Configuration of ctr-pipeline\n\n\
         Generated from `crates/ctr-pipeline/src/config/settings.rs`; do not edit by hand.\n\n\
         `ctr-pipeline run --config FILE` reads a YAML file; without `--config` it reads `config/application.yml` if that exists. \
         A setting that the file leaves out has its default, and an environment variable overrides the file. An empty variable is \
         ignored. Unknown keys, wrong types, values out of range and settings that contradict each other are refused, all of them \
         in one message, with exit code 2. `ctr-pipeline config` prints the values in force and where each comes from, as a usable file; secrets are left out.\n\n\
         The keys of the original's `application.yml` are accepted: `ctr.job.impression-topic`, `ctr.job.click-topic` and \
         `ctr.job.group-id` are aliases of `kafka.topics.impression`, `kafka.topics.click` and `kafka.group-id`. A `jdbc:` URL, \
         `clickhouse.driver` and a folder as `ctr.job.checkpoint-storage` are refused, and the message says what to write instead.\n",
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
