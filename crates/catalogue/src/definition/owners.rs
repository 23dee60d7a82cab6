//! Who is asked: each owner's name is one receiver of Alertmanager's, so two names that would be one
//! receiver are refused, with both places; Alertmanager would refuse the whole file.

use crate::generation::slug;
use crate::text::section::Section;

/// The owners so far, and where each was first.
pub(crate) struct Owners(Vec<(String, String)>);

impl Owners {
    /// Kept's own.
    pub fn new(of_kept: &str) -> Owners {
        Owners(vec![(of_kept.to_owned(), "[generate]".to_owned())])
    }

    /// Reads `owner` of a table.
    pub fn read(&mut self, section: &Section<'_>) -> Option<String> {
        let owner = section.parsed("owner", name)?;
        let one = slug(&owner.value);
        match self.0.iter().find(|other| slug(&other.0) == one) {
            None => {
                let place = &owner.place;
                let place = format!("{}, line {}", place.path, place.line);
                self.0.push((owner.value.clone(), place));
            }
            Some((other, first)) if *other != owner.value => {
                let message = format!(
                    "owner \"{}\" and \"{other}\" of {first} would be one receiver, \"{one}\": write \
                     them alike, or differ by more than capitals and signs",
                    owner.value
                );
                section.problems.add(&owner.place, message);
            }
            Some(_) => {}
        }
        Some(owner.value)
    }
}

fn name(text: &str) -> Result<String, String> {
    match text {
        _ if text.trim().is_empty() => Err("it must say who is asked, or be left out".to_owned()),
        _ if text.contains('\n') => Err("it must be one line".to_owned()),
        _ if text.contains("{{") => {
            Err("it can't have \"{{\": labels of alerts are templates".to_owned())
        }
        _ => Ok(text.to_owned()),
    }
}
