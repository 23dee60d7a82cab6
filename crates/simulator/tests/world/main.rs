//! Virtual worlds: the production logic keeps its promises whatever goes wrong, and the worlds find
//! out when one of its rules is broken.

mod operators;
mod rules;
mod seeds;
