//! `kept state` as a process: what it shows of sound and damaged snapshots, its exit codes, and
//! that a reset deletes only what was agreed to.
#![allow(clippy::disallowed_methods, reason = "the test of a process has files")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use catalogue::{FileText, Plan, Settings, Sources, fingerprint};
use engine::Task;
use pipeline::header::{Header, InputHeader};
use pipeline::lineage::Lineage;
use pipeline::name::SnapshotName;
use store::{Store, TaskFolder, What};
use support::{Bucket, Finished, Kafka, Mood, finish};

const KEPT: &str = env!("CARGO_BIN_EXE_kept");
/// Longer than a save into a folder takes.
const PATIENCE: Duration = Duration::from_secs(60);
const COUNTS: &str = "[kpi.orders]\nkind = \"count\"\nhelp = \"Orders\"\n\
    event = { type = \"order.placed\" }\nwindows = [\"5m\"]\n\
    [kpi.ended]\nkind = \"count\"\nhelp = \"Orders fulfilled\"\n\
    event = { type = \"order.fulfilled\" }\n";
const PROMISE: &str = "[kpi.fulfilment]\nkind = \"promise\"\nhelp = \"From purchase to fulfilment\"\n\
    start = { type = \"order.placed\", key = \"order_id\" }\n\
    end = { type = \"order.fulfilled\", key = \"order_id\" }\n\
    within = \"60s\"\nobjective = 0.95\n";

/// A configuration in a folder of its own, and snapshots made by it.
struct State {
    folder: PathBuf,
    group: String,
}

