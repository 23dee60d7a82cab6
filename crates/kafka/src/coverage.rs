//! Is every partition somebody's? Asked now and then by one worker of the process, its first, on a
//! thread of its own, whether or not it has partitions itself.
//!
//! More workers than partitions is nothing unusual: then some have none and all is well. But a group
//! whose leader did not see a topic, or some of its partitions (they were deleted and made again
//! during a rebalance), gives them to nobody, and librdkafka is content with that for good. So what
//! the group says of its members is compared with the topics: partitions that nobody has at two checks
//! in a row, while the group is stable, are said aloud, and the worker joins anew, which makes the
//! leader look again. Each time that doesn't help it waits for twice as long: joining stops the others
//! for a moment.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;

use crate::context::Context;
use crate::metrics::Trouble;
use crate::topics::partition_counts;
use crate::worker::Setup;

/// How long the brokers may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Only a group in this state has shares that are meant to last.
const STABLE: &str = "Stable";
/// Only this worker of a process asks: the others would hear the same.
const ASKS: usize = 0;
/// A check whose answer somebody waits for comes after this part of the usual pause: the second one
/// of a suspicion, and whether what was told is over.
const SOONER: u32 = 3;
/// So many checks in a row must find a partition without an owner.
const CHECKS: u32 = 2;
/// So often that number is doubled at most.
const DOUBLED: u32 = 5;

/// How often in a row partitions were found without an owner.
#[derive(Default)]
struct Streak {
    checks: u32,
    rejoins: u32,
}

impl Streak {
    /// Once more. Whether that is reason to join anew.
    fn goes_on(&mut self) -> bool {
        self.checks += 1;
        let enough = self.checks >= CHECKS << self.rejoins.min(DOUBLED);
        if enough {
            self.checks = 0;
            self.rejoins += 1;
        }
        enough
    }

    /// There is nothing to be seen: what comes next is counted from the start.
    fn interrupt(&mut self) {
        self.checks = 0;
    }

    /// How long until the next check: shorter after a first suspicion, and when what was told may be
    /// over (`new_share`: the group has been dealt out anew since the last check).
    fn pause(&self, usual: Duration, new_share: bool) -> Duration {
        let suspicion = self.checks == 1 && !self.is_told();
        match suspicion || (new_share && self.is_told()) {
            true => usual / SOONER,
            false => usual,
        }
    }

    /// Whether it was said aloud, and isn't over.
    fn is_told(&self) -> bool {
        self.rejoins > 0
    }
}

/// What the worker that asks knows of the group: why it isn't ready, if it has no share.
#[derive(Default, Debug)]
pub(crate) struct Uncovered {
    text: Mutex<Option<String>>,
    checks: AtomicU64,
}

impl Uncovered {
    /// Which partitions nobody has, if that is so.
    pub(crate) fn get(&self) -> Option<String> {
        self.text.lock().expect("nothing panics in here").clone()
    }

    /// How many checks the group has answered.
    pub(crate) fn checks(&self) -> u64 {
        self.checks.load(Ordering::Relaxed)
    }

    fn set(&self, text: Option<String>) {
        *self.text.lock().expect("nothing panics in here") = text;
    }
}

