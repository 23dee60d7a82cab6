//! The page as it was painted last, for everybody who looks at the same moment.
//!
//! It is given out for a second at most, and only while exactly the views that it was made of are
//! shown: so it can't show what isn't any more, nor differ from `/metrics`. It holds no view.

use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use engine::View;

/// How long a page is good for.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// The last page that refreshes itself, and the last that doesn't.
#[derive(Default)]
pub struct Painted(Mutex<[Option<Page>; 2]>);

struct Page {
    at: Instant,
    views: Vec<Weak<View>>,
    html: Bytes,
}

impl Painted {
    /// The page of these views, if it was painted a moment ago.
    pub fn find(&self, refresh: bool, views: &[Arc<View>]) -> Option<Bytes> {
        let pages = self.pages();
        let page = pages[usize::from(refresh)].as_ref()?;
        (page.at.elapsed() < GOOD_FOR && page.is_of(views)).then(|| page.html.clone())
    }

    /// Keeps a page that shows these views, painted just now.
    pub fn keep(&self, refresh: bool, views: &[Arc<View>], html: Bytes) {
        self.pages()[usize::from(refresh)] = Some(Page {
            at: Instant::now(),
            views: views.iter().map(Arc::downgrade).collect(),
            html,
        });
    }

    fn pages(&self) -> MutexGuard<'_, [Option<Page>; 2]> {
        self.0
            .lock()
            .expect("nothing panics while it holds the pages")
    }
}

impl Page {
    fn is_of(&self, views: &[Arc<View>]) -> bool {
        let pairs = self.views.iter().zip(views);
        // The weak one keeps the address from being given to another view.
        let same = |(one, other): (&Weak<View>, &Arc<View>)| one.as_ptr() == Arc::as_ptr(other);
        self.views.len() == views.len() && pairs.into_iter().all(same)
    }
}
