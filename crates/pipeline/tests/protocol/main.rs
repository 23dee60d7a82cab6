//! The worker's protocol, driven by hand: what is published, committed, saved and gone on from.

mod anew;
mod answers;
mod broken;
mod carried;
mod display;
mod others;
mod outages;
mod plans;
mod publishing;
mod recreated;
mod rejoined;
mod restarts;
mod rig;
mod saving;
mod shares;
