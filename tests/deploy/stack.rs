//! What `docker compose up` would start, as plain processes: Kafka with the environment that its
//! image turns into properties, `kept run`, `kept shop`, Prometheus, Alertmanager and the pager, each
//! with the arguments, files and health check that compose gives it. Only ports, host names and
//! folders are others, so that nothing meets what runs on the machine already.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::{Folder, Process, get, installed, until};

use crate::compose::{arguments, project};
use crate::tools::{KEPT, copy, members, root, run, texts, tool};

/// How long each part may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// Ports of the containers, and those that stand for them here.
struct Ports(Vec<(&'static str, u16)>);

impl Ports {
    fn new() -> Ports {
        // All are held at once, or two could be the same.
        let hosts = [
            "kafka:9092",
            "localhost:29092",
            "localhost:9093",
            "kept:9464",
            "alertmanager:9093",
            "localhost:9099",
            "localhost:9090",
        ];
        let held: Vec<TcpListener> = hosts
            .iter()
            .map(|_| TcpListener::bind("127.0.0.1:0").expect("loopback has free ports"))
            .collect();
        let port = |listener: &TcpListener| listener.local_addr().expect("it is bound").port();
        Ports(hosts.into_iter().zip(held.iter().map(port)).collect())
    }

    fn of(&self, host: &str) -> u16 {
        let found = self.0.iter().find(|(name, _)| *name == host);
        found.expect("a host of the list").1
    }

    /// The text with our addresses for theirs.
    fn apply(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (host, port)| {
            text.replace(host, &format!("127.0.0.1:{port}"))
        })
    }
}

/// What compose says, our ports, and a folder for all that is written.
struct Stack {
    services: Value,
    ports: Ports,
    folder: Folder,
}

impl Stack {
    fn new() -> Stack {
        Stack {
            services: project()["services"].clone(),
            ports: Ports::new(),
            folder: Folder::new("stack"),
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn start(&self, name: &str, command: &mut Command) -> Process {
        let log = self.folder.path().join(format!("{name}.log"));
        Process::start(command.current_dir(self.folder.path()), &log)
    }

    /// A copy of a folder that is mounted, with our addresses in one file of it.
    fn configured(&self, name: &str, file: &str) -> String {
        let folder = self.folder.path().join(name);
        copy(&root().join("deploy").join(name), &folder);
        let file = folder.join(file);
        let text = fs::read_to_string(&file).expect("it was copied");
        fs::write(&file, self.ports.apply(&text)).expect("the folder is writable");
        folder.display().to_string()
    }

    /// A service's command with its folders in the container replaced by ours.
    fn command(&self, service: &str, folders: &[(&str, &str)]) -> Vec<String> {
        let words = texts(&self.services[service]["command"]);
        let place = |word: &str| {
            let path = |word: String, (from, to): &(&str, &str)| {
                word.replace(&format!("={from}"), &format!("={to}"))
            };
            folders.iter().fold(word.to_owned(), path)
        };
        words.into_iter().map(place).collect()
    }

    /// The health check of a service, without its program, with our addresses.
    fn health(&self, service: &str) -> Vec<String> {
        let words = arguments(&self.services[service], "/healthcheck/test");
        assert_eq!(words[0], "CMD");
        words[2..]
            .iter()
            .map(|word| self.ports.apply(word))
            .collect()
    }

    fn java(&self, main: &str) -> Command {
        let mut command = Command::new("java");
        let jars = installed("kafka-4.1.1/lib").join("*");
        command
            .args(["-Xmx512m", "-XX:+UseSerialGC", "-cp"])
            .arg(jars)
            .arg(main);
        command.current_dir(self.folder.path());
        command
    }

    /// The image's rule: `KAFKA_LOG_DIRS` is `log.dirs`. Listeners are on loopback here.
    fn kafka_properties(&self) -> String {
        let mut properties = String::new();
        for (name, value) in members(&self.services["kafka"]["environment"]) {
            let value = value.as_str().expect("compose makes texts of them");
            let name = name.strip_prefix("KAFKA_").expect("it is for Kafka");
            let value = match name {
                "HEAP_OPTS" => continue,
                "LOG_DIRS" => self.path("kafka-data"),
                "LISTENERS" => {
                    let inside = value.replace("//:9092", "//kafka:9092");
                    self.ports.apply(&inside.replace("//:", "//localhost:"))
                }
                _ => self.ports.apply(value),
            };
            properties += &format!("{}={value}\n", name.to_lowercase().replace('_', "."));
        }
        properties
    }

    fn kafka(&self) -> Process {
        let properties = self.kafka_properties();
        fs::write(self.path("server.properties"), &properties).expect("the folder is writable");
        let id = [
            "format",
            "-t",
            "a2VwdC1pbi1pdHMtdGVzdA",
            "-c",
            "server.properties",
        ];
        run(self.java("kafka.tools.StorageTool").args(id)).unwrap_or_else(|said| panic!("{said}"));
        let mut kafka = self.start("kafka", self.java("kafka.Kafka").arg("server.properties"));
        // What the health check asks with a script that is in the image only.
        until(PATIENCE, "Kafka listens", || {
            assert!(kafka.ended().is_none(), "{}\n{properties}", kafka.output());
            TcpStream::connect(self.ports.apply("kafka:9092")).is_ok()
        });
        kafka
    }

    /// `kept` with a service's arguments, in its environment.
    fn kept(&self, words: &[String]) -> Command {
        let mut command = Command::new(KEPT);
        command.args(words.iter().map(|word| self.ports.apply(word)));
        let listen = format!("127.0.0.1:{}", self.ports.of("kept:9464"));
        command
            .env("KEPT__KAFKA__BROKERS", self.ports.apply("kafka:9092"))
            .env("KEPT__HTTP__LISTEN", listen)
            .env("KEPT__STATE__URL", format!("file://{}", self.path("state")));
        command
    }

    fn alertmanager(&self) -> Process {
        let config = self.configured("alertmanager", "alertmanager.yml");
        let folders = [
            ("/etc/alertmanager", &*config),
            ("/alertmanager", &self.path("am-data")),
        ];
        let mut command = tool("alertmanager/alertmanager");
        command.args(self.command("alertmanager", &folders));
        let port = self.ports.of("alertmanager:9093");
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let mut process = self.start("alertmanager", &mut command);
        let health: Vec<String> = self
            .health("alertmanager")
            .iter()
            .map(|word| {
                word.replace(
                    &self.ports.apply("localhost:9093"),
                    &format!("127.0.0.1:{port}"),
                )
            })
            .collect();
        until(PATIENCE, "Alertmanager is healthy", || {
            assert!(process.ended().is_none(), "{}", process.output());
            run(tool("alertmanager/amtool").args(&health)).is_ok()
        });
        process
    }

    fn prometheus(&self) -> Process {
        let config = self.configured("prometheus", "prometheus.yml");
        let folders = [
            ("/etc/prometheus", &*config),
            ("/prometheus", &self.path("tsdb")),
        ];
        let mut command = tool("prometheus/prometheus");
        command.args(self.command("prometheus", &folders));
        let address = self.ports.apply("localhost:9090");
        command.arg(format!("--web.listen-address={address}"));
        let mut process = self.start("prometheus", &mut command);
        let health = self.health("prometheus");
        until(PATIENCE, "Prometheus is healthy", || {
            assert!(process.ended().is_none(), "{}", process.output());
            run(tool("prometheus/promtool").args(&health)).is_ok()
        });
        process
    }

    fn pager(&self) -> Process {
        let words = arguments(&self.services["pager"], "/command");
        let mut command = tool("python/bin/python");
        command.args(&words[1..]);
        command.arg(self.ports.of("localhost:9099").to_string());
        let mut process = self.start("pager", &mut command);
        let health: Vec<String> = self
            .health("pager")
            .iter()
            .map(|word| word.replace("127.0.0.1:9099", &self.ports.apply("localhost:9099")))
            .collect();
        until(PATIENCE, "the pager is healthy", || {
            assert!(process.ended().is_none(), "{}", process.output());
            run(tool("python/bin/python").args(&health)).is_ok()
        });
        process
    }

    /// Prometheus' answer.
    fn ask(&self, path: &str) -> Value {
        let answer = get(self.ports.of("localhost:9090"), path, &[]).expect("Prometheus answers");
        serde_json::from_slice(&answer.body).expect("it answers in JSON")
    }

    /// Rules that have not been evaluated without an error yet; none before all are loaded.
    fn rules_not_well(&self) -> Vec<String> {
        let answer = self.ask("/api/v1/rules");
        let groups = answer["data"]["groups"].as_array().expect("a list").iter();
        let rules = groups.flat_map(|group| group["rules"].as_array().expect("a list"));
        let bad = rules.filter(|rule| rule["health"] != "ok");
        bad.map(|rule| format!("{} {} {}", rule["name"], rule["health"], rule["lastError"]))
            .collect()
    }

    /// Whether an expression has a result now.
    fn has_samples(&self, expression: &str) -> bool {
        let encode = |byte: u8| format!("%{byte:02X}");
        let encoded: String = expression.bytes().map(encode).collect();
        let answer = self.ask(&format!("/api/v1/query?query={encoded}"));
        let result = answer["data"]["result"].as_array();
        result.is_some_and(|result| !result.is_empty())
    }

    fn counts(&self) -> usize {
        let answer = self.ask("/api/v1/rules");
        let groups = answer["data"]["groups"].as_array().expect("a list").iter();
        groups
            .map(|group| group["rules"].as_array().map_or(0, Vec::len))
            .sum()
    }
}

#[test]
fn what_compose_starts_works_together() {
    let stack = Stack::new();
    let pager = stack.pager();
    let _alertmanager = stack.alertmanager();
    let _kafka = stack.kafka();
    // Before the shop, which makes the topics: compose doesn't say which of the two is first.
    let mut words = arguments(&stack.services["kept"], "/command");
    let mut kept = stack.start("kept", &mut stack.kept(&words));
    let _prometheus = stack.prometheus();
    words = arguments(&stack.services["shop"], "/command");
    let mut shop = stack.start("shop", &mut stack.kept(&words));
    let probe = arguments(&stack.services["kept"], "/healthcheck/test");
    until(PATIENCE, "Kept is healthy", || {
        assert!(kept.ended().is_none(), "{}", kept.output());
        assert!(shop.ended().is_none(), "{}", shop.output());
        run(&mut stack.kept(&probe[2..])).is_ok()
    });

    let loaded = stack.counts();
    let written = written_rules();
    assert!(
        loaded == written && written > 250,
        "{loaded} of {written} rules"
    );
    until(PATIENCE, "every rule is evaluated", || {
        let bad = stack.rules_not_well();
        let failed: Vec<&String> = bad.iter().filter(|rule| rule.contains("\"err\"")).collect();
        assert!(failed.is_empty(), "{failed:?}");
        bad.is_empty()
    });
    for expression in [
        "job:shop_fulfilment_completed:increase5m > 0",
        // As a native histogram, and with classic buckets beside it.
        "histogram_count(sum(shop_fulfilment_duration_seconds)) > 0",
        "sum(shop_fulfilment_duration_seconds_bucket{le=\"+Inf\"}) > 0",
    ] {
        until(PATIENCE, expression, || stack.has_samples(expression));
    }
    until(PATIENCE, "the pager hears of the Watchdog", || {
        pager.output().contains("watchdog: FIRING Watchdog")
    });
    assert!(
        !pager.output().contains("not a notification"),
        "{}",
        pager.output()
    );
}

/// How many rules the checked-in files have.
fn written_rules() -> usize {
    let count = |file: &str| {
        let path = Path::new("deploy/prometheus").join(file);
        let text = fs::read_to_string(root().join(path)).expect("it is there");
        let rules = text.lines().map(str::trim_start);
        rules
            .filter(|line| line.starts_with("- record: ") || line.starts_with("- alert: "))
            .count()
    };
    count("rules.yml") + count("alerts.yml")
}

#[test]
fn a_probe_fails_where_nobody_answers() {
    let stack = Stack::new();
    let probe = arguments(&stack.services["kept"], "/healthcheck/test");
    let said = run(&mut stack.kept(&probe[2..])).expect_err("nobody listens");
    assert!(
        said.contains("/readyz") && said.contains("Some(1)"),
        "{said}"
    );
}
