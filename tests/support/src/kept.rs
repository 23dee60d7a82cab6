//! The `kept` process itself, as a user runs it: a configuration file, a port, signals.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::http::{Response, get};
use crate::process::{Folder, Process, free_port};
use crate::samples::Samples;
use crate::wait::until;

/// How long it may take until it serves.
const READY: Duration = Duration::from_secs(120);
/// How long it may take to end after a signal.
const GRACE: Duration = Duration::from_secs(30);

/// A running `kept run`. Killed when dropped.
#[derive(Debug)]
pub struct Kept {
    process: Process,
    command: Command,
    folder: Folder,
    port: u16,
}

impl Kept {
    /// Starts `binary` (`env!("CARGO_BIN_EXE_kept")`) with this configuration, on a free port.
    pub fn start(binary: &str, config: &str) -> Kept {
        let folder = Folder::new("kept");
        let file = folder.path().join("kept.toml");
        fs::write(&file, config).expect("the folder is writable");
        let port = free_port();
        let mut command = Command::new(binary);
        command.args(["run", "--config"]).arg(&file);
        command.env("KEPT__HTTP__LISTEN", format!("127.0.0.1:{port}"));
        if !config.contains("[state]") {
            let url = format!("file://{}", folder.path().join("state").display());
            command.env("KEPT__STATE__URL", url);
        }
        let process = Process::start(&mut command, &folder.path().join("kept.log"));
        Kept {
            process,
            command,
            folder,
            port,
        }
    }

    /// Starts it again after it has ended: with the same configuration, state and port.
    pub fn restart(&mut self) {
        let log = self.folder.path().join("kept-again.log");
        self.process = Process::start(&mut self.command, &log);
    }

    /// Starts it and waits until it serves its numbers.
    pub fn run(binary: &str, config: &str) -> Kept {
        let mut kept = Kept::start(binary, config);
        kept.await_ready();
        kept
    }

    /// Waits until `/readyz` says yes.
    pub fn await_ready(&mut self) {
        until(READY, "kept is ready", || {
            let ended = self.process.ended();
            assert!(
                ended.is_none(),
                "kept ended with {ended:?}:\n{}",
                self.process.output()
            );
            get(self.port, "/readyz", &[]).is_some_and(|answer| answer.status == 200)
        });
    }

    /// The port it serves on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Asks it for a path.
    #[track_caller]
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        get(self.port, path, headers)
            .unwrap_or_else(|| panic!("no answer to {path}:\n{}", self.process.output()))
    }

    /// Its metrics now.
    #[track_caller]
    pub fn scrape(&self) -> Samples {
        let answer = self.get("/metrics", &[("Accept", "text/plain;version=0.0.4")]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        Samples::parse(&answer.text())
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// Where its files are: `kept.toml`, `kept.log`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process: for its id, for signals.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Asks it to end and waits until it has.
    pub fn terminate(&mut self) -> ExitStatus {
        self.process.terminate();
        self.process.wait(GRACE)
    }

    /// Stops all of its threads where they are (SIGSTOP), until `resume`.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Lets it go on after `pause`.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

/// Runs `binary` to its end with these arguments and this standard input.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs `binary` to its end: for `kept check`, `kept produce`. `input` is a file for its stdin.
pub fn finish(binary: &str, arguments: &[&str], input: Option<&PathBuf>) -> Finished {
    let mut command = Command::new(binary);
    command.args(arguments);
    if let Some(input) = input {
        command.stdin(fs::File::open(input).expect("the input exists"));
    }
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{binary}: {error}"));
    Finished {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
