//! Reads the configuration from where it lies: files and the environment. What it means, and what
//! is wrong with it, is the pure crate's business.
//!
//! Paths inside the configuration are taken from its own folder.

use std::env;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use catalogue::{FileText, Plan, Problem, Settings, Sources, wanted_files};

/// Reads everything; all problems of all files at once.
pub fn load(config: &Path) -> Result<(Settings, Plan), Vec<Problem>> {
    load_with(config, &environment())
}

/// As `load`, with these environment variables as (name, value).
pub fn load_with(
    config: &Path,
    environment: &[(String, String)],
) -> Result<(Settings, Plan), Vec<Problem>> {
    let path = config.display().to_string();
    let text = fs::read_to_string(config).map_err(|error| {
        let message = unreadable(&error);
        vec![Problem {
            path: path.clone(),
            line: 0,
            column: 0,
            message,
        }]
    })?;
    let folder = config.parent().unwrap_or(Path::new(""));
    let files: Vec<FileText> = wanted_files(&text, environment)
        .into_iter()
        .map(|name| {
            let path = folder.join(&name);
            let text = fs::read_to_string(&path).map_err(|error| error.to_string());
            FileText {
                name,
                path: path.display().to_string(),
                text,
            }
        })
        .collect();
    let sources = Sources {
        path: &path,
        text: &text,
        environment,
        files: &files,
    };
    catalogue::read_for(&sources, &kafka::properties::RULES)
}

/// Why there is no configuration, and a way on where there is no such file.
fn unreadable(error: &io::Error) -> String {
    let message = format!("can't read the configuration: {error}");
    match error.kind() {
        ErrorKind::NotFound => format!(
            "{message}. Name yours by --config FILE. The least that one needs is\n\n\
             [kafka]\nbrokers = \"localhost:9092\"\ntopic = [{{ name = \"shop.events\" }}]\n\
             [catalogue]\npacks = [\"promise\", \"cart\"]\n\n\
             `kept check` then says what is wrong with it; `kept demo` shows Kept without any"
        ),
        _ => message,
    }
}

/// The variables that are text; ours are, or they are reported as unknown keys.
fn environment() -> Vec<(String, String)> {
    let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
    env::vars_os()
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of its own for each test, gone at the end.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str, files: &[(&str, &str)]) -> Folder {
            let folder = env::temp_dir().join(format!("kept-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).expect("the temporary folder can be written");
            for (name, text) in files {
                fs::write(folder.join(name), text).expect("the temporary folder can be written");
            }
            Folder(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const KAFKA: &str = "[kafka]\nbrokers = \"one:9092\"\ntopic = [{ name = \"events\" }]\n";

    #[test]
    fn files_are_read_from_the_folder_of_the_configuration() {
        let text = format!(
            "{KAFKA}client.\"sasl.password_file\" = \"secret\"\n[catalogue]\nfiles = [\"kpis.toml\"]"
        );
        let kpis = "[kpi.orders]\nkind = \"count\"\nhelp = \"Orders\"\nevent = \"order.placed\"";
        let files = [
            ("kept.toml", text.as_str()),
            ("secret", " s3cret\n"),
            ("kpis.toml", kpis),
        ];
        let folder = Folder::new("files", &files);
        let (settings, plan) = load_with(&folder.0.join("kept.toml"), &[]).expect("all is well");
        let password = ("sasl.password".to_owned(), "s3cret".to_owned());
        assert_eq!(settings.kafka.client, [password]);
        assert_eq!(plan.kpis.len(), 1);
    }

    #[test]
    fn a_missing_file_is_a_problem_where_it_is_named() {
        let text = format!("{KAFKA}[catalogue]\nfiles = [\"none.toml\"]");
        let folder = Folder::new("missing", &[("kept.toml", &text)]);
        let problems = load_with(&folder.0.join("kept.toml"), &[]).expect_err("a file is missing");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!((problems[0].line, problems[0].column), (5, 10));
        assert!(problems[0].message.contains("none.toml"), "{problems:?}");
    }

    #[test]
    fn a_missing_configuration_is_a_problem_with_a_way_on() {
        let folder = Folder::new("nothing", &[]);
        let missing = folder.0.join("kept.toml");
        let problems = load_with(&missing, &[]).expect_err("it isn't there");
        let text = problems[0].to_string();
        for part in ["can't read the configuration", "--config FILE", "kept demo"] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
        let parts: Vec<&str> = text.split("\n\n").collect();
        fs::write(&missing, parts[1]).expect("the temporary folder can be written");
        let (_, plan) = load_with(&missing, &[]).expect("the example is good");
        assert!(!plan.kpis.is_empty());
    }

    #[test]
    fn one_that_can_not_be_read_says_why_and_no_more() {
        let folder = Folder::new("folder", &[]);
        let problems = load_with(&folder.0, &[]).expect_err("a folder is no file");
        let text = problems[0].to_string();
        assert!(text.contains("can't read the configuration"), "{text}");
        assert!(!text.contains("kept demo"), "{text}");
    }
}
