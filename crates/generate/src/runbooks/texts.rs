//! What people do about each alert. Plain sentences, in the order in which they are needed at
//! night: is it real, whose is it, what stops it.

/// The words of one runbook.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// The alert's name.
    pub alert: &'static str,
    /// What it means for customers or for those who rely on the numbers.
    pub meaning: &'static str,
    /// In order.
    pub look: &'static [&'static str],
    /// In order.
    pub act: &'static [&'static str],
}

const PIPE: &str = "The alert's text says whether there are signs of a late pipe: a consumer lag, a source whose \
events are old on arrival, orders judged broken too early. Without any it is the shop, or events that are not sent \
at all: look up one overdue order in its service's own database.";
const OVERDUE: &str =
    "The worst open orders: key, age and the step they wait for come from `/api/overdue` (below).";
const WORST: &str = "Where: the parts with most overdue, and the step that most wait for. That step's owner can \
say what broke.";
const CHANGES: &str =
    "What changed just before: deployments, flags, a provider's status page. Roll back what fits.";
const LOGS: &str =
    "Kept's log of the last minutes: it names what it waits for and every trouble with Kafka.";
const READY: &str = "`/readyz` of each instance: it says what is missing, in words.";

/// One for each alert.
pub const TEXTS: [Text; 25] = [
    Text {
        alert: "PromiseStalled",
        meaning: "Orders come in, wait past their limit, and not one was completed. Customers wait now. \
            With level `part` it is so for one combination of dimensions, with level `all` for the whole shop. It asks \
            for orders that still start (`started:increase5m > 0`): when none does for five minutes, at night or \
            because the shop is down, it ends or never begins although customers may wait. Overdue on the dashboard \
            and `/api/overdue` still show them.",
        look: &[PIPE, OVERDUE, WORST, CHANGES],
        act: &[
            "Call the owner of the step that the orders wait for.",
            "Shop: bring that service back or switch to its fallback; open orders are completed when it returns.",
            "Pipe: if orders are fulfilled but their events don't arrive, see `PromiseEventsMissing`; customers are fine, the numbers are not.",
            "Watch overdue fall. The alert ends five minutes after orders complete again.",
        ],
    },
    Text {
        alert: "PromiseMissed",
        meaning: "Of the orders of the last five minutes, far more than allowed took longer than promised, or wait \
            longer already. Orders still complete: it is slow or partly broken, not stopped.",
        look: &[PIPE, WORST, OVERDUE, CHANGES],
        act: &[
            "Compare the steps' 95th percentiles with an hour ago (for fulfilment `job:shop_fulfilment_step_seconds:p95_5m`, and `offset 1h` of it): the one that grew is the cause.",
            "Relieve that step: scale out, shed work that can wait, switch the provider.",
            "If judged-too-early rises, nothing is broken in the shop: find the late producer.",
        ],
    },
    Text {
        alert: "PromiseBudgetBurnsFast",
        meaning: "Broken orders use up the allowed share so fast that the objective of the month is in danger. The alert's \
            label `window` says over which time. With `5m` it is often the first sign of a stop: the page of \
            `PromiseStalled` or `PromiseMissed` may be minutes away. With longer ones it has gone on for a while, and \
            a short window shows that it still does.",
        look: &[PIPE, WORST, OVERDUE, CHANGES],
        act: &[
            "Window 5m: go on as in `PromiseStalled` if nothing completes, else as in `PromiseMissed`.",
            "Longer windows: find the step that grew and relieve it.",
            "If it can't be mended tonight, tell the owner of the promise what share is lost each hour.",
        ],
    },
    Text {
        alert: "PromiseBudgetBurnsSlowly",
        meaning: "For days a few more orders than allowed have been broken. Nobody need wake, somebody must look this week.",
        look: &[
            WORST,
            "The share of broken orders by day and by part: a step that began at a release, or grew with the load?",
            OVERDUE,
        ],
        act: &[
            "Open a ticket with the step and the part that grew, to their owner.",
            "If the limit or the objective is no longer what customers are promised, change the catalogue, not the alert.",
        ],
    },
    Text {
        alert: "PromiseEventsMissing",
        meaning: "Orders start, but one type of event that should follow has stopped altogether. Either the service that \
            sends it stands still, or its events get lost on the way to Kafka. Where a promise follows only some events \
            of a type (`where`), others of that type may go on: the text says `none of its` then, and counts only what \
            its own orders took; of two steps that stopped, the first one's owner is told.",
        look: &[
            "Does the service still work? Its own dashboard, or one order looked up in its database.",
            "Does its producer reach Kafka? Its log, and the end offsets of its topic.",
            "Are its events rejected? `KeptRejects`, and the dead-letter topic.",
            "Does the text say `none of its`, and others of the type go on? Then look whether its orders' keys and the fields of its `where` still have the values that the catalogue names.",
        ],
        act: &[
            "Service down: it is the shop; see `PromiseStalled`.",
            "Service up, events missing: mend its producer. When it sends what it held back, orders that were judged broken count as judged too early.",
            "Type renamed: change the catalogue's selector.",
        ],
    },
    Text {
        alert: "TargetMissed",
        meaning: "A KPI is beyond the `max` or `min` that its owner has set in the catalogue.",
        look: &[
            "The KPI's panel: a step, a slope, or a season? Compare with the same hour last week.",
            "Its dimensions: one channel or device alone points at a release there.",
            "Events missing or rejected make ratios wrong: `KeptRejects`, `PromiseEventsMissing`.",
        ],
        act: &[
            "Hand it to the KPI's owner with the part that moved.",
            "If the target is wrong, change it in the catalogue and generate again.",
        ],
    },
    Text {
        alert: "Watchdog",
        meaning: "Always firing, so that whoever receives it knows that alerts arrive. Its absence is the alarm.",
        look: &[
            "If the receiver misses it: is Prometheus up, does it evaluate rules, is Alertmanager up and reached?",
        ],
        act: &["Mend whatever of the three is down. Until then nothing else can page you."],
    },
    Text {
        alert: "KeptDown",
        meaning: "Prometheus can't scrape an instance. Other instances take over its partitions within the session timeout; \
            a single one leaves the shop unwatched.",
        look: &[
            "The process: running, restarting, killed for memory?",
            "Its log's last lines.",
            "The network from Prometheus to it.",
        ],
        act: &[
            "Start it again: it goes on from its last snapshot, no number is lost.",
            "If it ends at once, its last line says why; `kept check --broker` finds wrong settings.",
        ],
    },
    Text {
        alert: "KeptAbsent",
        meaning: "No instance of Kept is scraped. Neither the promise nor Kept itself is watched.",
        look: &[
            "Prometheus' targets page: is the job there, with this name? `job` of `[generate]` must be the same.",
            "Are all instances down at once? Then a shared cause: Kafka, the configuration, the image.",
        ],
        act: &[
            "Start one instance by hand with the same configuration; it says what is wrong.",
            "See `KeptDown`.",
        ],
    },
    Text {
        alert: "KeptNotReady",
        meaning: "Kept runs but serves no partition, so the KPIs are absent.",
        look: &[
            READY,
            "Kafka: do the topics exist, does the group get an assignment?",
            "`kept_partitions_without_owner` above 0: the group has given partitions to nobody.",
            LOGS,
        ],
        act: &[
            "Waiting for an assignment: another member may hold the group, or the broker is away.",
            "Restoring: wait, the log shows how far it is; snapshots in a slow store take longer.",
        ],
    },
    Text {
        alert: "KeptBehind",
        meaning: "Kept has not read what there is, or some tasks are not served yet. What it shows is old, therefore alerts \
            on all promises and targets are silent, exactly as long as this is so: one lagging partition is enough, since \
            orders of any KPI and region may wait in it and a share without them would be wrong. This alert stands in for \
            them, and ends a minute after Kept has caught up: no page on a promise waits for it.",
        look: &[
            "Is Kafka reachable? `kept_kafka_errors_total` and the log.",
            "Is the lag falling (catching up after a restart) or growing (not enough instances)?",
            "One partition only: a slow broker, or a partition without a leader. What the other partitions show on the dashboards is right.",
            "Was a promise's page open before? It ends while Kept is behind: that is no sign that the shop is well.",
        ],
        act: &[
            "Kafka down: mend it first; until then watch the shop by its own dashboards.",
            "Falling: wait. Growing: add an instance, up to the number of partitions.",
        ],
    },
    Text {
        alert: "KeptClockStalled",
        meaning: "A partition's event time does not move although its topic has events. Its orders are not judged: those past \
            their limit stay overdue. Its windows go on by wall time, as long as Kept reads all there is, and empty.",
        look: &[
            "Does the partition get records at all? Its end offset.",
            "Is its clock in the future? An event with a wrong time moved it there; it goes on when time has caught up.",
        ],
        act: &[
            "No records: the producers' partitioner or its key.",
            "Future: find the producer by `KeptProducerSkewed`; lower `max_future` if it may happen again.",
        ],
    },
    Text {
        alert: "KeptSnapshotOld",
        meaning: "No snapshot was stored for a while. All is shown well, but a crash now means reading much again.",
        look: &[
            "`kept_snapshot_failures_total` by reason; a text without a partition says that none was ever stored.",
            "The store: reachable, full, permissions?",
        ],
        act: &[
            "Mend the store. Don't restart Kept before it works: the log must still reach back to the last snapshot.",
        ],
    },
    Text {
        alert: "KeptInexact",
        meaning: "A limit of open or held entities was hit, so that some events were not followed. Counts may be too low.",
        look: &[
            "`kept_entities_overflow_total` by KPI and limit.",
            "Are keys right? A key that never repeats opens entities without end.",
        ],
        act: &[
            "Raise the limit in `[limits]` if memory allows, or mend the key.",
            "Only a rebuilt state is exact again: stop all instances, `kept state reset`, start them. That deletes all snapshots and begins where `start` of `[kafka]` says: totals begin anew.",
        ],
    },
    Text {
        alert: "KeptPartitionsUnowned",
        meaning: "The group is stable, but some partitions of the topics have no member: nobody reads them. The member that \
            leads the group gave them to nobody, because it did not see them (topics made anew during a rebalance, \
            partitions added, rights that differ between members, a foreign program in the group). Kept joins anew to make \
            it look again, with growing pauses; this goes on in spite of that.",
        look: &[
            "Which ones: the log of an instance, and /readyz of one that has none at all (\"no worker of group ... has partition ...\").",
            "Who is in the group: `kafka-consumer-groups.sh --describe --members --verbose`. A member that isn't Kept?",
            "`kept check --config kept.toml --broker`: does each instance see all topics and partitions, may it read them?",
            "Partitions added to a topic? Kept then refuses to go on and its log says what to do.",
        ],
        act: &[
            "A foreign member: stop it, or give Kept a `group` of its own.",
            "Else restart the instances one after the other, the group's leader at last is a new one: no number is lost.",
            "Nothing is lost meanwhile as long as the topic keeps its records: they are read when the partitions have an owner.",
        ],
    },
    Text {
        alert: "KeptNoEvents",
        meaning: "Not one record of any topic has arrived for ten minutes, after a busy hour. Nothing starts, so no alert on \
            a KPI can fire. It ends by itself after an hour of silence: don't wait for that.",
        look: &[
            "Can you place an order? Whether the shop's front door works is the first question.",
            "The topics' end offsets: do they rise? Then Kept doesn't read them; if not, nobody writes.",
            LOGS,
        ],
        act: &[
            "Shop down: call whoever runs its front door.",
            "Shop up, nothing written: the producers' way to Kafka (network, rights, a full disk at the broker).",
            "Written but not read: restart the instance that owns the partitions; no number is lost.",
        ],
    },
    Text {
        alert: "KeptRejects",
        meaning: "More than one in a hundred records of a topic can't be read as an event.",
        look: &[
            "`kept_records_rejected_total` by reason.",
            "A few records of the dead-letter topic: the headers say reason, topic, partition and offset.",
        ],
        act: &[
            "Tell the producer's team, with one record as an example.",
            "When it is mended, the records can be produced again. Within `dedupe` of `[time]` what was taken already is a duplicate and counts once; what is older is left out of the counts.",
        ],
    },
    Text {
        alert: "KeptEventsLate",
        meaning: "Many events come later than the lateness allows. Counts still take them; promises may be judged broken too early.",
        look: &[
            "Delay by source: one producer, or all?",
            "Judged too early: does it rise?",
        ],
        act: &[
            "One source: its team. All: the pipe before Kafka.",
            "If it must be so, raise `lateness` of that topic; breaks are then confirmed later by as much.",
        ],
    },
    Text {
        alert: "KeptEventsTooLate",
        meaning: "Events come so late that Kept can't tell whether it has seen them: counts leave them out.",
        look: &[
            "Delay by source.",
            "Was history produced on the live topic?",
        ],
        act: &[
            "History belongs on a topic of its own, not on the live one.",
            "Else raise `dedupe` in `[time]`; memory grows with it.",
        ],
    },
    Text {
        alert: "KeptLabelOverflow",
        meaning: "A dimension has more values than allowed. The rest is `other`: totals are right, the split is not.",
        look: &["The values of the label: an id or free text among them?"],
        act: &[
            "Mend the producer, or declare the values in the catalogue, or raise `label_values` in `[limits]`.",
        ],
    },
    Text {
        alert: "KeptProducerSkewed",
        meaning: "A source's events carry times far from when they reached Kafka: a wrong clock, or events held back.",
        look: &[
            "Before they happened: its clock is fast. After: its clock is slow, or it holds events back.",
            "Time synchronisation on that host.",
            "The limit above is the topic's `lateness`; a rule without a topic's name is about all topics that no other rule names.",
        ],
        act: &[
            "Mend the clock or the producer's batching. It is the pipe: no order is later for it.",
        ],
    },
    Text {
        alert: "KeptEntitiesOverflow",
        meaning: "A KPI has reached its limit of entities and does not follow new ones: its numbers are too low.",
        look: &[
            "Which limit: open, remembered, held?",
            "Open orders: is the end event missing altogether?",
        ],
        act: &[
            "Missing ends: see `PromiseEventsMissing`.",
            "Else raise the limit in `[limits]`.",
        ],
    },
    Text {
        alert: "KeptDeadLettersLost",
        meaning: "Rejected records could not be written to the dead-letter topic. They are counted, but can't be looked at.",
        look: &["Does the topic exist, may Kept write to it?", LOGS],
        act: &["Create it or grant the right; the next rejects are kept again."],
    },
    Text {
        alert: "KeptLogGap",
        meaning: "Records had left the log before Kept read them: retention was shorter than the time it was away.",
        look: &["How long was it away, how long does the topic keep records?"],
        act: &[
            "The numbers of that time are too low for good: say so where they are used.",
            "Raise the topic's retention above the longest outage you expect.",
        ],
    },
    Text {
        alert: "KeptStateLost",
        meaning: "A task had neither a usable snapshot nor a log that reaches back to what was shown, so its totals began at \
            zero. Windows and open orders are rebuilt from what the log still has. Rates and increases are right across it \
            (to them it is a restart); a panel or a report that shows totals since ever begins anew.",
        look: &[
            "Which: `kept_state_lost_timestamp_seconds` by topic and partition; the log says \"its totals begin at 0\" and why.",
            "The store: was the folder wiped, not mounted, or another `url` set? `kept state list` says what is there.",
            "`kept_snapshots_refused_total` by reason, `KeptSnapshotOld` and `KeptLogGap` from before.",
            "Was the topic deleted and made again? Then this is as it should be.",
        ],
        act: &[
            "Store not mounted or a wrong `url`: every further restart loses the totals again; mend that first. A snapshot from \
             before is not taken up any more once numbers from zero were shown.",
            "Read numbers over that moment as `increase(...)` or the recorded `:increase` rules, not as a difference of totals, \
             and say in the report which partitions began anew and when.",
            "Keep the topic's retention above the longest time without a snapshot, and the store on a disk that outlives Kept.",
        ],
    },
];
