//! SIGTERM and SIGINT: the first asks a command to end well, the second ends the process at once.

use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code of a command that SIGINT ended, as shells have it.
const INTERRUPTED: u8 = 130;
/// Likewise for SIGTERM.
const TERMINATED: u8 = 143;

/// Both signals; from when this is made they no longer end the process by themselves.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Must be called within a runtime.
    pub fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one; its exit code.
    pub async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.terminate.recv() => TERMINATED,
            _ = self.interrupt.recv() => INTERRUPTED,
        }
    }

    /// Waits for the next one and ends the process.
    pub async fn exit_at_next(&mut self) {
        process::exit(self.next().await.into());
    }
}
