//! `kept demo`: a simulated shop, a Kafka inside the process (or a real one) and the service of
//! `kept run`, unchanged, on top of it. Needs nothing installed.
//!
//! A topic that is new gets five minutes of history first, and is read from its beginning. One
//! that holds records already (of an earlier demo on a real Kafka) does not: what is older than its
//! last record would be late. It is read from its end, and the shop opens when the service reads.

mod broker;
#[cfg(test)]
mod rehearsal;
mod shop;
mod summary;

use std::io::{IsTerminal as _, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use catalogue::{Plan, Settings, Sources};
use events::{EventTime, Span};
use kafka::mock::MockCluster;
use kafka::produce::Producer;
use simulator::shop::Shop;

use crate::app::App;
use crate::arguments::duration;
use crate::feeder::{Feeder, Live};
use crate::signals::Signals;
use crate::{clock, logging};
use broker::{Broker, embedded};
use shop::{HISTORY, INCIDENT, SLOWER};
use summary::Summary;

/// The configuration that the service gets.
const CONFIG: &str = include_str!("demo/demo.toml");
/// The shop's topic.
const TOPIC: &str = "kept.demo";
/// Where rejected records go.
const REJECTED: &str = "kept.demo.rejected";
/// How often a line is shown on a terminal, and elsewhere.
const SHOWN_EVERY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];
/// Orders a second that the embedded Kafka has room for, see `shop`.
const RATES: std::ops::RangeInclusive<f64> = 0.5..=20.0;
/// How long a shop without history is open before the demo begins.
const WARM_UP: Span = Span::from_seconds(120);
/// How long the service may take until it shows something.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The arguments of `kept demo`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Use this Kafka instead of the embedded one. Creates the topics kept.demo (4 partitions) and
    /// kept.demo.rejected where they are missing, and leaves them there
    #[arg(long, value_name = "HOST:PORT")]
    brokers: Option<String>,
    /// The same seed gives the same shop
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to serve the metrics; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9464")]
    listen: SocketAddr,
    /// Stop after this long, such as 90s or 5m; without it at Ctrl-C
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// Orders a second in the busiest hour, 0.5 to 20
    #[arg(long, value_name = "ORDERS", default_value_t = 10.0, value_parser = rate)]
    rate: f64,
}

/// Runs the demo until a signal, the end of its time, or until it can't go on.
pub fn main(arguments: Arguments) -> ExitCode {
    logging::start_at("warn");
    match demo(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kept demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn demo(arguments: Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // First of all: the kernel drops a signal that the first process of a container doesn't catch.
        let mut signals = Signals::new()?;
        // Taken before anything is started, so that an address in use is said at once.
        free(arguments.listen)?;
        let cluster = embedded(&arguments)?;
        let address = cluster.as_ref().map(MockCluster::brokers);
        let duration = arguments.duration;
        let opening = move || Open::new(&arguments, address);
        let open = signals.exit_during(opening).await?;
        open.watch(signals, duration).await
    })
}

/// What the demo plays on.
struct Stage<'a> {
    plan: Arc<Plan>,
    broker: &'a Broker,
    arguments: &'a Arguments,
}

