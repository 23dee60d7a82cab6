//! From TOML text and environment variables to typed values that know where they were written.

pub(crate) mod environment;
pub(crate) mod section;
pub(crate) mod tree;
pub(crate) mod values;
