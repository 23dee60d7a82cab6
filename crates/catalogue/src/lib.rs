//! From definitions in TOML to a validated plan. Pure: texts in, settings and a `Plan` out, or all
//! problems at once, each with file, line, column and how to mend it.
//!
//! # `kept.toml`
//!
//! Values shown are the defaults, but for those marked. A duration is a whole number with `ms`,
//! `s`, `m`, `h` or `d`. An unknown key is a problem that names the nearest valid one.
//!
//! ```toml
//! [kafka]
//! brokers = "one:9092,two:9092"     # required
//! group = "kept"
//! start = "24h"                     # a duration back, "earliest" or "latest"
//! dead_letter_topic = "shop.rejected" # without it rejected records are only counted
//! workers = 4                       # without it one per core
//! [[kafka.topic]]                   # at least one
//! name = "shop.events"              # required
//! key = "cart_id"                   # the `data` member that producers use as the record key
//! types = ["*"]                     # exact, `order.*`, `*`; required when there are several topics
//! format = "cloudevents"
//! lateness = "30s"                  # default: that of [time]
//! [kafka.client]                    # for librdkafka; sasl.password = and "sasl.password" = are one
//! "sasl.password_file" = "secret"   # the file's content, trimmed; paths start at kept.toml's folder
//! [time]
//! lateness = "30s"
//! max_future = "5m"
//! dedupe = "15m"                    # "0s": off
//! [limits]
//! label_values = 100
//! open_entities = 1_000_000
//! remembered_entities = 10_000_000
//! held_entities = 200_000
//! dedupe_entries = 5_000_000
//! record_bytes = "256KiB"           # or a number of bytes
//! [http]
//! listen = "127.0.0.1:9464"
//! prometheus_url = "http://localhost:9090" # asked for alerts by the live page; default: none
//! [state]
//! url = "file:///var/lib/kept"      # or s3://bucket/path, gs://bucket/path, az://container/path
//! snapshot_every = "10s"            # longer when it would cost more than 3 % of the time
//! keep = 3                          # snapshots of each task
//! log_gap = "continue"              # or "stop": when unread records are gone from the log
//! [state.options]                   # for the object store, as it names them; none by default
//! aws_region = "eu-west-1"
//! aws_secret_access_key_file = "secret" # the file's content, trimmed
//! [catalogue]
//! namespace = "shop"
//! packs = ["promise", "cart"]       # default: both, or none when there are `files`
//! files = ["my-kpis.toml"]          # default: none
//! max_series = 100_000              # of one KPI in one partition; further label sets are `other`
//! [generate]                        # for `kept generate`: rules, alerts, routes, links
//! job = "kept"                      # Prometheus' job that scrapes Kept
//! instance_labels = ["instance", "pod", "container", "endpoint", "node", "host"]
//! deployment_labels = ["namespace", "cluster"] # tell two Kepts of one job apart
//! query_offset = "10s"
//! interval = "15s"
//! owner = "kept-team"               # of Kept's own alerts and of KPIs without an owner
//! runbooks_url = "http://localhost:9464/runbooks"
//! dashboards_url = "http://localhost:3000/d"
//! receivers_url = "http://localhost:9099"
//! ```
//!
//! Environment variables override: `KEPT__KAFKA__BROKERS`. The parts between `__` are the keys, in
//! any case; values are TOML where they can be, else text. Under `KEPT__KAFKA__CLIENT__` a `_` or `__`
//! is a dot (`SASL_PASSWORD_FILE` is `sasl.password_file`), a name with dots is taken as it is, and
//! values are always text. A list of tables is set as a whole.
//!
//! # Catalogue files
//!
//! A selector is `"type"`, `["type", "other"]` or `{ type = ..., topic = "...", where = { field =
//! "value" or ["one", "other"] } }`. A promise's selectors also have `key = "..."` and are always
//! tables. A missing field matches the value `unknown`.
//!
//! ```toml
//! [kpi.ID]                          # metrics are <namespace>_<ID>_...
//! kind = "count"                    # count | ratio | promise | funnel
//! help = "What it is"               # required
//! by = ["region", { field = "channel", values = ["web", "app"] }] # at most 4
//! windows = ["5m", "1h", "1d"]      # whole minutes up to 7d, at most 8
//! role = "supporting"               # core | supporting | guardrail
//! owner = "a team"
//! target = { max = 1, min = 0, goal = 1, benchmark = 1 } # each optional; promises: durations too
//! alert = { window = "1h", minimum_events = 20 } # of the target: default the longest up to 1h
//!
//! # count
//! event = { type = "order.placed" } # required
//! sum = "total"                     # or { field = "total", unit = "money" }, "money" or "number"
//! sum_name = "order_revenue"        # required with sum
//!
//! # ratio: each side a counter ("orders", "orders.sum", "cart.checkout") or a selector, which may
//! # have a `sum` of its own
//! numerator = "orders.sum"
//! denominator = { type = "session.started" }
//!
//! # promise
//! start = { type = "order.placed", key = "order_id" }
//! end = { type = "order.fulfilled", key = "order_id" }
//! cancel = { type = "order.cancelled", key = "order_id" } # optional, on the topic of `end`
//! within = "60s"
//! objective = 0.95
//! horizon = "24h"
//! hold = "10m"
//! histogram = "both"                # both | classic | native, see below
//! alert = { stalled_overdue = 10, missed_share = 0.5, minimum_orders = 20 } # and the two above
//! target = { quantile = 0.95, max = "60s" } # the quantile is required: 0.5, 0.9, 0.95 or 0.99
//! step = [{ name = "payment", event = { type = "payment.authorized", key = "order_id" }, owner = "a team" }]
//!
//! # funnel, all on one topic
//! key = "cart_id"
//! mode = "reached"                  # reached | ordered
//! idle_timeout = "30m"
//! recover = "24h"
//! stage = [{ name = "cart", event = "cart.item_added" }, { name = "order", event = "order.placed" }]
//! touch = ["cart.viewed"]           # keep it alive without being a stage
//! [kpi.ID.value]                    # optional: what abandoned ones were worth
//! name = "cart_value_abandoned"     # <namespace>_<name>_total{currency}
//! add = "cart.item_added"           # adds quantity x price
//! set = "cart.quantity_changed"     # the new absolute quantity
//! remove = ["cart.item_removed", "cart.item_saved_for_later"]
//! product = "product_id"
//! quantity = "quantity"
//! price = "unit_price"
//! currency = "currency"
//! ```
//!
//! `histogram` says which buckets of its durations a promise publishes, and with that what its rules
//! and dashboards read. Native ones are in protobuf only, and scraped by a Prometheus that was told to
//! (`scrape_native_histograms`); with `native` the text formats have nothing but the bucket to +Inf,
//! sum and count. State counts both whatever is said: a promise goes on with what it has when the key
//! changes.
//!
//! A file's definition takes the place of a pack's of the same id.

