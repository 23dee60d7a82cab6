//! What can go wrong in the server: each occurrence is one log line and one count.

use prometheus::{IntCounterVec, Opts, Registry};

/// The closed list behind the `reason` label of `kept_http_errors_total`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// A connection could not be accepted.
    Accept,
    /// A request was not answered in time.
    Timeout,
    /// Rendering panicked: a bug.
    Render,
    /// The overdue orders could not be asked for.
    Overdue,
}

impl Trouble {
    const ALL: [Trouble; 4] = [
        Trouble::Accept,
        Trouble::Timeout,
        Trouble::Render,
        Trouble::Overdue,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Trouble::Accept => "accept",
            Trouble::Timeout => "timeout",
            Trouble::Render => "render",
            Trouble::Overdue => "overdue",
        }
    }
}

/// Counts and logs trouble.
#[derive(Clone)]
pub struct Troubles(IntCounterVec);

impl Troubles {
    /// With a counter in this registry, every reason at 0.
    pub fn register(registry: &Registry) -> Result<Troubles, prometheus::Error> {
        let help = "Requests and connections that failed on our side, by reason";
        let counter = IntCounterVec::new(Opts::new("kept_http_errors_total", help), &["reason"])?;
        registry.register(Box::new(counter.clone()))?;
        for trouble in Trouble::ALL {
            counter.with_label_values(&[trouble.as_str()]);
        }
        Ok(Troubles(counter))
    }

    /// It happened once more.
    pub fn happened(&self, trouble: Trouble, what: &str) {
        self.0.with_label_values(&[trouble.as_str()]).inc();
        tracing::warn!(reason = trouble.as_str(), "http: {what}");
    }
}
