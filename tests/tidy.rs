//! The house rules that a machine can check, on every Rust file of the repository.
#![allow(clippy::disallowed_methods, reason = "the sources are files")]

use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;

/// A rule: what it finds in one file, as lines for the report.
type Rule = fn(&Path, &str) -> Vec<String>;

#[test]
fn every_file_says_what_it_is_about() {
    check(|_, text| {
        let opens = text.starts_with("//! ");
        if opens {
            vec![]
        } else {
            vec!["does not open with //!".into()]
        }
    });
}

#[test]
fn no_file_is_too_long() {
    check(|_, text| {
        let lines = text.lines().count();
        if lines <= FILE_LINES {
            vec![]
        } else {
            vec![format!("has {lines} lines")]
        }
    });
}

#[test]
fn no_function_is_too_long() {
    check(|_, text| long_functions(text));
}

#[test]
fn nothing_is_left_unfinished() {
    check(|_, text| {
        // Put together so that this file does not find itself.
        let mut words: Vec<String> = ["todo", "unimplemented", "dbg"]
            .map(|word| format!("{word}!("))
            .into();
        words.extend([format!("FIX{}", "ME"), format!("#[{}", "ignore")]);
        words.push(format!("allow({}_code)", "dead"));
        lines_with(text, |line| {
            words.iter().any(|word| line.contains(word.as_str()))
        })
    });
}

#[test]
fn tests_wait_for_events() {
    check(|path, text| {
        let is_test = path.components().any(|part| part.as_os_str() == "tests");
        let is_support = path.starts_with("tests/support");
        let sleep = format!("{}::{}(", "thread", "sleep");
        if is_test && !is_support {
            lines_with(text, |line| line.contains(&sleep))
        } else {
            vec![]
        }
    });
}

#[test]
fn no_path_of_one_machine_is_written_down() {
    let mut problems = Vec::new();
    let needles = ["home", "root", "work", "Users"].map(|folder| format!("/{folder}/"));
    for file in text_files() {
        let Ok(text) = fs::read_to_string(root().join(&file)) else {
            continue;
        };
        let found = lines_with(&text, |line| {
            let mut words = line.split(|c: char| c.is_whitespace() || "\"'`(=".contains(c));
            words.any(|word| {
                needles
                    .iter()
                    .any(|needle| word.starts_with(needle.as_str()))
            })
        });
        problems.extend(
            found
                .iter()
                .map(|problem| format!("{}: {problem}", file.display())),
        );
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// Applies the rule to every Rust file.
#[track_caller]
fn check(rule: Rule) {
    let files: Vec<PathBuf> = text_files()
        .into_iter()
        .filter(|file| file.extension().is_some_and(|e| e == "rs"))
        .collect();
    assert!(files.len() > 20, "the files are found");
    let mut problems = Vec::new();
    for file in files {
        let text = fs::read_to_string(root().join(&file)).expect("a Rust file is text");
        let found = rule(&file, &text);
        problems.extend(
            found
                .iter()
                .map(|problem| format!("{}: {problem}", file.display())),
        );
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

fn lines_with(text: &str, found: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = text.lines().enumerate().filter(|(_, line)| found(line));
    lines
        .map(|(index, line)| format!("line {}: {}", index + 1, line.trim()))
        .collect()
}

/// Functions by rustfmt's layout: from the line with `fn` to the brace of the same indent.
fn long_functions(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut problems = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let declared = code
            .trim_start_matches("pub ")
            .trim_start_matches("pub(crate) ");
        let declared = declared
            .trim_start_matches("pub(super) ")
            .trim_start_matches("const ");
        let declared = declared
            .trim_start_matches("async ")
            .trim_start_matches("unsafe ");
        if !declared.starts_with("fn ") || code.ends_with(';') || code.ends_with('}') {
            continue;
        }
        let close = format!("{}}}", &line[..line.len() - code.len()]);
        let length = lines[start..]
            .iter()
            .position(|end| *end == close)
            .map_or(0, |at| at + 1);
        if length > FUNCTION_LINES {
            problems.push(format!("line {}: {} lines: {declared}", start + 1, length));
        }
    }
    problems
}

#[test]
fn a_long_function_is_seen() {
    let body = "    x();\n".repeat(FUNCTION_LINES);
    assert_eq!(
        long_functions(&format!("pub fn long() {{\n{body}}}\n")).len(),
        1
    );
    assert_eq!(long_functions("fn short() {\n    x();\n}\n").len(), 0);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of the repository that could be text, relative to its root.
fn text_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root().join(&folder)).expect("the folder can be read");
        for entry in entries.map(|entry| entry.expect("the folder can be read")) {
            let path = folder.join(entry.file_name());
            let is_folder = entry.file_type().expect("it has a type").is_dir();
            let skipped = path.starts_with("target") || path.starts_with(".git");
            match (skipped, is_folder) {
                (true, _) => {}
                (false, true) => folders.push(path),
                (false, false) => files.push(path),
            }
        }
    }
    files.sort();
    files
}
