//! `kept run` as a process of its own: this very binary, a configuration in a temporary folder, a
//! state folder that outlives the process, and the signals that end it.
//!
//! Never left behind: a service that is dropped is killed, a folder that is dropped is removed.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use catalogue::Plan;

use super::scrape::{Readiness, readiness, scrape};
use super::work;

/// How long a service may take to be ready, or to end after a signal.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The name of the catalogue's one file, as `work::read` has it.
const KPIS_FILE: &str = "kpis";
/// How much of a log an error shows, in lines.
const LOG_LINES: usize = 12;

/// A count and a promise by two dimensions: with the orders of `orders`, more than 10,000 series.
pub const KPIS: &str = r#"
[kpi.placed]
kind = "count"
help = "Orders placed"
event = "order.placed"
by = ["region", "channel"]
[kpi.fulfilment]
kind = "promise"
help = "From purchase to fulfilment"
start = { type = "order.placed", key = "order_id" }
end = { type = "order.fulfilled", key = "order_id" }
within = "60s"
objective = 0.95
by = ["region", "channel"]
"#;

/// A folder among the temporary files.
pub struct Folder(PathBuf);

impl Folder {
    /// A new one; `name` is for people who look there.
    pub fn new(name: &str) -> anyhow::Result<Folder> {
        let path = std::env::temp_dir().join(format!("kept-bench-{name}-{}", std::process::id()));
        // Left over from a process of the same number that was killed: its state is not ours.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).with_context(|| format!("can't make {}", path.display()))?;
        Ok(Folder(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where the snapshots go, as `[state] url` has it.
    pub fn state_url(&self) -> String {
        format!("file://{}", self.0.join("state").display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What can't be removed is the system's to clear away.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How a service is configured.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The broker.
    pub brokers: String,
    /// The topic, which the group is called after.
    pub topic: String,
    /// Threads.
    pub workers: usize,
    /// Settings for librdkafka.
    pub client: Vec<(String, String)>,
    /// Where snapshots go.
    pub state_url: String,
}

impl Configuration {
    fn text(&self, listen: SocketAddr) -> String {
        let Configuration {
            brokers,
            topic,
            workers,
            client,
            state_url,
        } = self;
        let client = client.iter();
        let client: String = client
            .map(|(name, value)| format!("\"{name}\" = \"{value}\"\n"))
            .collect();
        format!(
            "[kafka]\nbrokers = \"{brokers}\"\ngroup = \"{topic}\"\nstart = \"earliest\"\n\
             workers = {workers}\n[[kafka.topic]]\nname = \"{topic}\"\nkey = \"order_id\"\n\
             [kafka.client]\n{client}[state]\nurl = \"{state_url}\"\n[http]\nlisten = \"{listen}\"\n\
             [catalogue]\nfiles = [\"{KPIS_FILE}\"]\n"
        )
    }

    /// The plan that a service with this configuration has.
    pub fn plan(&self) -> anyhow::Result<Plan> {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Ok(work::read(&self.text(listen), KPIS)?.1)
    }
}

/// A running service.
pub struct Service {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Service {
    /// Starts it on a free port of loopback; `name` tells it from others in the same folder.
    pub fn start(folder: &Folder, name: &str, with: &Configuration) -> anyhow::Result<Service> {
        // Another process could take the port first: then the service says so and ends.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let config = folder.path().join(format!("{name}.toml"));
        let log = folder.path().join(format!("{name}.log"));
        fs::write(&config, with.text(address))?;
        fs::write(folder.path().join(KPIS_FILE), KPIS)?;
        let output = File::create(&log)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["run", "--config"]).arg(&config);
        command.stdin(Stdio::null()).stdout(output.try_clone()?);
        let child = command.stderr(output).spawn()?;
        Ok(Service {
            child,
            address,
            log,
        })
    }

    /// Where it serves HTTP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `/readyz` says now; `Down` if nothing answers. An error if the process has ended.
    pub fn readiness(&mut self) -> anyhow::Result<Readiness> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the service ended with {status}:\n{}", self.last_words());
        }
        Ok(readiness(self.address))
    }

    /// What is on `/metrics` now.
    pub fn metrics(&self) -> anyhow::Result<String> {
        Ok(String::from_utf8(scrape(self.address, false)?.body)?)
    }

    /// Waits until it is ready.
    pub fn await_ready(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.readiness()? != Readiness::Ready {
            let late = began.elapsed() > PATIENCE;
            ensure!(!late, "the service isn't ready:\n{}", self.last_words());
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Ends it as a crash would (SIGKILL).
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end (SIGTERM), without waiting.
    pub fn terminate(&self) -> anyhow::Result<()> {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-TERM", &id]).status()?;
        ensure!(status.success(), "kill -TERM {id} said {status}");
        Ok(())
    }

    /// Whether it has ended, as it should have.
    pub fn has_ended(&mut self) -> anyhow::Result<bool> {
        let Some(status) = self.child.try_wait()? else {
            return Ok(false);
        };
        ensure!(
            status.success(),
            "it ended with {status}:\n{}",
            self.last_words()
        );
        Ok(true)
    }

    /// Waits for its end after `terminate`.
    pub fn await_end(mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        while !self.has_ended()? {
            ensure!(began.elapsed() < PATIENCE, "the service doesn't end");
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// How many records it said it would read again, going on from its snapshots.
    pub fn replayed(&self) -> u64 {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let said = |line: &str| {
            let (_, rest) = line.split_once(" goes on from snapshot ")?;
            let (count, _) = rest.split_once(" records to read")?;
            count.rsplit(' ').next()?.parse::<u64>().ok()
        };
        text.lines().filter_map(said).sum()
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It fails only when the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
