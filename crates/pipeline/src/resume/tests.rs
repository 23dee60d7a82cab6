//! Each rule of the decision, on one or two inputs.

use super::*;

const PLAN: u64 = 7;

fn note(lineage: Lineage, origin: Option<i64>, served: bool) -> Note {
    Note {
        lineage,
        origin,
        clock: None,
        served,
        partitions: 4,
        log: None,
        last: None,
    }
}

fn input(committed: Option<(i64, Option<Note>)>) -> InputFacts {
    InputFacts {
        topic: "shop".into(),
        committed,
        beyond: None,
        log: None,
        log_start: 0,
        log_end: 100,
        fresh_start: 20,
        rebuild_start: 30,
        partitions: 4,
        other_log: None,
    }
}

fn served(lineage: Lineage, offset: i64) -> InputFacts {
    input(Some((offset, Some(note(lineage, None, true)))))
}

fn name(plan: u64, lineage: Lineage, offset: i64) -> SnapshotName {
    SnapshotName {
        plan,
        lineage,
        offsets: vec![offset],
        exact: true,
    }
}

fn decide(
    inputs: &[InputFacts],
    names: &[SnapshotName],
    memory: Option<&Remembered>,
) -> Vec<Attempt> {
    decide_with(inputs, names, &[], memory)
}

fn decide_with(
    inputs: &[InputFacts],
    names: &[SnapshotName],
    earlier: &[EarlierName],
    memory: Option<&Remembered>,
) -> Vec<Attempt> {
    attempts(&Question {
        plan: PLAN,
        inputs,
        memory,
        names,
        earlier,
        log_gap: LogGap::Continue,
        same_lineage: true,
    })
}

/// The offsets from which a state is tried, in order; the last needs no store.
fn order(attempts: &[Attempt]) -> Vec<i64> {
    let starts = attempts.iter().map(|attempt| match attempt {
        Attempt::Go(start) => start.offsets[0],
        Attempt::Fail(message) => panic!("{message}"),
    });
    starts.collect()
}

fn last(attempts: &[Attempt]) -> &Start {
    match attempts.last() {
        Some(Attempt::Go(start)) => start,
        other => panic!("{other:?}"),
    }
}

const L: Lineage = Lineage(1);

#[test]
fn a_brand_new_task_commits_its_origin_first() {
    let attempts = decide(&[input(None)], &[], None);
    let start = last(&attempts);
    assert_eq!(
        (attempts.len(), start.offsets[0], start.commit),
        (1, 20, true)
    );
    assert_eq!(start.lineage, Lineage::origin(PLAN, &[20]));
    assert_eq!(start.shown, Shown::CaughtUp);
}

#[test]
fn a_task_that_was_never_shown_begins_where_it_began() {
    let origin = Lineage::origin(PLAN, &[5]);
    let attempts = decide(
        &[input(Some((5, Some(note(origin, Some(5), false)))))],
        &[],
        None,
    );
    let start = last(&attempts);
    assert_eq!(
        (start.offsets[0], start.commit, start.lineage),
        (5, false, origin)
    );
    assert_eq!(start.shown, Shown::CaughtUp);
}

#[test]
fn the_newest_snapshot_of_the_committed_lineage_goes_first() {
    let names = [40, 60, 50].map(|offset| name(PLAN, L, offset));
    let other = name(PLAN, Lineage(2), 70);
    let beyond = name(PLAN, L, 101);
    let names = [&names[..], &[other, beyond]].concat();
    let attempts = decide(&[served(L, 55)], &names, None);
    assert_eq!(order(&attempts), [60, 50, 40, 30]);
    assert_eq!(last(&attempts).cause, Cause::TotalsLost);
}

#[test]
fn memory_goes_before_a_snapshot_at_the_same_offsets() {
    let memory = Remembered {
        lineage: L,
        base: Some(L),
        offsets: vec![50],
        logs: vec![None],
    };
    let attempts = decide(
        &[served(L, 55)],
        &[name(PLAN, L, 50), name(PLAN, L, 54)],
        Some(&memory),
    );
    assert_eq!(order(&attempts), [54, 50, 50, 30]);
    assert!(matches!(&attempts[1], Attempt::Go(start) if start.from == Source::Memory));
}

#[test]
fn a_snapshot_of_another_plan_that_leads_to_the_committed_lineage_is_used() {
    let adopted = L.adopted(PLAN, &[50]);
    let attempts = decide(
        &[served(adopted, 55)],
        &[name(9, L, 50), name(9, L, 40)],
        None,
    );
    assert_eq!(order(&attempts), [50, 30]);
    assert!(matches!(&attempts[0], Attempt::Go(start) if start.lineage == adopted));
}

#[test]
fn without_a_commit_a_snapshot_of_this_plan_goes_before_a_newer_one_of_another() {
    let attempts = decide(&[input(None)], &[name(9, L, 50), name(PLAN, L, 40)], None);
    assert_eq!(order(&attempts), [40, 50, 20]);
}

