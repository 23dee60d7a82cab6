//! Takes a head apart and finds its sections, whatever the bytes are.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_128;

use super::write::{Blocks, HERE, SECTION};
use super::{MAGIC, Refusal, SectionRef, Snapshot, VERSION};
use crate::decode::{Decoder, Read, Unsound};

/// The longest id of a KPI or name of a topic or field that is read.
const NAME_BYTES: usize = 4096;
const CHECKSUM_BYTES: usize = 16;

/// A head, taken apart.
#[derive(Debug)]
pub(crate) struct Content<'a> {
    pub partition: i32,
    pub note: &'a [u8],
    pub sections: Vec<SectionRef>,
    pub inputs: &'a [u8],
    pub kpis: Vec<KpiContent<'a>>,
}

/// A KPI's part of it.
#[derive(Debug)]
pub(crate) struct KpiContent<'a> {
    pub id: &'a str,
    pub fingerprint: u64,
    pub state: &'a [u8],
}

/// What a head is about, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outline {
    /// The partition of every topic of the task.
    pub partition: i32,
    /// Topic, next offset and clock (microseconds since the epoch; `None` before any event).
    pub inputs: Vec<(String, i64, Option<i64>)>,
    /// Id, fingerprint of the definition and bytes in the head.
    pub kpis: Vec<(String, u64, usize)>,
    /// What it refers to.
    pub sections: Vec<SectionRef>,
}

/// The sections that a head refers to. Refused if the head is torn, foreign or of another version.
pub fn references(head: &[u8]) -> Result<Vec<SectionRef>, Refusal> {
    content(head).map(|content| content.sections)
}

/// The note that was given when the head was made.
pub fn note(head: &[u8]) -> Result<&[u8], Refusal> {
    content(head).map(|content| content.note)
}

/// What is in a head.
pub fn outline(head: &[u8]) -> Result<Outline, Refusal> {
    let content = content(head)?;
    let kpis = content.kpis.iter();
    Ok(Outline {
        partition: content.partition,
        inputs: crate::task::outline_inputs(content.inputs)?,
        kpis: kpis
            .map(|kpi| (kpi.id.to_owned(), kpi.fingerprint, kpi.state.len()))
            .collect(),
        sections: content.sections,
    })
}

/// Checks magic, version and checksum, and takes the head apart.
pub(crate) fn content(head: &[u8]) -> Result<Content<'_>, Refusal> {
    let magic = &head[..head.len().min(MAGIC.len())];
    if !MAGIC.starts_with(magic) {
        return Err(Refusal::Foreign("it doesn't begin like a snapshot".into()));
    }
    let torn = || Refusal::Torn(format!("it ends after {} bytes", head.len()));
    let (body, checksum) = head
        .len()
        .checked_sub(CHECKSUM_BYTES)
        .and_then(|length| head.split_at_checked(length))
        .ok_or_else(torn)?;
    let (_, rest) = body.split_at_checked(MAGIC.len()).ok_or_else(torn)?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(torn)?;
    let version = u16::from_le_bytes(*version);
    if version != VERSION {
        return Err(Refusal::Version(version));
    }
    if xxh3_128(body).to_le_bytes() != *checksum {
        return Err(Refusal::Torn("the checksum is another one".into()));
    }
    Ok(parts(Decoder::new(rest))?)
}

fn parts(mut from: Decoder<'_>) -> Read<Content<'_>> {
    let partition = from.short()? as i32;
    let note = from.block()?;
    let inputs = from.block()?;
    let count = from.length(24)?;
    let kpis = (0..count).map(|_| {
        Ok(KpiContent {
            id: from.text(NAME_BYTES)?,
            fingerprint: from.number()?,
            state: from.block()?,
        })
    });
    let kpis = kpis.collect::<Read<_>>()?;
    let count = from.length(CHECKSUM_BYTES + 8)?;
    let reference = |from: &mut Decoder<'_>| {
        Ok(SectionRef {
            hash: from.hash()?,
            length: from.number()?,
        })
    };
    let sections = (0..count)
        .map(|_| reference(&mut from))
        .collect::<Read<_>>()?;
    from.end()?;
    Ok(Content {
        partition,
        note,
        sections,
        inputs,
        kpis,
    })
}

/// The content of a head's sections, in its order.
#[derive(Debug)]
pub(crate) struct Sections<'a> {
    content: Vec<(SectionRef, &'a [u8])>,
    scope: String,
}

impl<'a> Sections<'a> {
    /// Finds and checks all that the head refers to.
    pub fn of(snapshot: &'a Snapshot, references: &[SectionRef]) -> Result<Sections<'a>, Refusal> {
        let given: BTreeMap<SectionRef, &[u8]> = snapshot
            .sections
            .iter()
            .map(|section| (section.reference, &*section.bytes))
            .collect();
        let find = |reference: &SectionRef| {
            let name = format!("section {:032x}", reference.hash);
            let bytes = given.get(reference).copied();
            let bytes = bytes.ok_or_else(|| Refusal::Torn(format!("{name} is missing")))?;
            let is_whole = bytes.len() as u64 == reference.length;
            if is_whole && xxh3_128(bytes) == reference.hash {
                Ok((*reference, bytes))
            } else {
                Err(Refusal::Torn(format!("{name} has other bytes")))
            }
        };
        Ok(Sections {
            content: references.iter().map(find).collect::<Result<_, _>>()?,
            scope: String::new(),
        })
    }

    /// What comes now: a topic or a KPI, as it was written.
    pub fn enter(&mut self, scope: &str) {
        scope.clone_into(&mut self.scope);
    }

    /// How many bytes the next so many blocks of this kind have, whose numbers have to ascend: so a
    /// section counts once, and what is made room for is no more than what was read.
    pub fn bytes(&self, from: &mut Decoder<'a>, count: usize, what: &str) -> Read<usize> {
        let (mut bytes, mut before) = (0, None);
        for _ in 0..count {
            let block = self.block(from, what)?;
            if before.replace(block.number) >= Some(block.number) {
                return Err(Unsound("blocks that don't ascend"));
            }
            bytes += block.content.left();
        }
        Ok(bytes)
    }

    /// The next block of this kind.
    pub fn block(&self, from: &mut Decoder<'a>, what: &str) -> Read<Block<'a>> {
        let number = from.signed()?;
        let (bytes, section) = match from.byte()? {
            HERE => (from.block()?, None),
            SECTION => {
                let known = self.content.get(from.short()? as usize);
                let known = known.ok_or(Unsound("a section that is not in the directory"))?;
                (known.1, Some(known.0))
            }
            _ => return Err(Unsound("a block that is neither here nor a section")),
        };
        let mut content = Decoder::new(bytes);
        let scope = content.text(NAME_BYTES)?;
        if scope != self.scope || content.text(NAME_BYTES)? != what || content.signed()? != number {
            return Err(Unsound("a block of something else"));
        }
        Ok(Block {
            number,
            content,
            section,
        })
    }
}

/// A block, to be read.
#[derive(Debug)]
pub(crate) struct Block<'a> {
    pub number: i64,
    pub content: Decoder<'a>,
    section: Option<SectionRef>,
}

impl Block<'_> {
    /// The next snapshot needn't write it again, unless it changes.
    pub fn remember(&self, blocks: &mut Blocks) {
        if let Some(section) = self.section {
            blocks.put(self.number, section);
        }
    }
}
