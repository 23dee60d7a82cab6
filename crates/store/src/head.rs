//! What a head refers to: the one place where this crate looks into a head.

use std::collections::BTreeSet;

use engine::snapshot::{self, Refusal, SectionRef};

/// The most that a head may hold, uncompressed. What closes is in sections, so a head has the open
/// entities and what changes; a million open orders are about a tenth of this.
pub(crate) const HEAD_BYTES_MOST: u64 = 1 << 30;

/// The sections that a sound head refers to, each once, in its order.
pub(crate) fn references(head: &[u8]) -> Result<Vec<SectionRef>, Refusal> {
    let mut seen = BTreeSet::new();
    let mut all = snapshot::references(head)?;
    all.retain(|reference| seen.insert(*reference));
    Ok(all)
}
