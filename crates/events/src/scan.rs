//! One pass over a JSON text that takes the wanted members and checks all the rest.
//!
//! Accepts what RFC 8259 calls JSON and nothing more, in skipped parts too, as
//! `serde_json::from_slice::<Value>` does, with three differences: numbers stay as they are written
//! (so one too large for a double is fine), nesting may be `NESTING_LIMIT` deep, and nothing is
//! built. The caller has checked UTF-8 over the whole text, which is faster than string by string.
//! Skipping keeps its own stack of bits: depth costs no recursion.

use bumpalo::Bump;

use crate::escape;
use crate::event::Value;

/// How deep objects and arrays may be nested; the outermost one is at depth 1.
pub(crate) const NESTING_LIMIT: u32 = 128;

/// The text is not JSON, or nested too deep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NotJson;

/// A place in a JSON text.
pub(crate) struct Scanner<'d> {
    text: &'d str,
    at: usize,
}

/// The inside of a JSON string as it is written.
#[derive(Clone, Copy)]
struct Raw<'d> {
    text: &'d str,
    escaped: bool,
}

impl<'d> Raw<'d> {
    #[inline(always)]
    fn read(self, scratch: &'d Bump) -> &'d str {
        if self.escaped {
            escape::unescape(self.text, scratch)
        } else {
            self.text
        }
    }
}

impl<'d> Scanner<'d> {
    /// At the first token of `text`.
    pub(crate) fn new(text: &'d str) -> Scanner<'d> {
        let mut scanner = Scanner { text, at: 0 };
        scanner.skip_space();
        scanner
    }

    /// Enters the object that begins here, if one does.
    pub(crate) fn enter_object(&mut self) -> bool {
        let entered = self.byte() == b'{';
        self.at += usize::from(entered);
        entered
    }

    /// The name of the object's next member, with the scanner moved to its value; `None` at the
    /// object's end. `first` is true right after the object was entered.
    #[inline(always)]
    pub(crate) fn member(
        &mut self,
        first: bool,
        scratch: &'d Bump,
    ) -> Result<Option<&'d str>, NotJson> {
        self.skip_space();
        if self.byte() == b'}' {
            self.at += 1;
            return Ok(None);
        }
        if !first {
            self.expect(b',')?;
            self.skip_space();
        }
        Ok(Some(self.name()?.read(scratch)))
    }

    /// The value that begins here. `depth` is that of the object or array it lies in.
    #[inline(always)]
    pub(crate) fn value(&mut self, depth: u32, scratch: &'d Bump) -> Result<Value<'d>, NotJson> {
        match self.byte() {
            b'"' => Ok(Value::Text(self.string()?.read(scratch))),
            b'{' | b'[' => self.skip_nested(depth).map(|()| Value::Nested),
            b't' => self.literal("true").map(|()| Value::Bool(true)),
            b'f' => self.literal("false").map(|()| Value::Bool(false)),
            b'n' => self.literal("null").map(|()| Value::Missing),
            _ => self.number().map(Value::Number),
        }
    }

    /// Passes over the value that begins here and checks it.
    #[inline(always)]
    pub(crate) fn skip(&mut self, depth: u32) -> Result<(), NotJson> {
        match self.byte() {
            b'{' | b'[' => self.skip_nested(depth),
            _ => self.skip_scalar(),
        }
    }

    /// Nothing but space may follow the outermost value.
    pub(crate) fn end(&mut self) -> Result<(), NotJson> {
        self.skip_space();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(NotJson)
        }
    }

    /// The byte here, 0 at the end: no token begins with it.
    #[inline(always)]
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn skip_space(&mut self) {
        while matches!(self.byte(), b' ' | b'\n' | b'\t' | b'\r') {
            self.at += 1;
        }
    }

    #[inline(always)]
    fn expect(&mut self, byte: u8) -> Result<(), NotJson> {
        if self.byte() != byte {
            return Err(NotJson);
        }
        self.at += 1;
        Ok(())
    }

