//! What lies in `deploy/` and `docker-compose.yml`, held against the tools that will read it: Docker's
//! compose library, kustomize, Kubernetes' schemas, the Prometheus operator's types, hadolint,
//! promtool, amtool, `kept` itself. There is no Docker and no cluster here: `stack` starts what
//! compose would start as plain processes, with the arguments and files that compose gives them.
//!
//! Each kind of check is also shown a broken copy, which it must refuse for the right reason.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests are about files, processes and sockets"
)]

mod compose;
mod image;
mod kubernetes;
mod monitoring;
mod stack;
mod tools;