/// The asking thread, if it is the worker that asks.
pub(crate) struct CoverageAsker {
    shares: Option<Sender<bool>>,
    rejoin: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl CoverageAsker {
    /// Starts the thread; it asks nothing before the first `watch`.
    pub(crate) fn start(
        consumer: Arc<BaseConsumer<Context>>,
        setup: Setup,
        uncovered: Arc<Uncovered>,
    ) -> CoverageAsker {
        let (shares, dealt) = unbounded();
        let (wanted, rejoin) = unbounded();
        if setup.number != ASKS {
            return CoverageAsker {
                shares: None,
                rejoin,
                thread: None,
            };
        }
        let watch = Watch {
            consumer,
            setup,
            uncovered,
            rejoin: wanted,
        };
        let thread = std::thread::Builder::new()
            .name("kept-coverage".into())
            .spawn(move || watch.run(&dealt))
            .expect("the system gives a thread");
        CoverageAsker {
            shares: Some(shares),
            rejoin,
            thread: Some(thread),
        }
    }

    /// The worker has a share, maybe an empty one: the group is dealt out anew.
    pub(crate) fn watch(&self, is_empty: bool) {
        if let Some(shares) = &self.shares {
            // It can only fail when the thread is gone, which `drop` alone brings about.
            let _ = shares.send(is_empty);
        }
    }

    /// Whether the worker should join anew; asked once for each time.
    pub(crate) fn wants_to_rejoin(&self) -> bool {
        self.rejoin.try_recv().is_ok()
    }
}

impl Drop for CoverageAsker {
    fn drop(&mut self) {
        self.shares = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Watch {
    consumer: Arc<BaseConsumer<Context>>,
    setup: Setup,
    uncovered: Arc<Uncovered>,
    rejoin: Sender<()>,
}

impl Watch {
    fn run(&self, dealt: &Receiver<bool>) {
        let usual = self.setup.check_group_every;
        let mut streak = Streak::default();
        // Before the first share there is no group to look at.
        let Ok(mut is_idle) = dealt.recv() else {
            return;
        };
        let mut new_share = true;
        loop {
            match dealt.recv_timeout(streak.pause(usual, new_share)) {
                Ok(is_empty) => {
                    streak.interrupt();
                    (is_idle, new_share) = (is_empty, true);
                    if !is_idle {
                        // It serves what it has: that others are missing is the group's trouble.
                        self.uncovered.set(None);
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            // A broker that doesn't answer is told of elsewhere, and says nothing about the group.
            let Ok(missing) = self.missing() else {
                continue;
            };
            self.uncovered.checks.fetch_add(1, Ordering::Relaxed);
            // One that is being dealt out has nothing to say yet.
            new_share &= missing.is_none();
            match missing {
                None => streak.interrupt(),
                Some(missing) if missing.is_empty() => self.settle(&mut streak),
                Some(missing) => self.found(&missing, &mut streak, is_idle),
            }
        }
    }

    /// Nothing is missing any more.
    fn settle(&self, streak: &mut Streak) {
        if std::mem::take(streak).is_told() {
            self.uncovered.set(None);
            self.setup.metrics.covered(self.setup.number);
        }
    }

    fn found(&self, missing: &BTreeSet<(String, i32)>, streak: &mut Streak, is_idle: bool) {
        let rejoins = streak.goes_on();
        if !streak.is_told() {
            return;
        }
        let text = format!(
            "no worker of group \"{}\" has {}: the group gave them to nobody",
            self.setup.settings.group,
            listed(missing)
        );
        if rejoins {
            let detail = format!("{text}; joining it anew");
            self.setup.metrics.trouble(Trouble::Other, &detail);
            // A worker that is gone wants no advice.
            let _ = self.rejoin.send(());
        }
        self.setup.metrics.without_owner(missing.len());
        self.uncovered.set(is_idle.then_some(text));
    }

    /// The partitions of the plan's topics that nobody has; `None` while the group is not stable or
    /// speaks another language.
    fn missing(&self) -> KafkaResult<Option<BTreeSet<(String, i32)>>> {
        let plan = &self.setup.plan;
        let group = &self.setup.settings.group;
        let groups = self.consumer.fetch_group_list(Some(group), TIMEOUT)?;
        let mut groups = groups.groups().iter();
        let Some(group) = groups.find(|it| it.name() == group && it.state() == STABLE) else {
            return Ok(None);
        };
        let counts = partition_counts(&self.consumer, plan, TIMEOUT)?;
        let mut missing = BTreeSet::new();
        for (topic, count) in plan.topics.iter().zip(counts) {
            let partitions = (0_i32..).take(count.unwrap_or(0));
            missing.extend(partitions.map(|partition| (topic.name.clone(), partition)));
        }
        for member in group.members() {
            let Some(owned) = assignment(member.assignment().unwrap_or_default()) else {
                return Ok(None);
            };
            owned.iter().for_each(|place| {
                missing.remove(place);
            });
        }
        Ok(Some(missing))
    }
}

/// What a member has, by the consumer protocol ("ConsumerProtocolAssignment" of the Kafka protocol
/// guide: version, topics with their partitions, user data). Nothing at all is an empty share.
fn assignment(bytes: &[u8]) -> Option<Vec<(String, i32)>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let mut rest = bytes;
    let _version = i16::from_be_bytes(take(&mut rest)?);
    let topics = i32::from_be_bytes(take(&mut rest)?);
    let mut places = Vec::new();
    for _ in 0..topics {
        let length = usize::try_from(i16::from_be_bytes(take(&mut rest)?)).ok()?;
        let (name, after) = rest.split_at_checked(length)?;
        let name = std::str::from_utf8(name).ok()?;
        rest = after;
        for _ in 0..i32::from_be_bytes(take(&mut rest)?) {
            places.push((name.to_owned(), i32::from_be_bytes(take(&mut rest)?)));
        }
    }
    Some(places)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*first)
}

/// In words, a topic at a time.
fn listed(places: &BTreeSet<(String, i32)>) -> String {
    let mut topics: Vec<(&str, Vec<String>)> = Vec::new();
    for (topic, partition) in places {
        match topics.last_mut() {
            Some((last, partitions)) if last == topic => partitions.push(partition.to_string()),
            _ => topics.push((topic, vec![partition.to_string()])),
        }
    }
    let of_topic = |(topic, partitions): &(&str, Vec<String>)| {
        format!("partition {} of topic {topic}", partitions.join(", "))
    };
    let texts: Vec<String> = topics.iter().map(of_topic).collect();
    texts.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 1, topic "shop" with partitions 3 and 7, no user data.
    const BYTES: [u8; 28] = [
        0, 1, 0, 0, 0, 1, 0, 4, b's', b'h', b'o', b'p', 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 7, 255,
        255, 255, 255,
    ];

    #[test]
    fn what_a_member_has_is_read_and_what_is_cut_off_is_not() {
        let places = [("shop".to_owned(), 3), ("shop".to_owned(), 7)];
        assert_eq!(assignment(&BYTES).as_deref(), Some(&places[..]));
        assert_eq!(assignment(&[]), Some(Vec::new()));
        for length in 1..24 {
            assert_eq!(assignment(&BYTES[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn each_time_that_joining_anew_does_not_help_it_waits_for_longer() {
        let mut streak = Streak::default();
        assert!(!streak.is_told());
        for pause in [2, 4, 8, 16, 32, 64, 64, 64] {
            let checks = (1..=1000).find(|_| streak.goes_on());
            assert_eq!(checks, Some(pause));
            assert!(streak.is_told());
        }
        // Of an unstable group nothing is known: neither that it is over, nor that it goes on.
        assert!(!streak.goes_on());
        streak.interrupt();
        let checks = (1..=1000).find(|_| streak.goes_on());
        assert_eq!((checks, streak.is_told()), (Some(64), true));
    }

    #[test]
    fn a_suspicion_and_the_end_of_what_was_told_are_looked_at_sooner() {
        let usual = Duration::from_secs(30);
        let mut streak = Streak::default();
        assert_eq!(streak.pause(usual, true), usual);
        assert!(!streak.goes_on());
        assert_eq!(streak.pause(usual, false), usual / SOONER);
        assert!(streak.goes_on() && streak.is_told());
        assert_eq!(streak.pause(usual, false), usual);
        assert_eq!(streak.pause(usual, true), usual / SOONER);
        // Joining anew did not help: that it goes on is no suspicion any more.
        assert!(!streak.goes_on());
        assert_eq!(streak.pause(usual, false), usual);
    }

    #[test]
    fn partitions_are_listed_by_topic() {
        let places = [("b", 0), ("a", 2), ("a", 10)];
        let places = places.map(|(topic, partition)| (topic.to_owned(), partition));
        let text = listed(&places.into_iter().collect());
        assert_eq!(
            text,
            "partition 2, 10 of topic a and partition 0 of topic b"
        );
    }
}