    /// A member's name, its colon and the space before its value.
    #[inline(always)]
    fn name(&mut self) -> Result<Raw<'d>, NotJson> {
        if self.byte() != b'"' {
            return Err(NotJson);
        }
        let name = self.string()?;
        self.skip_space();
        self.expect(b':')?;
        self.skip_space();
        Ok(name)
    }

    /// The string that begins here; the caller has seen its opening quote.
    #[inline(always)]
    fn string(&mut self) -> Result<Raw<'d>, NotJson> {
        let start = self.at + 1;
        self.at = start;
        let mut escaped = false;
        loop {
            self.at = plain_end(self.text.as_bytes(), self.at);
            match self.byte() {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    let (_, length) =
                        escape::read(&self.text.as_bytes()[self.at..]).ok_or(NotJson)?;
                    self.at += length;
                }
                _ => return Err(NotJson),
            }
        }
        let text = &self.text[start..self.at];
        self.at += 1;
        Ok(Raw { text, escaped })
    }

    #[inline(always)]
    fn number(&mut self) -> Result<&'d str, NotJson> {
        let start = self.at;
        self.at += usize::from(self.byte() == b'-');
        match self.byte() {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), b'e' | b'E') {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), b'+' | b'-'));
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    /// One or more digits.
    #[inline(always)]
    fn digits(&mut self) -> Result<(), NotJson> {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        if self.at > start {
            Ok(())
        } else {
            Err(NotJson)
        }
    }

    #[inline(always)]
    fn literal(&mut self, word: &str) -> Result<(), NotJson> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(NotJson);
        }
        self.at += word.len();
        Ok(())
    }

    fn skip_scalar(&mut self) -> Result<(), NotJson> {
        match self.byte() {
            b'"' => self.string().map(drop),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => self.number().map(drop),
        }
    }

    /// Passes over the object or array that begins here, which lies at `depth`.
    fn skip_nested(&mut self, depth: u32) -> Result<(), NotJson> {
        // One bit for each open object (1) or array (0), the innermost lowest.
        let mut objects: u128 = 0;
        let mut open = 0;
        loop {
            let byte = self.byte();
            if byte != b'{' && byte != b'[' {
                self.skip_scalar()?;
            } else if depth + open >= NESTING_LIMIT {
                return Err(NotJson);
            } else {
                open += 1;
                objects = objects << 1 | u128::from(byte == b'{');
                self.at += 1;
                self.skip_space();
                if self.byte() != closing(objects) {
                    if objects & 1 == 1 {
                        self.name()?;
                    }
                    continue;
                }
            }
            // A value ended here, or an empty object or array is about to.
            self.skip_space();
            while self.byte() == closing(objects) {
                self.at += 1;
                open -= 1;
                objects >>= 1;
                if open == 0 {
                    return Ok(());
                }
                self.skip_space();
            }
            self.expect(b',')?;
            self.skip_space();
            if objects & 1 == 1 {
                self.name()?;
            }
        }
    }
}

fn closing(objects: u128) -> u8 {
    if objects & 1 == 1 { b'}' } else { b']' }
}

/// Where the plain part of a string that goes on at `at` ends: at a quote, a backslash, a control
/// character, or the end of `bytes`. Sixteen bytes at a time, because most strings are shorter and
/// then no branch depends on their length. `x - 1 & !x` has the high bit of the lowest zero byte
/// set (higher ones may be wrong): "Bit Twiddling Hacks", Determine if a word has a zero byte.
#[inline(always)]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u128 = u128::MAX / 255;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let word = u128::from_le_bytes(*chunk);
        let quote = word ^ (ONES * b'"' as u128);
        let backslash = word ^ (ONES * b'\\' as u128);
        let found = (word.wrapping_sub(ONES * 0x20) & !word)
            | (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash);
        let found = found & (ONES << 7);
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 16;
    }
    let special = |&byte: &u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    bytes[at..]
        .iter()
        .position(special)
        .map_or(bytes.len(), |length| at + length)
}
