//! Whether a file was made here, by an earlier catalogue perhaps: the names that the generator gives,
//! and the mark that it leaves. Nothing else may be removed.
//!
//! Somebody's copy under another name keeps the mark, and somebody's own file may have a name like
//! ours: only both together say it.

use crate::alerts::{FUNNEL_DASHBOARD, HEALTH_DASHBOARD, OVERVIEW_DASHBOARD, PROMISE_DASHBOARD};
use crate::runbooks::texts::TEXTS;
use crate::{dashboards, proof, runbooks, yaml};

/// Whether a file is one of those whose names come from the catalogue (tests of rules, dashboards,
/// runbooks) and says that it was made here. `path`: below the output folder, with `/` between the
/// parts, like `File::path`.
pub fn is_made(path: &str, text: &str) -> bool {
    let named = |folder: &str, ending: &str| path.strip_prefix(folder)?.strip_suffix(ending);
    if let Some(name) = named("prometheus/tests/", ".yml") {
        return proof::is_name(name) && text.starts_with(&yaml::comments(crate::HEADER));
    }
    if let Some(uid) = named("grafana/dashboards/", ".json") {
        return is_uid(uid) && is_marked_dashboard(uid, text);
    }
    if let Some(alert) = named("runbooks/", ".md") {
        let is_mark = |line: &str| line == runbooks::MARK;
        return TEXTS.iter().any(|text| text.alert == alert) && text.lines().take(4).any(is_mark);
    }
    false
}

fn is_uid(uid: &str) -> bool {
    [
        PROMISE_DASHBOARD,
        OVERVIEW_DASHBOARD,
        FUNNEL_DASHBOARD,
        HEALTH_DASHBOARD,
    ]
    .contains(&uid)
}

fn is_marked_dashboard(uid: &str, text: &str) -> bool {
    let Ok(dashboard) = serde_json::from_str::<serde_json::Value>(text) else {
        return false;
    };
    let description = dashboard["description"].as_str();
    let is_marked = description.is_some_and(|text| text.ends_with(dashboards::MARK));
    dashboard["uid"] == uid && is_marked
}

#[cfg(test)]
mod tests {
    use catalogue::Sources;

    use super::*;
    use crate::File;

    /// What is made for the shipped packs in the folders where names come from the catalogue.
    fn shipped() -> Vec<File> {
        let sources = Sources {
            path: "the shipped packs",
            text: crate::SHIPPED,
            environment: &[],
            files: &[],
        };
        let (settings, plan) = catalogue::read(&sources).expect("the shipped packs are good");
        let mut files = crate::rules(&plan, &settings.generation);
        files.extend(dashboards(&plan, &settings.generation));
        files.extend(crate::reference(&plan, &settings.generation));
        let folders = ["prometheus/tests/", "grafana/dashboards/", "runbooks/"];
        files.retain(|file| folders.iter().any(|folder| file.path.starts_with(folder)));
        files
    }

    #[test]
    fn every_file_that_is_made_is_known_again() {
        let files = shipped();
        assert!(files.len() > 30, "too few: {}", files.len());
        for file in files {
            assert!(is_made(&file.path, &file.text), "{}", file.path);
        }
    }

    #[test]
    fn a_copy_under_another_name_is_somebody_s() {
        for file in shipped() {
            let (stem, ending) = file.path.rsplit_once('.').expect("it has an ending");
            for copy in [
                format!("{stem}-ours.{ending}"),
                format!("{}.orig", file.path),
            ] {
                assert!(!is_made(&copy, &file.text), "{copy}");
            }
        }
    }

    #[test]
    fn what_bears_no_mark_is_somebody_s_whatever_its_name() {
        for file in shipped() {
            let text = file.text.replace("Made by", "Begun by");
            assert_ne!(text, file.text, "{} has a mark", file.path);
            assert!(!is_made(&file.path, &text), "{}", file.path);
            assert!(!is_made(&file.path, ""), "{}", file.path);
        }
    }
}
