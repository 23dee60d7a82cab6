//! The catalogue files that are shipped inside the program.

/// Name and text of every pack.
pub const PACKS: [(&str, &str); 2] = [
    ("promise", include_str!("../packs/promise.toml")),
    ("cart", include_str!("../packs/cart.toml")),
];

/// How places in a pack begin.
pub(crate) const PACK: &str = "pack ";
