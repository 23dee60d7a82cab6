//! A server on a free loopback port with made-up sources, and a small HTTP/1.1 client.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use catalogue::Plan;
use catalogue::plan::{
    Buckets, Dimension, FieldId, Group, Keyed, Kind, Kpi, KpiId, Limits, Promise, Role, Selector,
    Step, TimeRules, Topic, TopicId,
};
use engine::View;
use engine::view::{Entries, OverdueOrder};
use events::{EventTime, Span};
use server::{PageSources, Server, Sources};
use tokio::sync::oneshot;

/// Answers until it is dropped.
pub struct Rig {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Rig {
    /// Serves these sources on a thread of its own.
    pub fn start(sources: Sources) -> Rig {
        let (address_sender, address) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            runtime().block_on(async {
                let server = Server::bind("127.0.0.1:0", sources)
                    .await
                    .expect("a free port");
                address_sender
                    .send(server.address())
                    .expect("the test waits for it");
                let shutdown = async { drop(stopped.await) };
                server.serve(shutdown).await;
            });
        });
        let address = address.recv().expect("the server starts");
        Rig {
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Asks for a path with GET.
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    /// Asks with a method and headers, on a connection of its own.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: kept\r\nConnection: close\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        let mut stream = self.connect();
        stream
            .write_all((request + "\r\n").as_bytes())
            .expect("the server reads");
        let mut bytes = Vec::new();
        stream
            .read_to_end(&mut bytes)
            .expect("the server answers and closes");
        Answer::read(&bytes)
    }

    /// A connection that gives up after a while instead of hanging the test.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a valid timeout");
        stream
    }

    /// Tells it to stop and waits until it has.
    pub fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have stopped by a panic, which joining shows.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends without a panic");
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}

/// A runtime as the binary has it: one thread for sockets, others to block.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    fn read(bytes: &[u8]) -> Answer {
        let end = bytes
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .expect("a whole head");
        let head = std::str::from_utf8(&bytes[..end]).expect("a head in ASCII");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let headers = lines.filter_map(|line| line.split_once(": "));
        Answer {
            status: status
                .and_then(|code| code.parse().ok())
                .expect("a status line"),
            headers: headers
                .map(|(name, value)| (name.to_lowercase(), value.into()))
                .collect(),
            body: bytes[end + 4..].to_vec(),
        }
    }

    /// The value of a header; empty if it isn't there.
    pub fn header(&self, name: &str) -> &str {
        let header = self.headers.iter().find(|header| header.0 == name);
        header.map_or("", |header| &header.1)
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }
}

/// Sources that are well and have no views; one promise per id; no overdue orders.
pub fn sources(promises: &[&str]) -> Sources {
    Sources {
        plan: Arc::new(plan(promises)),
        views: Arc::new(Vec::new),
        registry: server::registry("1.2.3"),
        ready: Arc::new(|| Ok(())),
        alive: Arc::new(|| Ok(())),
        overdue: Arc::new(|_, _| Ok(Vec::new())),
        page: PageSources::default(),
    }
}

/// The same, and partitions 0 to `partitions - 1` of the first group are shown, with nothing in them.
pub fn showing(partitions: i32, promises: &[&str]) -> Sources {
    Sources {
        views: Arc::new(move || (0..partitions).map(view).collect()),
        ..sources(promises)
    }
}

/// A task of the first group, exact and with nothing in it.
pub fn view(partition: i32) -> Arc<View> {
    Arc::new(View {
        group: 0,
        partition,
        offsets: vec![0],
        display: EventTime(0),
        exact: true,
        inputs: Vec::new(),
        kpis: Vec::new(),
        entries: Entries::default(),
    })
}

/// An overdue order that started so many seconds after the epoch, on partition 3.
pub fn order(key: &str, start_seconds: i64, waiting_for: usize) -> OverdueOrder {
    OverdueOrder {
        key: key.into(),
        start: EventTime(start_seconds * 1_000_000),
        age: Span(90_500_000),
        waiting_for,
        labels: vec!["eu".into()].into(),
        topic: TopicId(0),
        partition: 3,
        offset: 41,
    }
}

fn plan(promises: &[&str]) -> Plan {
    let topic = Topic {
        name: "shop.events".into(),
        key: None,
        types: vec!["*".into()],
        lateness: Span::from_seconds(30),
    };
    Plan {
        namespace: "shop".into(),
        time: TimeRules {
            max_future: Span::from_seconds(300),
            dedupe: Span::ZERO,
        },
        limits: Limits {
            label_values: 100,
            open_entities: 100,
            remembered_entities: 1000,
            held_entities: 100,
            dedupe_entries: 100,
            record_bytes: 100,
            max_series: 100,
        },
        topics: vec![topic],
        groups: vec![Group {
            topics: vec![TopicId(0)],
            kpis: (0..promises.len())
                .map(|index| KpiId(index as u16))
                .collect(),
        }],
        types: Vec::new(),
        fields: Vec::new(),
        kpis: promises.iter().map(|id| kpi(id)).collect(),
    }
}

fn kpi(id: &str) -> Kpi {
    let selector = || Selector {
        types: Vec::new(),
        topic: TopicId(0),
        filters: Vec::new(),
    };
    let keyed = || Keyed {
        event: selector(),
        key: FieldId(0),
    };
    let promise = Promise {
        start: keyed(),
        end: keyed(),
        cancel: None,
        steps: vec![Step {
            name: "payment".into(),
            event: keyed(),
            owner: None,
        }],
        within: Span::from_seconds(60),
        objective: 0.95,
        horizon: Span::from_seconds(86400),
        hold: Span::from_seconds(600),
        lateness: Span::from_seconds(30),
        edges: vec![Span::from_seconds(60)],
        buckets: Buckets::Both,
    };
    Kpi {
        id: id.into(),
        help: "Purchase <to> \"fulfilment\" & back".into(),
        role: Role::Core,
        owner: None,
        by: vec![Dimension {
            name: "region".into(),
            field: FieldId(1),
            values: Vec::new(),
        }],
        windows: Vec::new(),
        target: None,
        kind: Kind::Promise(promise),
    }
}
