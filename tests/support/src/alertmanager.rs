//! A real Alertmanager with a configuration as given, alone: no cluster.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::http::get;
use crate::process::{Folder, Process, free_port};
use crate::tools::installed;
use crate::wait::until;

/// How long it may take until it answers.
const READY: Duration = Duration::from_secs(60);

/// A running Alertmanager. Everything of it is gone when it is dropped.
#[derive(Debug)]
pub struct Alertmanager {
    process: Process,
    _folder: Folder,
    port: u16,
}

impl Alertmanager {
    /// Starts it with this configuration file and waits until it answers.
    pub fn start(config: &Path) -> Alertmanager {
        let folder = Folder::new("alertmanager");
        let port = free_port();
        let mut command = Command::new(installed("alertmanager/alertmanager"));
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .current_dir(folder.path());
        let process = Process::start(&mut command, &folder.path().join("alertmanager.log"));
        let mut alertmanager = Alertmanager {
            process,
            _folder: folder,
            port,
        };
        until(READY, "Alertmanager answers", || alertmanager.answers());
        alertmanager
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn answers(&mut self) -> bool {
        let ended = self.process.ended();
        assert!(
            ended.is_none(),
            "Alertmanager ended:\n{}",
            self.process.output()
        );
        get(self.port, "/-/ready", &[]).is_some_and(|answer| answer.status == 200)
    }
}
