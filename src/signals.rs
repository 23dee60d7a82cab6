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

    /// Does what blocks, on a thread of its own; the next signal ends the process meanwhile.
    pub async fn exit_during<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let working = tokio::task::spawn_blocking(work);
        tokio::select! {
            done = working => done?,
            code = self.next() => process::exit(code.into()),
        }
    }
}
