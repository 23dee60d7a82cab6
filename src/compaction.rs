//! Asks the broker, beside the running service, whether an input topic is compacted: nothing counted
//! from one is exact, so `kept run` ends then, as `kept check --broker` would have said; and whether
//! the dead-letter topic exists, which is only warned of.
//!
//! A broker that doesn't answer is asked again until it does; one that keeps the settings of its
//! topics to itself is taken at its word. Each is warned of once, and the service goes on.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use catalogue::{Plan, Settings};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use kafka::check::dead_letters;
use kafka::compaction::{Compaction, compaction};

/// How long the broker may take; a stop waits for it.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long until it is asked again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The asking thread; ends when this is dropped, or when everything is known.
pub struct Watch {
    stop: Option<Sender<()>>,
    verdicts: Receiver<String>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Asks from now on.
    pub fn start(settings: &Settings, plan: &Arc<Plan>) -> anyhow::Result<Watch> {
        let (stop, stopped) = bounded(0);
        let (verdict, verdicts) = bounded(1);
        let (settings, plan) = (settings.kafka.clone(), Arc::clone(plan));
        let thread = thread::Builder::new()
            .name("kept-topics".into())
            .spawn(move || {
                if let Some(refusal) = ask(&settings, &plan, &stopped) {
                    // Nobody listens any more when the service is stopping anyway.
                    let _ = verdict.send(refusal);
                }
            })
            .context("no thread to ask about the topics")?;
        Ok(Watch {
            stop: Some(stop),
            verdicts,
            thread: Some(thread),
        })
    }

    /// Why the service must not go on, as soon as that is known.
    pub fn verdict(&self) -> Option<anyhow::Error> {
        let refusal = self.verdicts.try_recv().ok()?;
        Some(anyhow!(refusal))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Why some topic must not be read; `None`: none is known, and nothing is left to ask.
fn ask(settings: &kafka::Settings, plan: &Plan, stopped: &Receiver<()>) -> Option<String> {
    let mut doubt = Doubt::default();
    let (mut letters_known, mut compaction_known) = (false, false);
    loop {
        if !compaction_known {
            match compaction(settings, plan, PATIENCE) {
                Ok(found) if !found.compacted.is_empty() => {
                    return Some(found.compacted.join("; "));
                }
                Ok(found) => compaction_known = doubt.answered(&found),
                Err(error) => doubt.warn(&format!("{error}; asking again")),
            }
        }
        // Without an answer the workers have said that no broker can be reached.
        if let (false, Ok(missing)) = (letters_known, dead_letters(settings, PATIENCE)) {
            letters_known = true;
            if let Some(missing) = missing {
                tracing::warn!("{missing}");
            }
        }
        if letters_known && compaction_known {
            return None;
        }
        match stopped.recv_timeout(AGAIN_AFTER) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

/// What was said of not knowing whether a topic is compacted.
#[derive(Default)]
struct Doubt {
    warned: bool,
}

impl Doubt {
    fn warn(&mut self, text: &str) {
        if !std::mem::replace(&mut self.warned, true) {
            tracing::warn!("whether a topic is compacted is not known: {text}");
        }
    }

    /// Nothing that the broker tells of is compacted. Whether that was all it has to tell; the doubt
    /// is taken back then, if there was any and it is gone.
    fn answered(&mut self, found: &Compaction) -> bool {
        if !found.unknown.is_empty() {
            self.warn(&found.unknown.join("; "));
        } else if !found.is_incomplete && std::mem::take(&mut self.warned) {
            tracing::info!("the broker says now that no topic is compacted");
        }
        !found.is_incomplete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubt_is_taken_back_only_when_all_is_told() {
        let mut doubt = Doubt::default();
        doubt.warn("no answer");
        let incomplete = Compaction {
            is_incomplete: true,
            ..Compaction::default()
        };
        assert!(!doubt.answered(&incomplete));
        assert!(doubt.warned, "not all is known");
        let secret = Compaction {
            unknown: vec!["secret".to_owned()],
            ..Compaction::default()
        };
        assert!(doubt.answered(&secret) && doubt.warned, "it stays in doubt");
        assert!(doubt.answered(&Compaction::default()) && !doubt.warned);
    }
}
