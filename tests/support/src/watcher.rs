//! Scrapes every instance of a service again and again into one `History`.
//!
//! Each instance has a thread of its own, so that one that doesn't answer hides no other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::history::History;
use crate::http::get;
use crate::samples::Samples;

/// Between two scrapes of an instance.
const EVERY: Duration = Duration::from_millis(300);

/// Watches until it is dropped.
#[derive(Debug, Default)]
pub struct Watcher {
    history: Arc<Mutex<History>>,
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Watcher {
    /// Watches nobody yet.
    pub fn new() -> Watcher {
        Watcher::default()
    }

    /// Watches the instance on `port` from now on, until it is gone for good (its port refuses
    /// after it had answered) or the watcher is.
    pub fn watch(&mut self, port: u16) {
        let (history, ended) = (Arc::clone(&self.history), Arc::clone(&self.ended));
        let thread = thread::spawn(move || {
            let mut answered_once = false;
            while !ended.load(Ordering::Relaxed) {
                let asked = Instant::now();
                let answer = get(port, "/metrics", &[]);
                let answered = Instant::now();
                match answer.filter(|answer| answer.status == 200) {
                    Some(answer) => {
                        answered_once = true;
                        let samples = Samples::parse(&answer.text());
                        lock(&history).record(u32::from(port), asked, answered, &samples);
                    }
                    None if answered_once => return,
                    None => {}
                }
                thread::sleep(EVERY.saturating_sub(asked.elapsed()));
            }
        });
        self.threads.push(thread);
    }

    /// What was seen so far.
    pub fn history(&self) -> MutexGuard<'_, History> {
        lock(&self.history)
    }

    /// Fails if a counter ever fell.
    #[track_caller]
    pub fn assert_nothing_fell(&self) {
        let panicked = self.threads.iter().any(|thread| {
            // A thread that has ended ended because its instance did, or by a panic.
            thread.is_finished() && self.history.is_poisoned()
        });
        assert!(!panicked, "a scrape could not be read");
        let history = self.history();
        let falls = history.falls();
        assert!(
            falls.is_empty(),
            "counters fell in {} scrapes:\n{}",
            history.scrapes(),
            falls.join("\n")
        );
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

fn lock(history: &Mutex<History>) -> MutexGuard<'_, History> {
    history.lock().unwrap_or_else(PoisonError::into_inner)
}
