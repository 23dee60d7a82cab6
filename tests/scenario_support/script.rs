//! A scenario file as data. Its syntax is in `tests/scenarios/README.md`.

use events::{EventTime, WallTime};

use super::record::{Sent, is_range, records};
use super::series::Wanted;
use super::times;

/// The whole file.
#[derive(Debug)]
pub struct Script {
    /// The text of `config`, empty if there is none.
    pub config: String,
    /// The text of `definitions`.
    pub definitions: Option<String>,
    /// How many partitions each topic has.
    pub partitions: i32,
    /// Records and looks, in their order.
    pub steps: Vec<Step>,
}

/// What happens next.
#[derive(Debug)]
pub enum Step {
    /// These records arrive.
    Send(Vec<Sent>),
    /// Someone scrapes.
    Expect(Expect),
}

/// A look at the exposition.
#[derive(Debug)]
pub struct Expect {
    /// Where it is written.
    pub line: usize,
    /// When it is taken.
    pub at: At,
    /// Partitions that are not at their end.
    pub behind: Vec<(String, i32)>,
    /// What has to be seen.
    pub wanted: Vec<Wanted>,
}

/// When it is taken.
#[derive(Clone, Copy, Debug)]
pub enum At {
    /// At this display time.
    Display(EventTime),
    /// At this wall time.
    Wall(WallTime),
}

impl Script {
    /// Reads it, or says `LINE: what is wrong`.
    pub fn parse(text: &str) -> Result<Script, String> {
        let mut script = Script {
            config: String::new(),
            definitions: None,
            partitions: 1,
            steps: Vec::new(),
        };
        let mut lines = text.lines().enumerate();
        let mut in_range = false;
        while let Some((at, line)) = lines.next() {
            let at = at + 1;
            let problem = |message: String| format!("{at}: {message}");
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            let mut block = || {
                let inner: Vec<&str> = lines
                    .by_ref()
                    .map(|line| line.1)
                    .take_while(|line| *line != "end")
                    .collect();
                inner
                    .iter()
                    .map(|line| format!("{line}\n"))
                    .collect::<String>()
            };
            match trimmed.split_once(' ').unwrap_or((trimmed, "")) {
                ("config" | "definitions", _) if !text_has_end(text, at) => {
                    return Err(problem(format!("`{trimmed}` has no `end`")));
                }
                ("config", _) => script.config = block(),
                ("definitions", _) => script.definitions = Some(block()),
                ("partitions", number) => {
                    let number = number.trim().parse();
                    script.partitions = number.map_err(|_| problem("how many?".to_owned()))?;
                }
                ("expect", rest) => {
                    let expect = expect(at, rest).map_err(problem)?;
                    script.steps.push(Step::Expect(expect));
                }
                _ if line.starts_with(char::is_whitespace) => {
                    script.want(at, trimmed).map_err(problem)?;
                }
                _ => {
                    let sent = records(at, trimmed).map_err(problem)?;
                    let range = is_range(trimmed);
                    script.send(sent, range && in_range);
                    in_range = range;
                    continue;
                }
            }
            in_range = false;
        }
        Ok(script)
    }

    /// Appends records; those of a range that follows a range are merged with it by time.
    fn send(&mut self, sent: Vec<Sent>, merge: bool) {
        for one in &sent {
            self.partitions = self.partitions.max(one.partition + 1);
        }
        match self.steps.last_mut() {
            Some(Step::Send(before)) if merge => {
                before.extend(sent);
                before.sort_by_key(|one| one.time);
            }
            _ => self.steps.push(Step::Send(sent)),
        }
    }

    fn want(&mut self, line: usize, text: &str) -> Result<(), String> {
        let Some(Step::Expect(expect)) = self.steps.last_mut() else {
            return Err("an indented line belongs to an `expect`".to_owned());
        };
        expect.wanted.push(Wanted::parse(line, text)?);
        Ok(())
    }
}

/// `display TIME` or `wall TIME`, then `behind TOPIC/PARTITION ...`.
fn expect(line: usize, text: &str) -> Result<Expect, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [axis, time, rest @ ..] = &words[..] else {
        return Err("an `expect` needs `display` or `wall` and a time".to_owned());
    };
    let time = times::time(time)?;
    let at = match *axis {
        "display" => At::Display(time),
        "wall" => At::Wall(WallTime(time.0)),
        other => return Err(format!("`{other}` is neither `display` nor `wall`")),
    };
    let behind = match rest {
        [] => &[],
        ["behind", partitions @ ..] => partitions,
        _ => return Err("after the time comes `behind` and partitions".to_owned()),
    };
    let behind = behind.iter().map(|place| {
        let parts = place.rsplit_once('/').and_then(|(topic, partition)| {
            Some((topic.to_owned(), partition.parse::<i32>().ok()?))
        });
        parts.ok_or(format!("`{place}` is not like shop.events/1"))
    });
    let behind = behind.collect::<Result<_, _>>()?;
    Ok(Expect {
        line,
        at,
        behind,
        wanted: Vec::new(),
    })
}

/// Whether a line that is just `end` follows line `at`.
fn text_has_end(text: &str, at: usize) -> bool {
    text.lines().skip(at).any(|line| line == "end")
}
