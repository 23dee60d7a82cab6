//! Between workers and the store: calls that take their time, fail, are half done, or are done and
//! answered with an error.

use std::rc::Rc;

use events::Span;
use pipeline::port::{LoadError, SaveError};

use super::hand::{Call, Reply};
use super::{Event, World};

impl World {
    /// A worker's process calls the store.
    pub(super) fn call(&mut self, worker: u64, call: Call) {
        let slow = self.conditions.slow_store.seconds();
        let extra = match slow > 0.0 {
            true => self.chance.uniform(0.0, slow),
            false => Span::ZERO,
        };
        let latency = self.chance.uniform(0.002, 0.08) + extra;
        self.later(latency, Event::Call(worker, call));
    }

    /// The call is carried out, if the process that makes it still runs.
    pub(super) fn called(&mut self, worker: u64, call: Call) {
        let Some(hand) = self.hands.get(&worker) else {
            return;
        };
        if self.processes[&hand.process].frozen {
            return self.later(Span(200_000), Event::Call(worker, call));
        }
        let away = self.conditions.store_away > 0;
        let trouble = away || self.chance.happens(self.conditions.store_trouble);
        let reply = match call {
            Call::List(task) if trouble => Reply::Listed(task, Err(down())),
            Call::List(task) => Reply::Listed(task, Ok(self.store.list(task))),
            Call::Load(task, name) if trouble => {
                Reply::Loaded(task, name, Err(LoadError::Unavailable(down())))
            }
            Call::Load(task, name) => {
                let snapshot = self.store.load(task, &name);
                Reply::Loaded(task, name, snapshot)
            }
            Call::Save {
                task,
                name,
                snapshot,
                next,
            } => {
                if let Some(section) = snapshot.sections.get(next).filter(|_| !trouble) {
                    self.store.put_section(task, section);
                    let next = next + 1;
                    let call = Call::Save {
                        task,
                        name,
                        snapshot,
                        next,
                    };
                    return self.call(worker, call);
                }
                // In trouble all of it may be written all the same, and only the answer is wrong.
                let written = match trouble && (away || self.chance.happens(0.5)) {
                    true => Err(SaveError::Unavailable(down())),
                    false => {
                        let rest = Rc::clone(&snapshot);
                        for section in rest.sections.iter().skip(next) {
                            self.store.put_section(task, section);
                        }
                        self.report.snapshots += 1;
                        self.store.put_head(task, &name, &snapshot.head)
                    }
                };
                let result = match trouble {
                    true => Err(SaveError::Unavailable(down())),
                    false => written,
                };
                self.tell(|_| format!("save {name}: {result:?}"));
                Reply::Saved(task, name, result)
            }
        };
        let latency = self.latency();
        self.later(latency, Event::Reply(worker, reply));
    }
}

fn down() -> String {
    "the store is down".to_owned()
}