mod client;
mod definition;
mod http;
mod problem;
mod text;
mod topics;
mod warnings;

pub mod canonical;
pub mod estimate;
pub mod fingerprint;
pub mod generation;
pub mod metrics;
pub mod packs;
pub mod plan;
pub mod settings;

pub use plan::Plan;
pub use problem::Problem;
pub use settings::Settings;
pub use warnings::warnings;

use definition::{Definitions, Frame};
use estimate::{beyond_max_series, estimate};
use problem::{Place, Problems, suggestion};
use settings::ClientRules;
use text::section::{Section, Sited};
use text::tree::Table;
use text::{environment, tree};

/// A file that the configuration names: a catalogue file or a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileText {
    /// As the configuration has it.
    pub name: String,
    /// How messages call it, such as the path from where the program runs.
    pub path: String,
    /// Its text, or why it can't be read.
    pub text: Result<String, String>,
}

/// Everything that is read.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// How messages call the configuration file.
    pub path: &'a str,
    /// The configuration file's text.
    pub text: &'a str,
    /// Environment variables as (name, value); those that don't begin with `KEPT__` are ignored.
    pub environment: &'a [(String, String)],
    /// The files that `wanted_files` named.
    pub files: &'a [FileText],
}

/// The files that `read` will want, as the configuration names them: catalogue files and secrets.
/// Says nothing about problems; `read` does.
pub fn wanted_files(text: &str, variables: &[(String, String)]) -> Vec<String> {
    let problems = Problems::default();
    let document = document("", text, variables, &problems);
    let root = Section::new(&document, "", &[], &problems);
    let inner = |table: Option<&Table>, key: &str| {
        table.and_then(|table| Section::new(table, "", &[], &problems).table(key).cloned())
    };
    let files = root.table("catalogue").and_then(|table| {
        Section::new(table, "", &[], &problems)
            .texts("files")
            .map(|list| list.value)
    });
    let mut names: Vec<String> = files
        .into_iter()
        .flatten()
        .map(|file: Sited<String>| file.value)
        .collect();
    for (section, key) in [("kafka", "client"), ("state", "options")] {
        let passed_on = inner(root.table(section), key);
        names.extend(client::secret_files(passed_on.as_ref()));
    }
    names
}

