//! Which lines about one kind of trouble are logged: the first, and after that one a minute.
//!
//! What happened comes in two ways: as the name of an error, at once, and a moment later as
//! librdkafka's own sentence, which alone says why. So a vague line never keeps a telling one back,
//! and one telling line that says something else than the first is logged within the minute.

use std::time::{Duration, Instant};

/// How long a trouble that goes on stays silent in the log.
const QUIET: Duration = Duration::from_secs(60);
/// Telling lines, each of which says something else, within that time.
const TOLD: usize = 2;

/// What a line is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Detail {
    /// It says what happened.
    Telling,
    /// It names an error.
    Vague,
}

/// What was said of one kind of trouble.
#[derive(Clone, Default, Debug)]
pub(crate) struct Quiet {
    /// When it last happened, said or not.
    last: Option<Instant>,
    vague_until: Option<Instant>,
    telling_until: Option<Instant>,
    told: Vec<String>,
}

impl Quiet {
    /// Whether this is to be logged; it counts as said then.
    pub(crate) fn is_due(&mut self, detail: Detail, text: &str, now: Instant) -> bool {
        self.last = Some(now);
        let is_quiet = |until: Option<Instant>| until.is_some_and(|until| now < until);
        if !is_quiet(self.telling_until) {
            self.told.clear();
        }
        match detail {
            Detail::Vague if is_quiet(self.vague_until) || is_quiet(self.telling_until) => false,
            Detail::Vague => {
                self.vague_until = Some(now + QUIET);
                true
            }
            Detail::Telling => {
                let text = without_counts(text);
                if self.told.len() >= TOLD || self.told.iter().any(|told| told == text) {
                    return false;
                }
                if self.told.is_empty() {
                    self.telling_until = Some(now + QUIET);
                }
                self.told.push(text.to_owned());
                true
            }
        }
    }

    /// Whether anything was said.
    pub(crate) fn was_said(&self) -> bool {
        self.last.is_some()
    }

    /// When it last happened.
    pub(crate) fn last(&self) -> Option<Instant> {
        self.last
    }
}

/// Without what differs each time: librdkafka adds "(after 3ms in state CONNECT, 7 identical
/// error(s) suppressed)".
fn without_counts(text: &str) -> &str {
    text.rfind(" (after ").map_or(text, |end| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says each in turn, a second apart, and lists which were logged.
    fn logged<'t>(said: &[(Detail, &'t str)]) -> Vec<&'t str> {
        let (mut quiet, begin) = (Quiet::default(), Instant::now());
        let lines = said.iter().zip(0..);
        let due = lines.filter(|((detail, text), second)| {
            quiet.is_due(*detail, text, begin + Duration::from_secs(*second))
        });
        due.map(|((_, text), _)| *text).collect()
    }

    #[test]
    fn a_vague_line_does_not_keep_a_telling_one_back() {
        use Detail::{Telling, Vague};
        let refused = "connection refused (after 0ms in state CONNECT)";
        let said = [
            (Vague, "BrokerTransportFailure"),
            (Vague, "BrokerTransportFailure"),
            (Telling, refused),
            (Telling, "connection refused (after 1ms in state CONNECT)"),
            (Telling, "disconnected"),
            (Vague, "BrokerTransportFailure"),
            (Telling, "a third one"),
        ];
        let expected = ["BrokerTransportFailure", refused, "disconnected"];
        assert_eq!(logged(&said), expected);
        assert_eq!(
            logged(&said[2..]),
            expected[1..],
            "a vague one adds nothing"
        );
    }

    #[test]
    fn what_goes_on_is_said_once_a_minute() {
        let said = [(Detail::Telling, "refused"); 150];
        assert_eq!(logged(&said).len(), 3);
        let said = [(Detail::Vague, "down"); 150];
        assert_eq!(logged(&said).len(), 3);
    }
}
