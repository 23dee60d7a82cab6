//! The store against real folders and a small S3 server: what was saved is read back or refused
//! with a reason, whatever happens to the objects or to the connection.
#![allow(
    clippy::disallowed_methods,
    reason = "tests damage files and listen on loopback"
)]

mod bench;
mod cloud;
mod damage;
mod full;
mod retention;
mod s3;
mod saving;
