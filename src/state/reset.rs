//! `kept state reset`: the deliberate end of a group's numbers. Snapshots without their committed
//! offsets, or the other way round, are a state that Kept recovers from; so the offsets go first,
//! and only while the group has no members, who would commit theirs again.

use std::io::{BufRead, Write};
use std::process::ExitCode;

use catalogue::settings::Start;
use kafka::admin::{Admin, GroupDeletion};

use super::{Opened, describe};

/// Says what will happen, asks, and does it.
pub fn reset(
    opened: &Opened,
    yes: bool,
    mut answers: impl BufRead,
    out: &mut dyn Write,
) -> Result<ExitCode, String> {
    let group = &opened.settings.kafka.group;
    let mut say = |text: &str| {
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    };
    let admin = Admin::new(&opened.settings.kafka).map_err(|error| error.to_string())?;
    let members = admin.members(group).map_err(|error| {
        let brokers = &opened.settings.kafka.brokers;
        format!("can't ask {brokers} about group \"{group}\": {error}")
    })?;
    if members > 0 {
        return Err(has_members(group, &describe::count(members, "member")));
    }
    say(&announcement(opened)?);
    if !yes {
        say(&format!(
            "Type the group's name ({group}) to go on, anything else to leave all as it is: "
        ));
        let mut typed = String::new();
        let read = answers.read_line(&mut typed);
        read.map_err(|error| format!("can't read the answer: {error}"))?;
        if typed.trim() != group {
            return Err("that is not its name: nothing was deleted".to_owned());
        }
    }
    let deletion = admin.delete_group(group);
    match deletion.map_err(|error| format!("nothing was deleted: {error}"))? {
        GroupDeletion::Done => say("committed offsets deleted\n"),
        GroupDeletion::NoSuchGroup => say("there were no committed offsets\n"),
        GroupDeletion::HasMembers => return Err(has_members(group, "members")),
    }
    let deleted = opened
        .store
        .clear()
        .map_err(|error| format!("not all snapshots were deleted, run it again: {error}"))?;
    say(&format!(
        "{} deleted\n",
        describe::count(deleted as usize, "object")
    ));
    Ok(ExitCode::SUCCESS)
}

fn has_members(group: &str, members: &str) -> String {
    format!(
        "group \"{group}\" has {members}, nothing was deleted: stop every `kept run` of it first \
         (one that was killed counts for session.timeout.ms)"
    )
}

fn announcement(opened: &Opened) -> Result<String, String> {
    let tasks = opened.store.tasks()?;
    let mut snapshots = 0;
    for folder in &tasks {
        snapshots += opened.store.listing(folder)?.snapshots.len();
    }
    let start = match opened.settings.kafka.start {
        Start::Back(span) => format!("{span} back"),
        Start::Earliest => "at the oldest records".to_owned(),
        Start::Latest => "at what comes then".to_owned(),
    };
    Ok(format!(
        "This deletes {} of {} in {}\nand the committed offsets of group \"{}\". All totals begin \
         at 0: the next `kept run` begins as a brand-new group, {start}.\n",
        describe::count(snapshots, "snapshot"),
        describe::count(tasks.len(), "task"),
        opened.store.location(),
        opened.settings.kafka.group,
    ))
}