/// Reads the configuration and all catalogue files; every problem of all of them at once.
/// What librdkafka would say of `[kafka.client]` is left out: `read_for` asks that too.
pub fn read(sources: &Sources<'_>) -> Result<(Settings, Plan), Vec<Problem>> {
    read_all(sources, None)
}

/// As `read`, with librdkafka's judgement of the settings in `[kafka.client]`.
pub fn read_for(
    sources: &Sources<'_>,
    rules: &ClientRules<'_>,
) -> Result<(Settings, Plan), Vec<Problem>> {
    read_all(sources, Some(rules))
}

fn read_all(
    sources: &Sources<'_>,
    rules: Option<&ClientRules<'_>>,
) -> Result<(Settings, Plan), Vec<Problem>> {
    let problems = Problems::default();
    let document = document(sources.path, sources.text, sources.environment, &problems);
    let read = settings::read(&document, sources.files, rules, &problems);
    let mut from_packs = Definitions::default();
    for pack in &read.packs {
        let Some((name, text)) = packs::PACKS.iter().find(|(name, _)| *name == pack.value) else {
            let names = packs::PACKS.map(|(name, _)| name);
            let hint = suggestion(&pack.value, &names);
            problems.add(
                &pack.place,
                format!("there is no pack \"{}\"{hint}", pack.value),
            );
            continue;
        };
        from_packs.add(
            &tree::parse(&format!("{}{name}", packs::PACK), text, &problems),
            &problems,
        );
    }
    let mut from_files = Definitions::default();
    for file in &read.files {
        let text = client::content(sources.files, &file.value, &file.place, &problems);
        let shown = sources.files.iter().find(|known| known.name == file.value);
        if let Some((text, shown)) = text.zip(shown) {
            from_files.add(&tree::parse(&shown.path, text, &problems), &problems);
        }
    }
    let settings::Read {
        mut settings,
        namespace,
        time,
        limits,
        topics,
        ..
    } = read;
    let frame = Frame {
        namespace,
        time,
        limits,
        topics,
        generation: &settings.generation,
    };
    settings.replaced = from_packs.replaced_by(&from_files);
    let (plan, alerting) =
        definition::plan(frame, &from_packs.overlaid_with(from_files), &problems);
    settings.generation.kpis = alerting;
    if problems.is_empty() {
        let entry = document.get("catalogue").map(|entry| &entry.node);
        let place = entry.map_or(&document.place, |node| &node.place);
        refuse_too_many_series(&plan, place, &problems);
    }
    let problems = problems.into_sorted();
    if problems.is_empty() {
        Ok((settings, plan))
    } else {
        Err(problems)
    }
}

fn refuse_too_many_series(plan: &Plan, place: &Place, problems: &Problems) {
    for one in estimate(plan) {
        if let Some(message) = beyond_max_series(plan, &one) {
            problems.add(place, message);
        }
    }
}

fn document(path: &str, text: &str, variables: &[(String, String)], problems: &Problems) -> Table {
    let mut document = tree::parse(path, text, problems);
    environment::overlay(&mut document, variables, problems);
    document
}
