//! Lines of a file or of standard input, read ahead on a thread of its own in pieces of whole
//! lines: reading never waits for sending, and a signal is never stuck behind a silent pipe. A byte
//! order mark at the very beginning is no part of the first line.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::thread;

use crossbeam_channel::{Receiver, SendError, Sender, bounded};

/// Bytes asked for in one read.
const READ_BYTES: usize = 256 * 1024;
/// Pieces read ahead.
const AHEAD: usize = 8;
/// What some editors write in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What was read.
#[derive(PartialEq, Eq, Debug)]
pub enum Piece {
    /// Whole lines.
    Lines {
        /// The number of the first one; the file's first line is 1.
        first: u64,
        /// With their line ends; the file's last line may have none.
        bytes: Vec<u8>,
    },
    /// This line is longer than the limit and was not kept.
    TooLong(u64),
    /// Reading failed here: there is nothing more.
    Failed(u64, String),
}

/// Opens `path` (`-`: standard input) and starts reading; no line is longer than `most` bytes. The
/// channel closes at the end.
pub fn read(path: &Path, most: usize) -> io::Result<Receiver<Piece>> {
    let (pieces, read) = bounded(AHEAD);
    let input: Box<dyn Read + Send> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        Box::new(file)
    };
    thread::Builder::new()
        .name("kept-lines".into())
        // An error means that nobody wants the rest.
        .spawn(move || drop(split(input, most, &pieces)))?;
    Ok(read)
}

fn split(
    mut input: impl Read,
    most: usize,
    pieces: &Sender<Piece>,
) -> Result<(), SendError<Piece>> {
    let mut line = 1;
    // Begins where a line begins, or within one that is skipped.
    let mut held: Vec<u8> = Vec::new();
    let mut skipping = false;
    let mut at_begin = true;
    loop {
        match more(&mut input, &mut held) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => return pieces.send(Piece::Failed(line, error.to_string())),
        }
        if at_begin {
            if held.starts_with(BYTE_ORDER_MARK) {
                held.drain(..BYTE_ORDER_MARK.len());
            } else if BYTE_ORDER_MARK.starts_with(&held) {
                continue;
            }
            at_begin = false;
        }
        if skipping {
            let Some(end) = held.iter().position(|&byte| byte == b'\n') else {
                held.clear();
                continue;
            };
            held.drain(..=end);
            line += 1;
            skipping = false;
        }
        if let Some(end) = held.iter().rposition(|&byte| byte == b'\n') {
            let rest = held.split_off(end + 1);
            let bytes = std::mem::replace(&mut held, rest);
            let count = bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
            pieces.send(Piece::Lines { first: line, bytes })?;
            line += count;
        }
        if held.len() > most {
            pieces.send(Piece::TooLong(line))?;
            held.clear();
            skipping = true;
        }
    }
    if held.is_empty() {
        Ok(())
    } else {
        pieces.send(Piece::Lines {
            first: line,
            bytes: held,
        })
    }
}

/// Appends what one read gives; 0: the end.
fn more(input: &mut impl Read, held: &mut Vec<u8>) -> io::Result<usize> {
    let before = held.len();
    held.resize(before + READ_BYTES, 0);
    let count = loop {
        match input.read(&mut held[before..]) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => break other,
        }
    };
    held.truncate(before + count.as_ref().map_or(0, |count| *count));
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes a few at a time.
    struct Dribble<'a>(&'a [u8], usize);

    impl Read for Dribble<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(into.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    /// Every line with its number, whatever the pieces; too long ones as `None`.
    #[track_caller]
    fn check(text: &str, most: usize, expected: &[(u64, Option<&str>)]) {
        for step in [1, 2, 3, 7, 1000] {
            let (pieces, read) = crossbeam_channel::unbounded();
            split(Dribble(text.as_bytes(), step), most, &pieces).expect("the receiver is there");
            drop(pieces);
            let mut found = Vec::new();
            for piece in read {
                match piece {
                    Piece::Lines { first, bytes } => {
                        let text = String::from_utf8(bytes).expect("it was text");
                        let lines = text.lines().map(|line| Some(line.to_owned()));
                        found.extend((first..).zip(lines));
                    }
                    Piece::TooLong(line) => found.push((line, None)),
                    Piece::Failed(..) => panic!("{piece:?}"),
                }
            }
            let expected = expected
                .iter()
                .map(|&(line, text)| (line, text.map(str::to_owned)));
            assert_eq!(
                found,
                expected.collect::<Vec<_>>(),
                "step {step} of {text:?}"
            );
        }
    }

    #[test]
    fn lines_keep_their_numbers() {
        check("", 9, &[]);
        check("a\nb\n", 9, &[(1, Some("a")), (2, Some("b"))]);
        check(
            "a\n\nb",
            9,
            &[(1, Some("a")), (2, Some("")), (3, Some("b"))],
        );
    }

    #[test]
    fn a_byte_order_mark_is_skipped_at_the_beginning_only() {
        check("\u{feff}a\nb", 9, &[(1, Some("a")), (2, Some("b"))]);
        check("a\n\u{feff}b", 9, &[(1, Some("a")), (2, Some("\u{feff}b"))]);
        check("\u{feff}", 9, &[]);
    }

    #[test]
    fn a_line_that_never_ends_is_not_held() {
        let text = format!("a\n{}\nb\n", "x".repeat(5000));
        check(
            &text,
            2000,
            &[(1, Some("a")), (2, None), (3, Some("b"))][..],
        );
    }
}
