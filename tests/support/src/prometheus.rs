//! A real Prometheus: one that scrapes a target every second, or one with a configuration as given.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::http::{Response, get};
use crate::process::{Folder, Process, free_port};
use crate::tools::installed;
use crate::wait::until;

/// How long it may take until it answers.
const READY: Duration = Duration::from_secs(60);

/// A running Prometheus. Everything of it is gone when it is dropped.
#[derive(Debug)]
pub struct Prometheus {
    process: Process,
    _folder: Folder,
    port: u16,
}

impl Prometheus {
    /// Starts it, scraping `127.0.0.1:target` as job `kept`, and waits until it answers.
    pub fn start(target: u16) -> Prometheus {
        Prometheus::start_with(&one_target(target, ""))
    }

    /// The same with native histograms beside the classic ones, which it asks protobuf for, and with
    /// zeros stored where created timestamps say that counting began.
    pub fn start_native(target: u16) -> Prometheus {
        let native = "  scrape_native_histograms: true\n  always_scrape_classic_histograms: true\n";
        let zeros = "--enable-feature=created-timestamp-zero-ingestion";
        Prometheus::start_flagged(&one_target(target, native), &[zeros])
    }

    /// Starts it with this configuration and waits until it answers.
    pub fn start_with(config: &str) -> Prometheus {
        Prometheus::start_flagged(config, &[])
    }

    /// Likewise; it remembers these samples, a text in the format of OpenMetrics.
    pub fn start_with_past(config: &str, samples: &str) -> Prometheus {
        let folder = Folder::new("prometheus");
        let file = folder.path().join("past.txt");
        fs::write(&file, samples).expect("the folder is writable");
        let mut command = Command::new(installed("prometheus/promtool"));
        command.args(["tsdb", "create-blocks-from", "openmetrics"]);
        command.arg(&file).arg(folder.path().join("data"));
        let output = command.output().expect("promtool can be started");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        Prometheus::start_in(folder, config, &[])
    }

    fn start_flagged(config: &str, flags: &[&str]) -> Prometheus {
        Prometheus::start_in(Folder::new("prometheus"), config, flags)
    }

    fn start_in(folder: Folder, config: &str, flags: &[&str]) -> Prometheus {
        let port = free_port();
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, config).expect("the folder is writable");
        let mut command = Command::new(program());
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .args(flags)
            .current_dir(folder.path());
        let process = Process::start(&mut command, &folder.path().join("prometheus.log"));
        let mut prometheus = Prometheus {
            process,
            _folder: folder,
            port,
        };
        prometheus.await_ready();
        prometheus
    }

    fn await_ready(&mut self) {
        until(READY, "Prometheus answers", || {
            let ended = self.process.ended();
            assert!(
                ended.is_none(),
                "Prometheus ended:\n{}",
                self.process.output()
            );
            get(self.port, "/-/ready", &[]).is_some_and(|answer| answer.status == 200)
        });
    }

    /// What it wrote to its log so far.
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// The answer of the HTTP API to an instant query, as JSON text.
    #[track_caller]
    pub fn query(&self, expression: &str) -> String {
        let answer = self.ask("/api/v1/query", &[("query", expression)]);
        assert_eq!(answer.status, 200, "{expression}: {}", answer.text());
        answer.text()
    }

    /// What a path of the HTTP API answers to these parameters.
    #[track_caller]
    pub fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Response {
        let parameters: Vec<String> = parameters
            .iter()
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        let path = format!("{path}?{}", parameters.join("&"));
        get(self.port, &path, &[]).expect("Prometheus answers")
    }

    /// The one value of an instant query's answer; `None` when it is empty.
    #[track_caller]
    pub fn value(&self, expression: &str) -> Option<f64> {
        let answer = self.query(expression);
        assert!(
            answer.matches("\"value\":").count() <= 1,
            "{expression}: more than one: {answer}"
        );
        // `"value":[1700000000.1,"42"]`: the second member.
        let (_, after) = answer.split_once("\"value\":[")?;
        let (value, _) = after.split_once(']')?;
        value.split_once(',')?.1.trim_matches('"').parse().ok()
    }
}

/// A configuration that scrapes `127.0.0.1:target` every second; `global`: more lines of that section.
fn one_target(target: u16, global: &str) -> String {
    format!(
        "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\n{global}\
         scrape_configs:\n  - job_name: kept\n    static_configs:\n      \
         - targets: [\"127.0.0.1:{target}\"]\n"
    )
}

/// Percent-encodes all but the plainest characters.
fn encode(text: &str) -> String {
    let encode_byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode_byte).collect()
}

/// Of the version that the tests are about.
fn program() -> PathBuf {
    installed("prometheus/prometheus")
}
