//! A real Apache Kafka: one KRaft node from its Maven artifacts, on free ports, in its own folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::process::{Folder, Process, free_port};
use crate::proxy::Proxy;
use crate::secure::Secure;
use crate::tools::installed;
use crate::wait::{until, within};

/// How long a broker may take to answer after its start, on a busy machine.
const READY: Duration = Duration::from_secs(90);
/// How long a broker that runs may take for an answer.
const ANSWER: Duration = Duration::from_secs(10);
/// The folder of Kafka's jars, as `tests/install` names it.
const KAFKA: &str = "kafka-4.1.1";
/// What the Java machine is told for a broker with load.
const ROOMY: [&str; 2] = ["-Xms256m", "-Xmx512m"];
/// Likewise, for one of many.
const SMALL: [&str; 3] = ["-Xms128m", "-Xmx256m", "-XX:TieredStopAtLevel=1"];
/// The cluster's id: any 22 characters of base 64.
const CLUSTER: &str = "a2VwdC1pbi1pdHMtdGVzdA";

/// A running (or stopped) broker. Everything of it is gone when it is dropped.
#[derive(Debug)]
pub struct Kafka {
    process: Option<Process>,
    folder: Folder,
    port: u16,
    secure: Option<Secure>,
    proxy: Option<Proxy>,
    jars: PathBuf,
    small: bool,
}

impl Kafka {
    /// Starts a broker and waits until it answers.
    pub fn start() -> Kafka {
        Kafka::start_in(Folder::new("kafka"), None, None, false)
    }

    /// Likewise, one of many for little load each: half of the memory, and less time spent on
    /// compiling itself.
    pub fn start_small() -> Kafka {
        Kafka::start_in(Folder::new("kafka"), None, None, true)
    }

    /// Likewise, with a second listener that is reached through a `Proxy` only.
    pub fn start_proxied() -> Kafka {
        let far = free_port();
        let proxied = (far, Proxy::start(far));
        Kafka::start_in(Folder::new("kafka"), None, Some(proxied), false)
    }

    /// Likewise, with a second listener: the same broker, behind TLS and SASL.
    pub fn start_secure() -> Kafka {
        let folder = Folder::new("kafka");
        let secure = Secure::prepare(folder.path());
        Kafka::start_in(folder, Some(secure), None, false)
    }

    fn start_in(
        folder: Folder,
        secure: Option<Secure>,
        proxied: Option<(u16, Proxy)>,
        small: bool,
    ) -> Kafka {
        let port = free_port();
        let mut extra = Extra::default();
        if let Some(secure) = &secure {
            extra = Extra::secure(secure);
        }
        if let Some((far, proxy)) = &proxied {
            extra = Extra::proxied(*far, proxy.port());
        }
        write_properties(folder.path(), port, free_port(), &extra);
        let mut kafka = Kafka {
            process: None,
            folder,
            port,
            secure,
            proxy: proxied.map(|(_, proxy)| proxy),
            jars: jars(),
            small,
        };
        let format = kafka
            .java("kafka.tools.StorageTool")
            .args(["format", "-t", CLUSTER, "-c", "server.properties"])
            .args(kafka.secure.iter().flat_map(Secure::format_arguments))
            .output()
            .expect("java can be started");
        assert!(
            format.status.success(),
            "{}",
            String::from_utf8_lossy(&format.stderr)
        );
        kafka.restart();
        kafka
    }