impl Stage<'_> {
    /// Starts shop and service in the order that the topic wants; the time is the demo's beginning.
    fn open(
        &self,
        settings: &Settings,
        producer: Producer,
    ) -> anyhow::Result<(App, Live, EventTime)> {
        if self.broker.new {
            say("Five minutes of history are written first ...\n");
            let begin = clock::now().as_event_time();
            let mut feeder = self.feeder(begin - HISTORY, begin, producer);
            feeder.history(begin)?;
            let live = feeder.live()?;
            let app = App::start(settings, &self.plan, None)?;
            return Ok((app, live, begin));
        }
        say("There are records already: the shop opens after them, once the service reads.\n");
        let app = App::start(settings, &self.plan, None)?;
        wait_until("the service reads all partitions", || {
            app.failure().map_or(Ok(()), Err)?;
            Ok(app.ready().is_ok())
        })?;
        let open = clock::now().as_event_time();
        let begin = open + WARM_UP;
        let live = self.feeder(open, begin, producer).live()?;
        Ok((app, live, begin))
    }

    fn feeder(&self, start: EventTime, begin: EventTime, producer: Producer) -> Feeder {
        let settings = shop::settings(self.arguments.rate, start, begin);
        let shop = Shop::new(self.arguments.seed, settings);
        Feeder::new(shop, producer, vec![TOPIC])
    }

    /// Where to look, and what will happen when.
    fn introduction(&self, address: SocketAddr) -> String {
        let Arguments { seed, rate, .. } = self.arguments;
        let brokers = &self.broker.brokers;
        let kafka = match self.broker.is_embedded {
            true => format!("an embedded Kafka ({brokers}), read by the service of `kept run`"),
            false => format!("topic {TOPIC} on {brokers}, read by the service of `kept run`"),
        };
        let opens = if self.broker.new {
            String::new()
        } else {
            let opens = minutes(-WARM_UP.seconds());
            format!("\n {opens}  the shop opens; its first orders come after half a minute")
        };
        let [begin, end] = [INCIDENT.0, INCIDENT.1].map(|span| minutes(span.seconds()));
        format!(
            "A simulated shop (seed {seed}, up to {rate} orders a second) on {kafka}.\n\
             \n  \
               http://{address}/                             what is served\n  \
               http://{address}/metrics                      for Prometheus\n  \
               http://{address}/api/overdue?kpi=fulfilment   who waits longest\n\
             \n\
             Its promise: an order is fulfilled within 60 s, 95 of 100 times. What you will see:{opens}\n  \
               0:00  all is well: 95 of 100 orders take less than 50 s\n  \
               {begin}  an incident: fulfilment is {SLOWER} times slower. Few orders complete, and those were nearly\n        \
                     done: the p95 of the completed ones says that all is well, the one with the\n        \
                     open orders in it climbs at once\n  \
               {end}  it ends: what waited completes, and only now the plain p95 jumps\n  \
               8:00  the five minutes of both p95 have left it behind\n\
             Shown is the shop of 5 s ago (lateness, 30s by default); a window ends at its last whole pane\n\
             before that, a sixtieth of it: 5 s of 5m, 1 min of 1h, 24 min of 1d. Ctrl-C stops.\n\n"
        )
    }
}

/// A demo that runs.
struct Open {
    app: App,
    live: Live,
    plan: Arc<Plan>,
    begin: EventTime,
}

impl Open {
    /// Starts all of it, and tells what it is.
    fn new(arguments: &Arguments, embedded: Option<String>) -> anyhow::Result<Open> {
        let broker = Broker::find(arguments, embedded)?;
        let (settings, plan) = configuration(arguments, &broker)?;
        let plan = Arc::new(plan);
        let producer = Producer::new(&broker.client())
            .map_err(|error| anyhow!("the Kafka settings are refused: {error}"))?;
        let stage = Stage {
            plan: Arc::clone(&plan),
            broker: &broker,
            arguments,
        };
        let (app, live, begin) = stage.open(&settings, producer)?;
        say(&stage.introduction(app.address()));
        Ok(Open {
            app,
            live,
            plan,
            begin,
        })
    }

    /// Shows lines until a signal, the end of the time, or a failure; then stops.
    async fn watch(self, mut signals: Signals, duration: Option<Duration>) -> anyhow::Result<()> {
        let terminal = std::io::stdout().is_terminal();
        let shown = self.show_lines(&mut signals, duration, terminal).await;
        if shown.is_ok() {
            say(if terminal {
                "\nStopping. A second Ctrl-C stops at once.\n"
            } else {
                "Stopping.\n"
            });
        }
        let Open { app, live, .. } = self;
        // Closing the shop may take seconds where Kafka is away: a signal ends that.
        let stopping = move || {
            let stopped = app.stop();
            // Whoever stops a demo does not ask whether its last records arrived.
            drop(live.stop());
            stopped
        };
        let stopped = signals.exit_during(stopping).await;
        shown.and(stopped)
    }

