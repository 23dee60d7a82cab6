//! The store on S3: the same promises as on a folder, with a connection in between.

use std::time::{Duration, Instant};

use catalogue::settings::State;
use pipeline::port::{LoadError, SaveError};

use crate::bench::{Bench, name, settings, snapshot, task};
use crate::s3::{Mood, S3};

/// A store that is down must be noticed within about ten seconds.
const NOTICED_WITHIN: Duration = Duration::from_secs(15);

fn on(server: &S3) -> State {
    let mut settings = settings("s3://bucket/deep/kept");
    let endpoint = format!("http://{}", server.address);
    settings.options = [
        ("aws_endpoint", endpoint.as_str()),
        ("aws_allow_http", "true"),
        ("aws_region", "eu-west-1"),
        ("aws_access_key_id", "key"),
        ("aws_secret_access_key", "secret"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    settings
}

#[track_caller]
fn is_unavailable<T: std::fmt::Debug>(result: &Result<T, SaveError>) {
    assert!(
        matches!(result, Err(SaveError::Unavailable(_))),
        "{result:?}"
    );
}

#[test]
fn snapshots_are_saved_loaded_listed_and_cleared_away() {
    let server = S3::start();
    let bench = Bench::new(&on(&server));
    let mut last = snapshot("", &[]);
    for offset in [10, 20, 30, 40] {
        last = snapshot(&format!("at {offset}"), &["a", "b"]);
        bench.save(&name(1, offset), &last).expect("it is saved");
    }
    let expected = [20, 30, 40].map(|offset| name(1, offset));
    assert_eq!(bench.list(), Ok(expected.into()));
    assert_eq!(bench.load(&name(1, 40)), Ok(last));
    let first = &server.objects()[0];
    assert!(
        first.starts_with("deep/kept/group/orders+ends/7/"),
        "{first}"
    );
    assert_eq!(bench.store.tasks(), Ok(vec![task()]));
    assert_eq!(bench.store.clear(), Ok(5));
    assert_eq!(server.objects(), Vec::<String>::new());
}

#[test]
fn a_name_is_written_once() {
    let server = S3::start();
    let bench = Bench::new(&on(&server));
    let one = snapshot("one", &["a"]);
    bench.save(&name(1, 10), &one).expect("it is saved");
    let again = bench.save(&name(1, 10), &one).expect("it is the same");
    assert!(
        again.bytes > 0,
        "the server's clock says that the section is old"
    );
    let other = bench.save(&name(1, 10), &snapshot("two", &["a"]));
    assert!(matches!(other, Err(SaveError::Differs(_))), "{other:?}");
    assert_eq!(bench.load(&name(1, 10)), Ok(one));
}

#[test]
fn a_missing_object_is_unsound_and_not_unavailable() {
    let server = S3::start();
    let missing = Bench::new(&on(&server)).load(&name(1, 10));
    assert!(matches!(missing, Err(LoadError::Unsound(_))), "{missing:?}");
}

#[test]
fn a_few_refusals_are_got_over() {
    let server = S3::start();
    let bench = Bench::new(&on(&server));
    server.behave(Mood::Unavailable(3));
    let one = snapshot("one", &["a"]);
    bench.save(&name(1, 10), &one).expect("it is tried again");
    assert_eq!(server.mood(), Mood::Unavailable(0), "it was refused");
    assert_eq!(bench.load(&name(1, 10)), Ok(one));
}

#[test]
fn a_store_that_refuses_for_long_is_noticed_and_recovers() {
    let server = S3::start();
    let bench = Bench::new(&on(&server));
    server.behave(Mood::Unavailable(usize::MAX));
    let start = Instant::now();
    let one = snapshot("one", &["a"]);
    is_unavailable(&bench.save(&name(1, 10), &one));
    let refused = bench.load(&name(1, 10));
    assert!(
        matches!(refused, Err(LoadError::Unavailable(_))),
        "{refused:?}"
    );
    assert!(
        start.elapsed() < 2 * NOTICED_WITHIN,
        "{:?}",
        start.elapsed()
    );
    server.behave(Mood::Well);
    bench.save(&name(1, 10), &one).expect("it is back");
    assert_eq!(bench.load(&name(1, 10)), Ok(one));
}

#[test]
fn answers_that_were_lost_on_the_way_change_nothing() {
    let server = S3::start();
    let bench = Bench::new(&on(&server));
    server.behave(Mood::Silent(2));
    let one = snapshot("one", &["a"]);
    if let Err(error) = bench.save(&name(1, 10), &one) {
        // A client may leave a lost write to its caller, who asks again.
        assert!(matches!(error, SaveError::Unavailable(_)), "{error:?}");
        server.behave(Mood::Well);
        bench.save(&name(1, 10), &one).expect("it is there already");
    }
    assert_eq!(bench.load(&name(1, 10)), Ok(one));
    assert_eq!(server.objects().len(), 2);
}

#[test]
fn a_store_that_never_answers_is_noticed() {
    let server = S3::start();
    let bench = Bench::new(&on(&server));
    server.behave(Mood::Hanging);
    let start = Instant::now();
    is_unavailable(&bench.save(&name(1, 10), &snapshot("one", &["a"])));
    assert!(start.elapsed() < NOTICED_WITHIN, "{:?}", start.elapsed());
}

#[test]
fn a_store_that_is_not_there_is_noticed() {
    let server = S3::start();
    let mut settings = on(&server);
    // Nothing listens on port 1.
    settings.options[0].1 = "http://127.0.0.1:1".to_owned();
    let bench = Bench::new(&settings);
    let start = Instant::now();
    is_unavailable(&bench.save(&name(1, 10), &snapshot("one", &["a"])));
    assert!(bench.list().is_err());
    assert!(
        start.elapsed() < 2 * NOTICED_WITHIN,
        "{:?}",
        start.elapsed()
    );
}
