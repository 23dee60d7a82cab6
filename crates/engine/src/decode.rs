//! Reads back what `encode` wrote, out of bytes that may be anything.
//!
//! Every length is checked against what is left before anything is allocated for it, so decoding
//! takes memory in proportion to the bytes at hand. Counts and times are refused where a later sum
//! could overflow: what was read can be worked with.

use events::{EventTime, Key, Span};

/// What was read, or what is wrong with it.
pub type Read<T> = Result<T, Unsound>;

/// The bytes don't mean a state: which part of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unsound(pub &'static str);

/// No counter comes this far; sums of a few thousand that do still fit 64 bits.
const MOST: u64 = 1 << 48;

/// Takes values from the front of some bytes.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    left: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// From the first byte on.
    pub fn new(bytes: &'a [u8]) -> Decoder<'a> {
        Decoder { left: bytes }
    }

    /// Nothing may be left.
    pub fn end(&self) -> Read<()> {
        if self.is_at_end() {
            Ok(())
        } else {
            Err(Unsound("more bytes than there should be"))
        }
    }

    /// So many bytes as they are.
    pub fn raw(&mut self, length: usize) -> Read<&'a [u8]> {
        let (taken, left) = self
            .left
            .split_at_checked(length)
            .ok_or(Unsound("fewer bytes than there should be"))?;
        self.left = left;
        Ok(taken)
    }

    /// How many items of at least `least` bytes follow.
    pub fn length(&mut self, least: usize) -> Read<usize> {
        let length = self.number()?;
        let most = self.left.len() / least.max(1);
        match usize::try_from(length) {
            Ok(length) if length <= most => Ok(length),
            _ => Err(Unsound("a length beyond the end")),
        }
    }

    /// A decoder of the next so many bytes; this one goes on behind them.
    pub fn part(&mut self, length: usize) -> Read<Decoder<'a>> {
        Ok(Decoder::new(self.raw(length)?))
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.left.len()
    }

    /// Whether nothing is left.
    pub fn is_at_end(&self) -> bool {
        self.left.is_empty()
    }

    /// Bytes with their length before them.
    pub fn block(&mut self) -> Read<&'a [u8]> {
        let length = self.length(1)?;
        self.raw(length)
    }

    /// A text of at most so many bytes, with its length before it.
    pub fn text(&mut self, longest: usize) -> Read<&'a str> {
        let length = self.length(1)?;
        self.text_of(length, longest)
    }

    /// A text of this length, which may be at most so much.
    pub fn text_of(&mut self, length: usize, longest: usize) -> Read<&'a str> {
        if length > longest {
            return Err(Unsound("a text that is too long"));
        }
        std::str::from_utf8(self.raw(length)?).map_err(|_| Unsound("a text that is not UTF-8"))
    }

    /// A small number or a tag.
    pub fn byte(&mut self) -> Read<u8> {
        Ok(self.array::<1>()?[0])
    }

    /// A flag.
    pub fn flag(&mut self) -> Read<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Unsound("a flag that is neither 0 nor 1")),
        }
    }

    /// A number of 32 bits.
    pub fn short(&mut self) -> Read<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Any number of 64 bits.
    pub fn number(&mut self) -> Read<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Any signed number of 64 bits.
    pub fn signed(&mut self) -> Read<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// An exact sum.
    pub fn wide(&mut self) -> Read<i128> {
        Ok(i128::from_le_bytes(self.array()?))
    }

    /// A hash of 128 bits.
    pub fn hash(&mut self) -> Read<u128> {
        Ok(u128::from_le_bytes(self.array()?))
    }

    /// How often something happened.
    pub fn count(&mut self) -> Read<u64> {
        match self.number()? {
            count if count <= MOST => Ok(count),
            _ => Err(Unsound("a count that is too large")),
        }
    }

    /// An offset, or the next one.
    pub fn offset(&mut self) -> Read<i64> {
        match self.signed()? {
            offset if (0..=i64::MAX / 4).contains(&offset) => Ok(offset),
            _ => Err(Unsound("an offset that is none")),
        }
    }

    /// An instant; `EventTime::MIN` and what is as far in the future are the ends.
    pub fn time(&mut self) -> Read<EventTime> {
        let time = self.signed()?;
        if (EventTime::MIN.0..=-EventTime::MIN.0).contains(&time) {
            Ok(EventTime(time))
        } else {
            Err(Unsound("a time beyond all times"))
        }
    }

    /// A length of time, at least zero.
    pub fn span(&mut self) -> Read<Span> {
        match self.signed()? {
            span if span >= 0 => Ok(Span(span)),
            _ => Err(Unsound("a span below zero")),
        }
    }

    /// An identity.
    pub fn key(&mut self) -> Read<Key> {
        Ok(Key::from_bytes(self.array()?))
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let bytes = self.raw(N)?;
        Ok(bytes.try_into().expect("raw gives as many as asked for"))
    }
}
