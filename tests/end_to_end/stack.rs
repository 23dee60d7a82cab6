//! Everything that a shop needs to be watched, on ports of its own, with what is shipped under
//! `deploy/`.
//!
//! Rules and alerts are the shipped files themselves. The routes are made for the address of this
//! stack's receivers and differ from the shipped ones in nothing else, which is checked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use support::{Alertmanager, Folder, Kafka, Kept, Process, Prometheus, Webhook, finish, until};

use crate::case::{Case, Topics, Trouble};
use crate::past::past;

/// The program under test.
const KEPT: &str = env!("CARGO_BIN_EXE_kept");
/// How long the shop may take to send its history.
const OPEN_WITHIN: Duration = Duration::from_secs(180);
/// Where the receivers of the shipped routes are.
const SHIPPED_RECEIVERS: &str = "http://localhost:9099";

/// One shop and all that watches it. Ended in this order when dropped.
pub struct Stack {
    /// Where notifications arrive.
    pub webhook: Webhook,
    /// Evaluates the rules.
    pub prometheus: Prometheus,
    /// Watches the shop.
    pub kept: Kept,
    /// Where the events are.
    pub kafka: Kafka,
    /// When the shop opened: its incident is counted from here.
    pub opened: Instant,
    shop: Process,
    _alertmanager: Alertmanager,
    _folder: Folder,
}

impl Stack {
    /// Starts everything: the shop with its history first, then those who watch it.
    pub fn start(case: &Case) -> Stack {
        let folder = Folder::new("shop");
        let webhook = Webhook::start();
        let kafka = start_kafka();
        let opened = Instant::now();
        let shop = open_shop(case, &kafka, folder.path());
        let config = config(case.topics, &kafka, &webhook);
        let routes = routes(&config, folder.path(), &webhook);
        let alertmanager = Alertmanager::start(&routes);
        let mut kept = Kept::start(KEPT, &config);
        let config = scraping(kept.port(), &alertmanager);
        let prometheus = match case.trouble {
            // It sees Kept come up.
            Trouble::None => Prometheus::start_with(&config),
            _ => {
                kept.await_ready();
                let past = past(&kept.scrape(), case.history.as_secs_f64());
                Prometheus::start_with_past(&config, &past)
            }
        };
        Stack {
            webhook,
            prometheus,
            kept,
            kafka,
            opened,
            shop,
            _alertmanager: alertmanager,
            _folder: folder,
        }
    }

    /// Fails if the shop has ended, whose events everything here is about.
    pub fn assert_open(&mut self) {
        let ended = self.shop.ended();
        assert!(ended.is_none(), "the shop ended:\n{}", self.shop.output());
    }
}

/// One at a time: several that start at once keep each other from it.
fn start_kafka() -> Kafka {
    static STARTING: Mutex<()> = Mutex::new(());
    let _one = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    Kafka::start_small()
}

fn open_shop(case: &Case, kafka: &Kafka, folder: &Path) -> Process {
    let mut command = Command::new(KEPT);
    command.args(["shop", "--brokers", &kafka.brokers()]);
    let topics = match case.topics {
        Topics::One => "one",
        Topics::Split => "split",
    };
    let history = format!("{}s", case.history.as_secs());
    command.args(["--topics", topics, "--history", &history]);
    command.args(["--rate", case.rate]).args(case.incident());
    let mut shop = Process::start(&mut command, &folder.join("shop.log"));
    until(OPEN_WITHIN, "the shop is open", || {
        let ended = shop.ended();
        assert!(ended.is_none(), "the shop ended:\n{}", shop.output());
        shop.output().contains("The shop is open")
    });
    shop
}

fn config(topics: Topics, kafka: &Kafka, webhook: &Webhook) -> String {
    let topics = match topics {
        Topics::One => {
            "[[kafka.topic]]\nname = \"shop.events\"\nkey = \"cart_id\"\ntypes = [\"*\"]\n"
        }
        Topics::Split => {
            "[[kafka.topic]]\nname = \"shop.events\"\nkey = \"cart_id\"\n\
             types = [\"session.*\", \"product.*\", \"cart.*\", \"checkout.*\", \"payment.*\", \
             \"order.placed\"]\n\
             [[kafka.topic]]\nname = \"shop.fulfilment\"\nkey = \"cart_id\"\n\
             types = [\"order.picked\", \"order.fulfilled\", \"order.cancelled\"]\n"
        }
    };
    format!(
        "[kafka]\nbrokers = \"{}\"\ngroup = \"kept\"\nstart = \"24h\"\n\
         dead_letter_topic = \"shop.rejected\"\n{topics}\
         [catalogue]\nnamespace = \"shop\"\npacks = [\"promise\", \"cart\"]\n\
         [generate]\nreceivers_url = \"{}\"\n",
        kafka.brokers(),
        webhook.url()
    )
}

/// Alertmanager's configuration for these receivers, a file.
fn routes(config: &str, folder: &Path, webhook: &Webhook) -> PathBuf {
    let file = folder.join("kept.toml");
    fs::write(&file, config).expect("the folder is writable");
    let (file, out) = (file.display().to_string(), folder.display().to_string());
    let arguments = ["generate", "rules", "--config", &file, "--out", &out];
    let generated = finish(KEPT, &arguments, None);
    assert!(generated.status.success(), "{}", generated.stderr);
    let routes = folder.join("alertmanager/alertmanager.yml");
    let text = fs::read_to_string(&routes).expect("it was generated");
    let shipped = fs::read_to_string(shipped("alertmanager/alertmanager.yml"));
    assert_eq!(
        text.replace(&webhook.url(), SHIPPED_RECEIVERS),
        shipped.expect("the routes are shipped"),
        "the routes are not those that are shipped"
    );
    routes
}

/// Prometheus' configuration as it is shipped, with the addresses of this stack.
fn scraping(kept: u16, alertmanager: &Alertmanager) -> String {
    let folder = shipped("prometheus");
    let text = fs::read_to_string(folder.join("prometheus.yml"));
    let mut text = text.expect("Prometheus' configuration is shipped");
    let file = |name: &str| folder.join(name).display().to_string();
    for (from, to) in [
        ("kept:9464", format!("127.0.0.1:{kept}")),
        ("alertmanager:9093", alertmanager.address()),
        ("- rules.yml", format!("- {}", file("rules.yml"))),
        ("- alerts.yml", format!("- {}", file("alerts.yml"))),
    ] {
        assert_eq!(text.matches(from).count(), 1, "{from} in prometheus.yml");
        text = text.replace(from, &to);
    }
    text
}

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(path)
}
