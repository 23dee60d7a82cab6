//! Views in, bytes out, in all formats: what each writes, and that all say the same numbers.

mod agreement;
mod fixture;
mod protobuf;
mod published;
mod reader;
mod text;