    /// One broker for all tests of this process that don't stop it. It ends with the process: a
    /// `static` is never dropped, so a small watcher ends it when the test's process is gone.
    pub fn shared() -> &'static Kafka {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(|| Kafka::start().until_we_end())
    }

    /// Likewise, with the listener of `start_secure`.
    pub fn shared_secure() -> &'static Kafka {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(|| Kafka::start_secure().until_we_end())
    }

    /// Likewise, with the listener of `start_proxied`.
    pub fn shared_proxied() -> &'static Kafka {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(|| Kafka::start_proxied().until_we_end())
    }

    fn until_we_end(self) -> Kafka {
        let process = self.process.as_ref().expect("it was just started");
        end_with_us(process.id(), self.folder.path());
        self
    }

    /// The listener behind TLS and SASL, of a broker that was started with one.
    #[track_caller]
    pub fn secure(&self) -> &Secure {
        self.secure.as_ref().expect("started by start_secure")
    }

    /// The proxy in front of the second listener, of a broker that was started with one.
    #[track_caller]
    pub fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("started by start_proxied")
    }

    /// `host:port` of the proxy.
    #[track_caller]
    pub fn proxied_brokers(&self) -> String {
        format!("127.0.0.1:{}", self.proxy().port())
    }

    /// `host:port`, in plain text.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Creates a topic that keeps records of any age; `config` as in Kafka's topic settings.
    pub fn create_topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        topic = topic.set("retention.ms", "-1");
        for (key, value) in config {
            topic = topic.set(key, value);
        }
        let admin = self.admin();
        let results = wait_for(admin.create_topics([&topic], &AdminOptions::new()));
        results.expect("the broker answers")[0]
            .as_ref()
            .expect("the topic is created");
        self.await_partitions(name, partitions);
    }

    /// Deletes a topic.
    pub fn delete_topic(&self, name: &str) {
        let admin = self.admin();
        let results = wait_for(admin.delete_topics(&[name], &AdminOptions::new()));
        results.expect("the broker answers")[0]
            .as_ref()
            .expect("the topic is deleted");
    }

    /// Deletes a partition's records before `offset`.
    pub fn delete_records(&self, topic: &str, partition: i32, offset: i64) {
        let mut until = TopicPartitionList::new();
        let added = until.add_partition_offset(topic, partition, Offset::Offset(offset));
        added.expect("a good offset");
        let admin = self.admin();
        let deleted = wait_for(admin.delete_records(&until, &AdminOptions::new()));
        for element in deleted.expect("the broker answers").elements() {
            element.error().expect("the records are deleted");
        }
    }

    /// How many records a topic holds, over all its partitions.
    pub fn records(&self, topic: &str) -> i64 {
        let consumer = self.consumer();
        let metadata = consumer
            .fetch_metadata(Some(topic), ANSWER)
            .expect("the broker answers");
        let count = |partition| {
            let marks = consumer.fetch_watermarks(topic, partition, ANSWER);
            let (low, high) = marks.expect("the broker answers");
            high - low
        };
        let partitions = metadata.topics()[0].partitions().iter();
        partitions.map(|partition| count(partition.id())).sum()
    }

    /// How many members a consumer group has now.
    pub fn members(&self, group: &str) -> usize {
        let list = self.consumer();
        let list = list.fetch_group_list(Some(group), ANSWER);
        let list = list.expect("the broker answers");
        let groups = list.groups().iter();
        groups.map(|group| group.members().len()).sum()
    }

    /// Ends the broker as a crash would; its data stays.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it again on the same port and waits until it answers.
    pub fn restart(&mut self) {
        let log = self.folder.path().join("kafka.log");
        let mut command = self.java("kafka.Kafka");
        command.arg("server.properties");
        self.process = Some(Process::start(&mut command, &log));
        self.await_ready();
    }

    fn await_ready(&mut self) {
        let consumer = self.consumer();
        let process = self.process.as_mut().expect("it was just started");
        until(READY, "Kafka answers", || {
            let ended = process.ended();
            assert!(
                ended.is_none(),
                "Kafka ended with {ended:?}:\n{}",
                process.output()
            );
            let metadata = consumer.fetch_metadata(None, Duration::from_secs(1));
            metadata.is_ok_and(|metadata| !metadata.brokers().is_empty())
        });
    }

    pub(crate) fn await_partitions(&self, topic: &str, partitions: i32) {
        let consumer = self.consumer();
        within(READY, "the topic has leaders", || {
            let metadata = consumer
                .fetch_metadata(Some(topic), Duration::from_secs(1))
                .ok()?;
            let found = metadata.topics().first()?.partitions();
            let led = found
                .iter()
                .filter(|partition| partition.leader() >= 0)
                .count();
            (i32::try_from(led).ok()? == partitions).then_some(())
        });
    }

    pub(crate) fn consumer(&self) -> BaseConsumer {
        self.client()
            .create()
            .expect("plain settings make a client")
    }

    pub(crate) fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client()
            .create()
            .expect("plain settings make a client")
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.brokers());
        config.set("reconnect.backoff.max.ms", "500");
        config
    }

    fn java(&self, main: &str) -> Command {
        let mut command = Command::new("java");
        command.args(if self.small { &SMALL[..] } else { &ROOMY });
        command.args(["-XX:+UseSerialGC", "-cp"]);
        command
            .arg(self.jars.join("*"))
            .arg(main)
            .current_dir(self.folder.path());
        command
    }
}

/// Ends `pid` and removes `folder` when this process has ended, however it ended: the shell reads
/// from a pipe whose other end only we hold.
#[expect(
    clippy::zombie_processes,
    reason = "it outlives this process on purpose"
)]
fn end_with_us(pid: u32, folder: &Path) {
    let script = "cat; kill -KILL \"$1\"; sleep 0.2; rm -rf \"$2\"";
    let mut command = Command::new("sh");
    command
        .args(["-c", script, "sh", &pid.to_string()])
        .arg(folder);
    let watcher = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
    let mut watcher = watcher.expect("sh can be started");
    // Leaked: the pipe is closed by the end of this process and by nothing else.
    std::mem::forget(watcher.stdin.take());
}

/// Drives a future that librdkafka completes from its own thread.
pub(crate) fn wait_for<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

/// What a second listener adds to the broker's properties.
#[derive(Default)]
struct Extra {
    listener: String,
    advertised: String,
    protocol: &'static str,
    more: String,
}

impl Extra {
    fn secure(secure: &Secure) -> Extra {
        let (listener, protocol) = secure.listener();
        Extra {
            advertised: listener.clone(),
            listener,
            protocol,
            more: secure.properties(),
        }
    }

    fn proxied(far: u16, near: u16) -> Extra {
        Extra {
            listener: format!(",PROXIED://127.0.0.1:{far}"),
            advertised: format!(",PROXIED://127.0.0.1:{near}"),
            protocol: ",PROXIED:PLAINTEXT",
            more: String::new(),
        }
    }
}

fn write_properties(folder: &Path, port: u16, controller: u16, extra: &Extra) {
    let Extra {
        listener,
        advertised,
        protocol,
        more,
    } = extra;
    // A broker that crashed is let in again only when its session has ended: 9 s by default. Members
    // may have short sessions, so that tests of their end are short.
    let properties = format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{listener}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}{advertised}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocol}\n\
         controller.listener.names=CONTROLLER\n\
         inter.broker.listener.name=PLAINTEXT\n\
         log.dirs={}\n\
         auto.create.topics.enable=false\n\
         broker.session.timeout.ms=3000\n\
         broker.heartbeat.interval.ms=500\n\
         log.retention.ms=-1\n\
         group.initial.rebalance.delay.ms=0\n\
         group.min.session.timeout.ms=1000\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=1\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         transaction.state.log.num.partitions=1\n{more}",
        folder.join("data").display()
    );
    fs::write(folder.join("server.properties"), properties).expect("the folder is writable");
}

/// Where `tests/install` puts Kafka.
fn jars() -> PathBuf {
    installed(&format!("{KAFKA}/lib"))
}