    /// A line now and then. An error: what it can't go on after.
    async fn show_lines(
        &self,
        signals: &mut Signals,
        duration: Option<Duration>,
        terminal: bool,
    ) -> anyhow::Result<()> {
        let Open {
            app,
            live,
            plan,
            begin,
        } = self;
        let [fast, slow] = SHOWN_EVERY;
        let mut ticks = tokio::time::interval(fast);
        let deadline = duration.map(|duration| Instant::now() + duration);
        let mut next_line = Instant::now();
        loop {
            tokio::select! {
                _ = signals.next() => break,
                _ = ticks.tick() => {}
            }
            if let Some(failure) = live.failure().or_else(|| app.failure()) {
                return Err(failure);
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break;
            }
            let due = terminal || Instant::now() >= next_line;
            if due && show(app, plan, *begin, terminal) {
                next_line = Instant::now() + slow - fast / 2;
            }
        }
        if !terminal {
            show(app, plan, *begin, terminal);
        }
        Ok(())
    }
}

/// False: there is nothing to show yet.
fn show(app: &App, plan: &Plan, begin: EventTime, terminal: bool) -> bool {
    let since = clock::now().as_event_time() - begin;
    let time = format!("{:>5}", minutes(since.seconds()));
    let ready = app.ready().is_ok();
    let line = if ready {
        let incident = since >= INCIDENT.0 && since < INCIDENT.1;
        let incident = if incident { "INCIDENT" } else { "calm" };
        let summary = Summary::of(plan, &app.views());
        format!("{time}  {incident:8}  {summary}")
    } else {
        format!("{time}  the service reads what there is ...")
    };
    if terminal {
        // Cut at the right edge, not wrapped; a log line then begins where this one does.
        say(&format!("\x1b[2K\x1b[?7l{line}\x1b[?7h\r"));
    } else if ready {
        say(&format!("{line}\n"));
    }
    ready
}

/// Minutes and seconds.
fn minutes(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let seconds = seconds.abs() as u64;
    format!("{sign}{}:{:02}", seconds / 60, seconds % 60)
}

/// Whoever closed the pipe does not want the rest.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn wait_until(what: &str, mut holds: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + READY_WITHIN;
    while !holds()? {
        if Instant::now() >= deadline {
            bail!("not within {} s: {what}", READY_WITHIN.as_secs());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn free(listen: SocketAddr) -> anyhow::Result<()> {
    match std::net::TcpListener::bind(listen) {
        Ok(_) => Ok(()),
        Err(error) => Err(anyhow!(
            "can't serve on {listen}: {error}; name another address with --listen, such as \
             --listen 127.0.0.1:0 for any free port"
        )),
    }
}

fn configuration(arguments: &Arguments, broker: &Broker) -> anyhow::Result<(Settings, Plan)> {
    let set = |key: &str, value: String| (format!("KEPT__{key}"), value);
    let start = if broker.new { "earliest" } else { "latest" };
    let environment = [
        set("KAFKA__BROKERS", broker.brokers.clone()),
        // Of its own: a second demo on the same Kafka does not take half of the partitions.
        set("KAFKA__GROUP", format!("kept-demo-{:x}", clock::now().0)),
        set("KAFKA__START", start.into()),
        set("HTTP__LISTEN", arguments.listen.to_string()),
    ];
    read_configuration(&environment)
}

fn read_configuration(environment: &[(String, String)]) -> anyhow::Result<(Settings, Plan)> {
    let sources = Sources {
        path: "kept demo",
        text: CONFIG,
        environment,
        files: &[],
    };
    catalogue::read(&sources).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow!("{}", problems.join("\n"))
    })
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if RATES.contains(&rate) => Ok(rate),
        _ => Err(format!("between {} and {}", RATES.start(), RATES.end())),
    }
}
