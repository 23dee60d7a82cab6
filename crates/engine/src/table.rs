//! The hash tables of the engine: keys are hashes already, so hashing is taking 64 of their bits.

use std::hash::{BuildHasherDefault, Hasher};

use events::Key;

/// A map by identity.
pub type KeyMap<V> = hashbrown::HashMap<Identity, V, BuildHasherDefault<TakeBits>>;

/// A map by a small integer that is spread out before use.
pub type SmallMap<V> = hashbrown::HashMap<u64, V, BuildHasherDefault<Spread>>;

/// A `Key` that hashes to its own low bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Identity(pub Key);

impl std::hash::Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.low());
    }
}

/// The hasher of `KeyMap`.
#[derive(Default, Debug)]
pub struct TakeBits(u64);

impl Hasher for TakeBits {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("an Identity writes one u64");
    }
    fn write_u64(&mut self, bits: u64) {
        self.0 = bits;
    }
}

/// The hasher of `SmallMap`: Fibonacci hashing, folded so that low and high bits are both mixed.
#[derive(Default, Debug)]
pub struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("a u64 writes one u64");
    }
    fn write_u64(&mut self, bits: u64) {
        let spread = bits.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = spread ^ (spread >> 32);
    }
}
