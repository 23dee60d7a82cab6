//! What a head refers to: the one place where this crate looks into a head.

use std::collections::BTreeSet;

use engine::snapshot::{self, Refusal, SectionRef};

/// The most that a head may hold, uncompressed. What closes is in sections, so a head has the open
/// entities and what changes; a million open orders are about a tenth of this.
pub(crate) const HEAD_BYTES_MOST: u64 = 1 << 30;

/// The most that the sections of one snapshot may hold together, uncompressed: some twenty million
/// finished orders and their ids. Without it a small file could claim, and unpack to, any size.
const SECTIONS_BYTES_MOST: u64 = 1 << 32;

/// The sections that a sound head refers to, each once, in its order. Refused if they hold too much.
pub(crate) fn references(head: &[u8]) -> Result<Vec<SectionRef>, Refusal> {
    let mut seen = BTreeSet::new();
    let mut all = snapshot::references(head)?;
    all.retain(|reference| seen.insert(*reference));
    let lengths = all.iter().map(|reference| reference.length);
    let length = lengths.fold(0, u64::saturating_add);
    if length > SECTIONS_BYTES_MOST {
        let message = format!("its sections hold {length} bytes, more than {SECTIONS_BYTES_MOST}");
        return Err(Refusal::Unsound(message));
    }
    Ok(all)
}