#[test]
fn an_exact_rebuilding_needs_the_log_the_plan_and_the_origin() {
    let origin = Lineage::origin(PLAN, &[5]);
    let facts = input(Some((50, Some(note(origin, Some(5), true)))));
    assert_eq!(
        last(&decide(std::slice::from_ref(&facts), &[], None)).cause,
        Cause::Rebuilding
    );
    let cut = InputFacts {
        log_start: 6,
        ..facts
    };
    let attempts = decide(&[cut], &[], None);
    let start = last(&attempts);
    assert_eq!(start.cause, Cause::TotalsLost);
    assert_eq!(
        (start.offsets[0], start.zero_at.clone()),
        (30, Some(vec![50]))
    );
    let of_other_plan = Lineage::origin(9, &[5]);
    let other = input(Some((50, Some(note(of_other_plan, Some(5), true)))));
    assert_eq!(last(&decide(&[other], &[], None)).cause, Cause::TotalsLost);
}

#[test]
fn the_same_beginning_with_and_without_a_gap_has_two_names() {
    let gapped = InputFacts {
        log_start: 20,
        rebuild_start: 10,
        ..served(L, 10)
    };
    let whole = InputFacts {
        log_start: 10,
        rebuild_start: 10,
        ..served(L, 20)
    };
    let [gapped, whole] = [gapped, whole].map(|facts| last(&decide(&[facts], &[], None)).clone());
    let begun = |start: &Start| (start.offsets.clone(), start.zero_at.clone());
    assert_eq!(begun(&gapped), begun(&whole));
    assert_eq!((gapped.skip[0], whole.skip[0]), (10, 0));
    assert_ne!(gapped.lineage, whole.lineage, "one counts the gap");
}

#[test]
fn of_a_log_made_anew_the_other_s_gap_is_in_the_name() {
    let begun = |log_start| {
        let gone = InputFacts {
            other_log: Some("another record".into()),
            ..served(L, 50)
        };
        let other = InputFacts {
            log_start,
            ..served(L, 60)
        };
        let attempts = decide(&[gone, other], &[], None);
        last(&attempts).clone()
    };
    let (whole, gapped) = (begun(0), begun(65));
    assert_eq!((whole.skip[1], gapped.skip[1]), (0, 5));
    assert_eq!(whole.offsets, gapped.offsets);
    assert_ne!(whole.lineage, gapped.lineage);
}

#[test]
fn a_covered_snapshot_goes_before_a_gap() {
    let facts = InputFacts {
        log_start: 45,
        ..served(L, 45)
    };
    let attempts = decide(&[facts], &[name(PLAN, L, 40), name(PLAN, L, 46)], None);
    assert_eq!(order(&attempts)[..2], [46, 40]);
    let Attempt::Go(gapped) = &attempts[1] else {
        panic!("{attempts:?}");
    };
    assert_eq!(
        (gapped.skip[0], gapped.zero_at.clone()),
        (5, Some(vec![45]))
    );
}

#[test]
fn a_gap_behind_what_was_published_keeps_the_totals() {
    let facts = InputFacts {
        log_start: 45,
        ..served(L, 40)
    };
    let attempts = decide(&[facts], &[name(PLAN, L, 40)], None);
    let Attempt::Go(gapped) = &attempts[0] else {
        panic!("{attempts:?}");
    };
    assert_eq!((gapped.skip[0], &gapped.zero_at), (5, &None));
    assert_eq!(gapped.lineage, L.gapped(&[40], &[45]));
}

#[test]
fn of_a_join_only_the_other_log_is_read_from_its_start() {
    let gone = InputFacts {
        other_log: Some("another record".into()),
        log_start: 3,
        ..served(L, 50)
    };
    let attempts = decide(&[gone, served(L, 60)], &[], None);
    let start = last(&attempts);
    assert_eq!((&start.offsets[..], start.commit), (&[3, 60][..], true));
    assert_ne!(start.lineage, Lineage::origin(PLAN, &[3, 60]));
}

#[test]
fn a_commit_that_went_through_for_one_input_leaves_both_lineages() {
    let adopted = L.adopted(PLAN, &[50, 50]);
    let both = |plan, lineage| SnapshotName {
        offsets: vec![50, 50],
        ..name(plan, lineage, 0)
    };
    let names = [both(PLAN, adopted), both(9, L), both(9, Lineage(3))];
    let attempts = decide(&[served(adopted, 55), served(L, 54)], &names, None);
    assert_eq!(
        attempts.len(),
        3,
        "two snapshots and the last resort: {attempts:?}"
    );
}

const M: Lineage = Lineage(2);

/// A snapshot of a task with these topics, of another plan.
fn earlier(topics: &str, lineage: Lineage, offsets: &[i64]) -> EarlierName {
    EarlierName {
        topics: topics.split('+').map(str::to_owned).collect(),
        name: SnapshotName {
            offsets: offsets.to_vec(),
            ..name(9, lineage, 0)
        },
    }
}

