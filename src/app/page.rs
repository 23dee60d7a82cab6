//! What the live page is given beside the numbers: the runbooks of the catalogue in force, the
//! Prometheus to ask for alerts, and how many partitions the topics have.
//!
//! The broker is asked for the last one only when somebody looks at the page or at `/api/overdue`, on
//! a thread of its own and at most once a minute; neither waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use catalogue::{Plan, Settings};
use kafka::admin::Admin;
use server::{PageSources, Runbook};

/// How long an answer of the broker is good for.
const ASK_EVERY: Duration = Duration::from_secs(60);

/// All of it.
pub fn sources(settings: &Settings, plan: &Arc<Plan>) -> PageSources {
    let topics = Arc::new(Topics {
        settings: settings.kafka.clone(),
        plan: Arc::clone(plan),
        known: Mutex::default(),
    });
    PageSources {
        runbooks: runbooks(settings, plan),
        prometheus: settings.http.prometheus.clone(),
        job: settings.generation.job.clone(),
        partitions: Arc::new(move || topics.partitions()),
    }
}

/// As `kept generate reference` writes them below `runbooks/`.
fn runbooks(settings: &Settings, plan: &Plan) -> Arc<[Runbook]> {
    let files = generate::reference(plan, &settings.generation).into_iter();
    let runbooks = files.filter_map(|file| {
        let name = file.path.strip_prefix("runbooks/")?.strip_suffix(".md")?;
        Some(Runbook {
            alert: name.to_owned(),
            text: file.text,
        })
    });
    runbooks.collect()
}

/// What the broker said of the input topics.
struct Topics {
    settings: kafka::Settings,
    plan: Arc<Plan>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    partitions: BTreeMap<String, i32>,
    asked: Option<Instant>,
    /// A thread asks: a slow broker gets one question at a time.
    asking: bool,
}

impl Topics {
    /// What is known; asks on the way if that is old.
    fn partitions(self: &Arc<Topics>) -> BTreeMap<String, i32> {
        let mut known = self.known();
        let is_old = known.asked.is_none_or(|asked| asked.elapsed() >= ASK_EVERY);
        if is_old && !known.asking {
            known.asked = Some(Instant::now());
            let topics = Arc::clone(self);
            let thread = std::thread::Builder::new().name("kept-page".into());
            let asking = thread.spawn(move || {
                topics.ask();
                topics.known().asking = false;
            });
            // Without a thread nothing is learnt, and the page says that it isn't known.
            known.asking = asking.is_ok();
        }
        known.partitions.clone()
    }

    /// Keeps what was known of topics that the broker says nothing of.
    fn ask(&self) {
        let Ok(admin) = Admin::new(&self.settings) else {
            return;
        };
        for topic in &self.plan.topics {
            if let Ok(Some(partitions)) = admin.partitions(&topic.name) {
                self.known()
                    .partitions
                    .insert(topic.name.clone(), partitions);
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known
            .lock()
            .expect("nothing panics while it holds the answer")
    }
}
