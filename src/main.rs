//! The kept binary.

fn main() {}
