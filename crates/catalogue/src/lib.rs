//! From definitions in TOML to a validated plan. Pure: texts in, settings and a `Plan` out, or all
//! problems at once, each with file, line, column and how to mend it.

mod client;
mod definition;
mod problem;
mod text;

pub mod canonical;
pub mod metrics;
pub mod packs;
pub mod plan;
pub mod settings;

pub use plan::Plan;
pub use problem::Problem;
pub use settings::Settings;

use definition::{Definitions, Frame};
use problem::{Problems, suggestion};
use text::section::{Section, Sited};
use text::tree::Table;
use text::{environment, tree};

/// A file that the configuration names: a catalogue file or a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileText {
    /// As the configuration has it.
    pub name: String,
    /// How messages call it, such as the path from where the program runs.
    pub path: String,
    /// Its text, or why it can't be read.
    pub text: Result<String, String>,
}

/// Everything that is read.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// How messages call the configuration file.
    pub path: &'a str,
    /// The configuration file's text.
    pub text: &'a str,
    /// Environment variables as (name, value); those that don't begin with `KEPT__` are ignored.
    pub environment: &'a [(String, String)],
    /// The files that `wanted_files` named.
    pub files: &'a [FileText],
}

/// The files that `read` will want, as the configuration names them: catalogue files and secrets.
/// Says nothing about problems; `read` does.
pub fn wanted_files(text: &str, variables: &[(String, String)]) -> Vec<String> {
    let problems = Problems::default();
    let document = document("", text, variables, &problems);
    let root = Section::new(&document, "", &[], &problems);
    let inner = |table: Option<&Table>, key: &str| {
        table.and_then(|table| Section::new(table, "", &[], &problems).table(key).cloned())
    };
    let files = root.table("catalogue").and_then(|table| {
        Section::new(table, "", &[], &problems)
            .texts("files")
            .map(|list| list.value)
    });
    let mut names: Vec<String> = files
        .into_iter()
        .flatten()
        .map(|file: Sited<String>| file.value)
        .collect();
    names.extend(client::secret_files(
        inner(root.table("kafka"), "client").as_ref(),
    ));
    names
}

/// Reads the configuration and all catalogue files; every problem of all of them at once.
pub fn read(sources: &Sources<'_>) -> Result<(Settings, Plan), Vec<Problem>> {
    let problems = Problems::default();
    let document = document(sources.path, sources.text, sources.environment, &problems);
    let read = settings::read(&document, sources.files, &problems);
    let mut from_packs = Definitions::default();
    for pack in &read.packs {
        let Some((name, text)) = packs::PACKS.iter().find(|(name, _)| *name == pack.value) else {
            let names = packs::PACKS.map(|(name, _)| name);
            let hint = suggestion(&pack.value, &names);
            problems.add(
                &pack.place,
                format!("there is no pack \"{}\"{hint}", pack.value),
            );
            continue;
        };
        from_packs.add(
            &tree::parse(&format!("pack {name}"), text, &problems),
            &problems,
        );
    }
    let mut from_files = Definitions::default();
    for file in &read.files {
        let text = client::content(sources.files, &file.value, &file.place, &problems);
        let shown = sources.files.iter().find(|known| known.name == file.value);
        if let Some((text, shown)) = text.zip(shown) {
            from_files.add(&tree::parse(&shown.path, text, &problems), &problems);
        }
    }
    let settings::Read {
        settings,
        namespace,
        time,
        limits,
        topics,
        ..
    } = read;
    let frame = Frame {
        namespace,
        time,
        limits,
        topics,
    };
    let plan = definition::plan(frame, &from_packs.overlaid_with(from_files), &problems);
    let problems = problems.into_sorted();
    if problems.is_empty() {
        Ok((settings, plan))
    } else {
        Err(problems)
    }
}

fn document(path: &str, text: &str, variables: &[(String, String)], problems: &Problems) -> Table {
    let mut document = tree::parse(path, text, problems);
    environment::overlay(&mut document, variables, problems);
    document
}
