//! What a worker is told once: its options, and the rules of the protocol.

pub use catalogue::settings::LogGap;
use events::Span;

/// What a worker is told once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// How long views may be shown after a commit was sent that went through. Shorter than the time
    /// after which the group takes partitions away from a member that is silent.
    pub lease: Span,
    /// The least time between two snapshots of a task.
    pub snapshot_every: Span,
    /// What to do when records are gone from the log before they were read.
    pub log_gap: LogGap,
    /// Whether there is a store: without one nothing is listed, loaded or saved.
    pub state: bool,
}

/// The rules that published numbers rest on. All true; only the simulator breaks one, to prove that
/// it would find out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// A view is shown when its offsets are committed, not before.
    pub publish_after_commit: bool,
    /// A view is shown for as long as the lease of the last commit lasts, not for ever.
    pub lease: bool,
    /// A restored state reads on from its own offsets, not from the committed ones.
    pub snapshot_offsets: bool,
    /// A state isn't shown before it has reached what is committed.
    pub wait_for_threshold: bool,
    /// A brand-new task isn't shown before it has once caught up with the log's end.
    pub catch_up_first: bool,
    /// A state goes on only from one of the lineage that is committed.
    pub same_lineage: bool,
    /// A log whose last read record changed is another log.
    pub compare_records: bool,
    /// A topic whose id changed is another one.
    pub compare_topics: bool,
    /// What nothing else would give again is saved before it is committed.
    pub saved_first: bool,
    /// When totals are lost, no input reads on before all have reached what is committed.
    pub hold_lost_totals: bool,
    /// A view that a later owner has gone beyond is withdrawn when its task comes back.
    pub withdraw_overtaken: bool,
    /// Tasks that are ready don't wait long for those that aren't.
    pub ready_first: bool,
    /// After a release views are shown only while the worker comes round.
    pub released_by_the_moment: bool,
    /// Before the share is begun again, the answer to a commit on its way is awaited.
    pub commit_before_anew: bool,
    /// Each input of a task has a clock of its own, not one for all.
    pub own_clocks: bool,
}

impl Default for Rules {
    /// As in production.
    fn default() -> Rules {
        Rules {
            publish_after_commit: true,
            lease: true,
            snapshot_offsets: true,
            wait_for_threshold: true,
            catch_up_first: true,
            same_lineage: true,
            compare_records: true,
            compare_topics: true,
            saved_first: true,
            hold_lost_totals: true,
            withdraw_overtaken: true,
            ready_first: true,
            released_by_the_moment: true,
            commit_before_anew: true,
            own_clocks: true,
        }
    }
}
