//! Running tools, reading YAML, and broken copies of what is checked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::{Folder, installed};

/// The top of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program under test.
pub const KEPT: &str = env!("CARGO_BIN_EXE_kept");

/// Runs a program: its standard output, or all it says when it fails.
pub fn run(command: &mut Command) -> Result<String, String> {
    let done = command.output();
    let done = done.unwrap_or_else(|error| panic!("{command:?} can't be started: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if done.status.success() {
        return Ok(text(&done.stdout));
    }
    let code = done.status.code();
    Err(text(&done.stdout) + &text(&done.stderr) + &format!("\nexit code {code:?}"))
}

/// A tool that `tests/install` put there, to be run.
pub fn tool(path: &str) -> Command {
    Command::new(installed(path))
}

/// A text of the repository.
#[track_caller]
pub fn read(path: &str) -> String {
    let text = fs::read_to_string(root().join(path));
    text.unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All documents of a YAML text.
#[track_caller]
pub fn yaml(text: &str) -> Vec<Value> {
    let folder = Folder::new("yaml");
    let file = folder.path().join("text.yml");
    fs::write(&file, text).expect("the temporary folder is writable");
    let script = "import json, sys, yaml\n\
                  json.dump(list(yaml.safe_load_all(open(sys.argv[1]))), sys.stdout)";
    let json = run(tool("python/bin/python").args(["-c", script]).arg(&file));
    let json = json.unwrap_or_else(|said| panic!("not YAML: {said}\n{text}"));
    let documents: Value = serde_json::from_str(&json).expect("Python writes JSON");
    documents.as_array().expect("a list").clone()
}

/// A copy of a file or folder of the repository, in a folder of its own, with one text replaced in
/// one file of it (`file` below the folder, or nothing when it is a file).
pub struct Broken {
    _folder: Folder,
    /// Where the copy is.
    pub path: PathBuf,
}

impl Broken {
    /// See the type. A text that isn't there would break nothing: that is a failure.
    #[track_caller]
    pub fn new(what: &str, file: &str, from: &str, to: &str) -> Broken {
        let folder = Folder::new("broken");
        let path = folder.path().join(what);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("it is writable");
        copy(&root().join(what), &path);
        let edited = if file.is_empty() {
            path.clone()
        } else {
            path.join(file)
        };
        let text = fs::read_to_string(&edited).expect("it was copied");
        assert!(text.contains(from), "{what}/{file} has no {from:?}");
        fs::write(&edited, text.replace(from, to)).expect("it is writable");
        Broken {
            _folder: folder,
            path,
        }
    }
}

/// Copies a file, or a folder with all below it.
pub fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        return;
    }
    fs::create_dir_all(to).expect("the temporary folder is writable");
    for entry in fs::read_dir(from).expect("a folder can be listed") {
        let entry = entry.expect("a folder can be listed");
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

/// The texts of a JSON list.
#[track_caller]
pub fn texts(list: &Value) -> Vec<&str> {
    let list = list.as_array();
    let list = list.expect("a list");
    list.iter()
        .map(|item| item.as_str().expect("a text"))
        .collect()
}

/// The members of a JSON object.
#[track_caller]
pub fn members(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().expect("an object").iter()
}