/// An input of this topic.
fn of(topic: &str, facts: InputFacts) -> InputFacts {
    InputFacts {
        topic: topic.to_owned(),
        ..facts
    }
}

fn carried(attempt: &Attempt) -> Option<(&[EarlierName], &Start)> {
    match attempt {
        Attempt::Go(start) => match &start.from {
            Source::Carried(names) => Some((names, start)),
            _ => None,
        },
        Attempt::Fail(_) => None,
    }
}

#[test]
fn topics_that_are_joined_now_go_on_from_the_tasks_that_had_them() {
    let inputs = [of("a", served(L, 55)), of("b", served(M, 44))];
    let names = [
        earlier("a", L, &[50]),
        earlier("a", L, &[54]),
        earlier("a", Lineage(3), &[56]),
        earlier("b", M, &[40]),
        earlier("b", M, &[101]),
    ];
    let attempts = decide_with(&inputs, &[], &names, None);
    let (newest, start) = carried(&attempts[0]).expect("they are carried over");
    assert_eq!(newest, [names[1].clone(), names[3].clone()]);
    assert_eq!((&start.offsets[..], start.commit), (&[54, 40][..], false));
    assert_eq!(start.shown, Shown::Reached(vec![55, 44]));
    assert_eq!((&start.zero_at, &start.cause), (&None, &Cause::Carried));
    let (older, before) = carried(&attempts[1]).expect("an older one comes next");
    assert_eq!(older[0], names[0]);
    assert_ne!(before.lineage, start.lineage);
    assert_eq!(attempts.len(), 3);
    assert_eq!(last(&attempts).cause, Cause::TotalsLost);
}

#[test]
fn a_topic_that_stands_alone_again_goes_on_from_the_join() {
    let inputs = [of("b", served(L, 44))];
    let names = [earlier("a+b", L, &[50, 40])];
    let attempts = decide_with(&inputs, &[], &names, None);
    let (_, start) = carried(&attempts[0]).expect("it is carried over");
    assert_eq!(start.offsets, [40]);
    assert_eq!(start.shown, Shown::Reached(vec![44]));
}

#[test]
fn a_topic_that_joins_brand_new_has_no_part_and_is_caught_up_first() {
    let inputs = [of("a", served(L, 55)), of("b", input(None))];
    let attempts = decide_with(&inputs, &[], &[earlier("a", L, &[54])], None);
    let (_, start) = carried(&attempts[0]).expect("it is carried over");
    assert_eq!(
        (&start.offsets[..], &start.shown),
        (&[54, 20][..], &Shown::CaughtUp)
    );
    let elsewhere = [
        of("a", served(L, 55)),
        of(
            "b",
            InputFacts {
                fresh_start: 21,
                ..input(None)
            },
        ),
    ];
    let attempts = decide_with(&elsewhere, &[], &[earlier("a", L, &[54])], None);
    let (_, other) = carried(&attempts[0]).expect("it is carried over");
    assert_ne!(
        start.lineage, other.lineage,
        "where it began is in the name"
    );
}

#[test]
fn nothing_is_carried_over_where_something_that_was_shown_would_be_missing() {
    let inputs = [of("a", served(L, 55)), of("b", served(M, 44))];
    let a = || earlier("a", L, &[54]);
    for names in [
        vec![a()],
        vec![a(), earlier("b", Lineage(3), &[40])],
        vec![a(), earlier("b", M, &[101])],
        vec![a(), earlier("b+c", Lineage(3), &[40, 9])],
        vec![earlier("c", L, &[50])],
    ] {
        let attempts = decide_with(&inputs, &[], &names, None);
        assert_eq!(attempts.len(), 1, "{names:?}");
        assert_eq!(last(&attempts).cause, Cause::TotalsLost, "{names:?}");
    }
}

#[test]
fn once_it_has_committed_as_itself_a_task_goes_on_from_its_own() {
    let own = Lineage(5);
    let inputs = [of("a", served(own, 55)), of("b", served(own, 44))];
    let own = SnapshotName {
        offsets: vec![54, 44],
        ..name(PLAN, own, 0)
    };
    let names = [earlier("a", L, &[54]), earlier("b", M, &[44])];
    let attempts = decide_with(&inputs, &[own], &names, None);
    assert_eq!(attempts.len(), 2);
    assert!(attempts.iter().all(|attempt| carried(attempt).is_none()));
}

#[test]
fn a_gap_over_what_was_shown_zeroes_carried_totals_too() {
    let inputs = [
        of(
            "a",
            InputFacts {
                log_start: 55,
                ..served(L, 55)
            },
        ),
        of("b", served(M, 44)),
    ];
    let names = [earlier("a", L, &[50]), earlier("b", M, &[44])];
    let attempts = decide_with(&inputs, &[], &names, None);
    let (_, start) = carried(&attempts[0]).expect("it is carried over");
    assert_eq!(
        (&start.skip[..], &start.zero_at),
        (&[5, 0][..], &Some(vec![55, 44]))
    );
}
