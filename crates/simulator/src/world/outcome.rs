//! How a run ends: with figures, or with the first check that broke.

use std::collections::BTreeMap;
use std::fmt;

use events::Span;

use super::faults::FaultPlan;

/// What must hold in every run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Check {
    /// Every number of a view is the oracle's at its offsets.
    Oracle,
    /// Views at equal offsets of equal history have equal counters.
    SameState,
    /// Nothing is shown beyond what the brokers have committed.
    Committed,
    /// What is committed never goes back.
    CommitBack,
    /// The greatest of a counter over the instances never falls.
    Monotonic,
    /// The increases of a counter add up to what happened.
    SummedOnce,
    /// A brand-new task is shown when it has caught up, not before.
    FirstShown,
    /// What is committed never goes back to a state that was given up.
    Lineage,
    /// Nothing is shown longer than the lease after the last commit that went through was sent.
    Lease,
    /// Nothing is lost that the rules can keep.
    Kept,
    /// A worker asks for one thing at a time and only for what it has.
    Protocol,
    /// No worker gives up.
    Failed,
    /// When nothing goes wrong any more, everything is served soon.
    Served,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Check::Oracle => "a view isn't the oracle's at its offsets",
            Check::SameState => "two views of one history differ at the same offsets",
            Check::Committed => "a view is beyond what is committed",
            Check::CommitBack => "a committed offset went back",
            Check::Monotonic => "a counter fell",
            Check::SummedOnce => "increases don't add up to what happened",
            Check::FirstShown => "a brand-new task is shown before it has caught up",
            Check::Lineage => "a state comes back that was given up",
            Check::Lease => "a view is shown after its lease",
            Check::Kept => "totals were lost without a reason",
            Check::Protocol => "a worker asked for what it may not",
            Check::Failed => "a worker gave up",
            Check::Served => "a task isn't served, long after the last fault",
        })
    }
}

/// The first check that broke.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What went wrong in the world.
    pub plan: FaultPlan,
    /// When it broke, after the begin.
    pub at: Span,
    /// Which check.
    pub check: Check,
    /// What was seen.
    pub detail: String,
    /// What happened just before.
    pub trail: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.plan)?;
        for line in &self.trail {
            writeln!(f, "    {line}")?;
        }
        writeln!(f, "{:.3} s: {}:", self.at.seconds(), self.check)?;
        writeln!(f, "  {}", self.detail)
    }
}

/// A run in which everything held.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Report {
    /// Records in the log.
    pub records: u64,
    /// Views that were published.
    pub views: u64,
    /// Views that were compared with the oracle.
    pub compared: u64,
    /// Those of them with records that were lost before they were read.
    pub with_gap: u64,
    /// Those of them with events that a KPI dropped for a field.
    pub with_field_errors: u64,
    /// Scrapes.
    pub scrapes: u64,
    /// Commits that were asked for.
    pub commits: u64,
    /// Snapshots that were written.
    pub snapshots: u64,
    /// What workers noticed, by name.
    pub notices: BTreeMap<&'static str, u64>,
    /// A number made of all views in their order: equal for equal runs.
    pub digest: u64,
}

impl Report {
    /// Adds another run's figures.
    pub fn add(&mut self, other: &Report) {
        self.records += other.records;
        self.views += other.views;
        self.compared += other.compared;
        self.with_gap += other.with_gap;
        self.with_field_errors += other.with_field_errors;
        self.scrapes += other.scrapes;
        self.commits += other.commits;
        self.snapshots += other.snapshots;
        for (name, count) in &other.notices {
            *self.notices.entry(name).or_default() += count;
        }
        // In whatever order runs end.
        self.digest = self.digest.wrapping_add(other.digest);
    }
}