impl State {
    fn new(name: &str, brokers: &str) -> State {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("state-{name}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("the folder is writable");
        let group = format!("state-{name}-{}", std::process::id());
        let config = format!(
            "[kafka]\nbrokers = \"{brokers}\"\ngroup = \"{group}\"\n\
             topic = [{{ name = \"shop\" }}]\n[state]\nurl = \"file://{}/snapshots\"\n",
            folder.display()
        );
        fs::write(folder.join("kept.toml"), config).expect("the folder is writable");
        State { folder, group }
    }

    /// Two topics with a KPI on each, and more KPIs.
    fn count_on_two_topics(&self, more: &str) {
        let config = format!(
            "[kafka]\nbrokers = \"127.0.0.1:1\"\ngroup = \"{}\"\n\
             [[kafka.topic]]\nname = \"placed\"\ntypes = [\"order.placed\"]\n\
             [[kafka.topic]]\nname = \"ended\"\ntypes = [\"order.fulfilled\"]\n\
             [catalogue]\nfiles = [\"kpis.toml\"]\n[state]\nurl = \"file://{}/snapshots\"\n",
            self.group,
            self.folder.display()
        );
        fs::write(self.folder.join("kept.toml"), config).expect("the folder is writable");
        let kpis = format!("{COUNTS}{more}");
        fs::write(self.folder.join("kpis.toml"), kpis).expect("the folder is writable");
    }

    fn config(&self) -> String {
        self.folder.join("kept.toml").display().to_string()
    }

    fn kept(&self, part: &str, arguments: &[&str]) -> Finished {
        let config = self.config();
        let mut all = vec!["state", part, "--config", &config];
        all.extend(arguments);
        finish(KEPT, &all, None)
    }

    fn read(&self) -> (Settings, Plan) {
        let text = fs::read_to_string(self.config()).expect("it was written");
        let kpis = fs::read_to_string(self.folder.join("kpis.toml")).map(|text| FileText {
            name: "kpis.toml".to_owned(),
            path: "kpis.toml".to_owned(),
            text: Ok(text),
        });
        let files: Vec<FileText> = kpis.into_iter().collect();
        let sources = Sources {
            path: "kept.toml",
            text: &text,
            environment: &[],
            files: &files,
        };
        catalogue::read(&sources).expect("the configuration is good")
    }

    /// Saves an empty task of this partition as if it stood at the offset; returns its name.
    fn save(&self, partition: i32, offset: i64) -> String {
        self.save_of(0, partition, offset)
    }

    /// Likewise, of a group of the plan.
    fn save_of(&self, group: usize, partition: i32, offset: i64) -> String {
        let (settings, plan) = self.read();
        let plan = Arc::new(plan);
        let store = Store::open(&settings.state, &self.group).expect("the URL is good");
        let mut task = Task::new(Arc::clone(&plan), group, partition);
        let topics = plan.groups[group].topics.iter();
        let topics: Vec<String> = topics
            .map(|topic| plan.topics[usize::from(topic.0)].name.clone())
            .collect();
        (0..topics.len()).for_each(|input| task.start_at(input, offset));
        let name = SnapshotName {
            plan: fingerprint::of_plan(&plan, group),
            lineage: Lineage(7),
            offsets: vec![offset; topics.len()],
            exact: true,
        };
        let input = InputHeader {
            origin: None,
            partitions: 4,
            last: None,
        };
        let header = Header {
            lineage: Lineage(7),
            inputs: vec![input; topics.len()],
        };
        let folder = TaskFolder { topics, partition };
        let client = store.client();
        client.save(folder, name.to_string(), task.save(&header.to_bytes()));
        let answer = client.answers().recv_timeout(PATIENCE);
        match answer.expect("a save has an answer").what {
            What::Saved {
                result: Ok(saved), ..
            } => assert!(saved.bytes > 0),
            other => panic!("the snapshot is not saved: {other:?}"),
        }
        name.to_string()
    }

    fn object(&self, partition: i32, name: &str) -> PathBuf {
        self.object_of("shop", partition, name)
    }

    fn object_of(&self, topic: &str, partition: i32, name: &str) -> PathBuf {
        let group = self.folder.join("snapshots").join(&self.group);
        group.join(format!("{topic}/{partition}/{name}"))
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[track_caller]
fn has(text: &str, expected: &[&str]) {
    for part in expected {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn list_shows_every_snapshot_and_marks_what_it_can_not_read() {
    let state = State::new("list", "127.0.0.1:1");
    let empty = state.kept("list", &[]);
    assert_eq!(empty.status.code(), Some(0), "{empty:?}");
    has(&empty.stdout, &["no snapshots in file://"]);
    let (one, other) = (state.save(0, 10), state.save(3, 77));
    fs::write(state.object(3, &other), "damaged").expect("it is there");
    let listed = state.kept("list", &[]);
    assert_eq!(listed.status.code(), Some(0), "{listed:?}");
    let lines: Vec<&str> = listed.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{listed:?}");
    assert!(lines[0].trim_start().starts_with("TASK"), "{listed:?}");
    has(
        lines[1],
        &["*  shop/0", "this", "0000000000000007", "  10  ", &one],
    );
    has(
        lines[2],
        &["shop/3", "this", "  77  ", "unreadable", &other],
    );
}

#[test]
fn list_and_check_tell_what_a_changed_join_goes_on_from() {
    let state = State::new("join", "127.0.0.1:1");
    state.count_on_two_topics("");
    let (older, placed) = (state.save_of(0, 0, 9), state.save_of(0, 0, 8));
    let ended = state.save_of(1, 0, 10);
    let check = || {
        let config = state.config();
        finish(KEPT, &["check", "--config", &config], None)
    };
    let same = check();
    assert!(
        !same.stdout.contains("restart:"),
        "nothing changes: {same:?}"
    );
    state.count_on_two_topics(PROMISE);
    let said = check();
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    let one_task =
        "restart: placed+ended is one task now, where the snapshots are of ended and placed";
    let anew = "of placed+ended these KPIs begin anew, all others go on: fulfilment (new)";
    has(&said.stdout, &[one_task, anew]);
    let listed = state.kept("list", &[]);
    let lines: Vec<&str> = listed.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{listed:?}");
    has(lines[1], &["*  ended/0", "joined otherwise", &ended]);
    has(lines[2], &["   placed/0", &older]);
    has(lines[3], &["*  placed/0", &placed]);
    state.save_of(0, 0, 11);
    let joined = state.kept("list", &[]);
    let marked: Vec<&str> = joined
        .stdout
        .lines()
        .filter(|line| line.starts_with('*'))
        .collect();
    assert_eq!(marked.len(), 1, "{joined:?}");
    has(marked[0], &["placed+ended/0", "this"]);
    assert!(
        !check().stdout.contains("restart:"),
        "it goes on from its own"
    );
}

#[test]
fn check_tells_that_the_newest_snapshot_can_not_be_read_and_nothing_that_it_would_say() {
    let state = State::new("torn", "127.0.0.1:1");
    state.count_on_two_topics("");
    state.save_of(0, 0, 9);
    let ended = state.save_of(1, 0, 10);
    fs::write(state.object_of("ended", 0, &ended), "damaged").expect("it is there");
    state.count_on_two_topics(PROMISE);
    let config = state.config();
    let said = finish(KEPT, &["check", "--config", &config], None);
    let lines = said.stdout.lines();
    let lines: Vec<&str> = lines.filter(|line| line.contains("restart:")).collect();
    let unread = "restart: the newest snapshot of ended/0 can't be read: `kept state verify`";
    assert_eq!(lines, [unread], "{said:?}");
}

#[test]
fn check_tells_which_kpis_begin_anew_with_another_definition() {
    let state = State::new("anew", "127.0.0.1:1");
    state.count_on_two_topics("");
    state.save_of(0, 0, 9);
    let kpis = state.folder.join("kpis.toml");
    let text = fs::read_to_string(&kpis).expect("it was written");
    let changed = text.replace("windows = [\"5m\"]\n", "windows = [\"1h\"]\n");
    fs::write(&kpis, changed).expect("it can be written");
    let config = state.config();
    let said = finish(KEPT, &["check", "--config", &config], None);
    has(
        &said.stdout,
        &["restart: of placed these KPIs begin anew, all others go on: orders (changed)"],
    );
}

#[test]
fn show_tells_what_is_in_one_by_task_or_by_name() {
    let state = State::new("show", "127.0.0.1:1");
    let name = state.save(2, 10);
    for which in ["shop/2", name.as_str()] {
        let shown = state.kept("show", &[which]);
        assert_eq!(shown.status.code(), Some(0), "{shown:?}");
        let expected = [&name, "this one", "shop  10  no event yet", "  the same\n"];
        has(&shown.stdout, &expected);
    }
    let config = fs::read_to_string(state.config()).expect("it is there");
    let changed = format!("{config}[catalogue]\npacks = [\"cart\"]\n");
    fs::write(state.config(), changed).expect("it can be written");
    let shown = state.kept("show", &[&name]);
    has(&shown.stdout, &["another one", "not in this plan: dropped"]);
    let missing = state.kept("show", &["shop/9"]);
    assert_eq!(missing.status.code(), Some(1), "{missing:?}");
    has(&missing.stderr, &["no task and no snapshot \"shop/9\""]);
}

#[test]
fn show_asks_which_task_is_meant_where_several_have_read_equally_far() {
    let state = State::new("equal", "127.0.0.1:1");
    let name = state.save(2, 10);
    assert_eq!(state.save(5, 10), name, "equal offsets, equal names");
    let shown = state.kept("show", &[&name]);
    assert_eq!(shown.status.code(), Some(1), "{shown:?}");
    has(&shown.stderr, &["2 tasks", "(shop/2, shop/5)"]);
    let shown = state.kept("show", &[&format!("shop/5/{name}")]);
    assert_eq!(shown.status.code(), Some(0), "{shown:?}");
    has(&shown.stdout, &["shop/5"]);
}

#[test]
fn verify_fails_if_one_is_unsound_and_says_which_and_why() {
    let state = State::new("verify", "127.0.0.1:1");
    let (good, bad) = (state.save(0, 10), state.save(1, 20));
    let verified = state.kept("verify", &[]);
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    has(
        &verified.stdout,
        &["sound  shop/0/", "2 snapshots in", "0 unsound"],
    );
    let object = state.object(1, &bad);
    let mut bytes = fs::read(&object).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&object, bytes).expect("it can be written");
    let verified = state.kept("verify", &[]);
    assert_eq!(verified.status.code(), Some(1), "{verified:?}");
    let expected = [
        &format!("sound  shop/0/{good}\n"),
        &format!("UNSOUND  shop/1/{bad}: "),
        "2 snapshots in",
        "1 unsound",
    ];
    has(&verified.stdout, &expected);
    assert_eq!(
        verified.stdout.matches(&bad).count(),
        1,
        "its name is said once: {verified:?}"
    );
}

#[test]
fn verify_refuses_a_snapshot_under_another_offset_s_name() {
    let state = State::new("renamed", "127.0.0.1:1");
    let name = state.save(0, 10);
    let other = name.replace("00010.kept", "00011.kept");
    fs::rename(state.object(0, &name), state.object(0, &other)).expect("it is there");
    let verified = state.kept("verify", &[]);
    assert_eq!(verified.status.code(), Some(1), "{verified:?}");
    has(&verified.stdout, &["its state is at [10], not where"]);
}

#[test]
fn reset_without_a_broker_deletes_nothing() {
    let state = State::new("unreachable", "127.0.0.1:1");
    let name = state.save(0, 10);
    let done = state.kept("reset", &["--yes"]);
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    has(&done.stderr, &["can't ask 127.0.0.1:1 about group"]);
    assert!(state.object(0, &name).exists());
}

#[test]
fn reset_deletes_when_the_group_s_name_is_typed_and_only_then() {
    let kafka = Kafka::shared();
    let state = State::new("reset", &kafka.brokers());
    let name = state.save(0, 10);
    let config = state.config();
    let typed = |text: &str| {
        let answers = state.folder.join("answers");
        fs::write(&answers, text).expect("the folder is writable");
        let arguments = ["state", "reset", "--config", &config];
        finish(KEPT, &arguments, Some(&answers))
    };
    let refused = typed("kept\n");
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    has(&refused.stdout, &["This deletes 1 snapshot of 1 task in"]);
    has(&refused.stderr, &["nothing was deleted"]);
    assert!(state.object(0, &name).exists());
    let done = typed(&format!("{}\n", state.group));
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    has(
        &done.stdout,
        &["there were no committed offsets", "1 object deleted"],
    );
    assert!(!state.object(0, &name).exists());
    let left = fs::read_dir(state.folder.join("snapshots")).expect("it is the user's own");
    assert_eq!(left.count(), 0, "no empty folders are left behind");
}

#[test]
fn check_tries_the_folder_and_leaves_nothing_behind() {
    let state = State::new("check", "127.0.0.1:1");
    let check = |arguments: &[&str]| {
        let config = state.config();
        let mut all = vec!["check", "--config", &config];
        all.extend(arguments);
        finish(KEPT, &all, None)
    };
    let good = check(&[]);
    assert_eq!(good.status.code(), Some(0), "{good:?}");
    assert!(!good.stderr.contains("state store"), "{good:?}");
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).expect("it is there");
        let names = entries.map(|entry| entry.expect("it can be read").file_name());
        names
            .map(|name| name.to_string_lossy().into_owned())
            .collect()
    };
    assert_eq!(names(&state.folder), ["kept.toml"]);
    // A file where the folder should be: nobody can write into it, root neither.
    fs::write(state.folder.join("snapshots"), "").expect("the folder is writable");
    let bad = check(&[]);
    assert_eq!(
        bad.status.code(),
        Some(0),
        "a configuration may be for elsewhere: {bad:?}"
    );
    has(
        &bad.stderr,
        &[
            "warning: no snapshot can be saved in the state store",
            "snapshots",
        ],
    );
    let here = check(&["--broker"]);
    assert_eq!(here.status.code(), Some(1), "{here:?}");
    has(
        &here.stderr,
        &["error: no snapshot can be saved in the state store"],
    );
}

#[test]
fn check_with_a_broker_refuses_another_number_of_partitions_than_the_state_s() {
    let kafka = Kafka::shared();
    kafka.create_topic("shop", 2, &[]);
    let state = State::new("grown", &kafka.brokers());
    state.save(0, 10);
    let config = state.config();
    let check = |arguments: &[&str]| {
        let mut all = vec!["check", "--config", &config];
        all.extend(arguments);
        finish(KEPT, &all, None)
    };
    let grown = "error: topic shop had 4 partitions when this state was made and has 2 now";
    let here = check(&["--broker"]);
    assert_eq!(here.status.code(), Some(1), "{here:?}");
    has(&here.stderr, &[grown, "`kept state reset`"]);
    let alone = check(&[]);
    assert_eq!(alone.status.code(), Some(0), "nobody was asked: {alone:?}");
}

#[test]
fn check_with_a_broker_tries_a_bucket() {
    let bucket = Bucket::start();
    let state = State::new("bucket", "127.0.0.1:1");
    let config = state.folder.join("kept.toml");
    let text = fs::read_to_string(&config).expect("it was written");
    let url = format!("url = \"file://{}/snapshots\"\n", state.folder.display());
    fs::write(&config, text.replace(&url, &bucket.settings())).expect("it can be written");
    let check = || {
        let config = state.config();
        finish(KEPT, &["check", "--config", &config, "--broker"], None)
    };
    let good = check();
    assert!(!good.stderr.contains("state store"), "{good:?}");
    assert!(
        bucket.requests() >= 3,
        "it was listed, written to and cleaned"
    );
    assert_eq!(bucket.keys(), Vec::<String>::new());
    bucket.set_mood(Mood::Unavailable);
    let bad = check();
    assert_eq!(bad.status.code(), Some(1), "{bad:?}");
    has(
        &bad.stderr,
        &["error: no snapshot can be saved in the state store, url in [state] is \"s3://"],
    );
}
