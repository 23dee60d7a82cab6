//! Holds single threads of a process still while its others go on, by a few lines of Python
//! (`freeze.py`): `ptrace` stops one thread, which no signal can.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Threads that stand still until this is dropped or its time is over.
#[derive(Debug)]
pub struct Frozen(Child);

impl Frozen {
    /// Freezes every thread of process `id` whose name begins with `name`, for `limit` at most;
    /// returns when they stand still.
    #[track_caller]
    pub fn threads(id: u32, name: &str, limit: Duration) -> Frozen {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/freeze.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(id.to_string());
        command.arg(limit.as_secs_f64().to_string()).arg(name);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python3 can be started");
        let output = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        read.expect("what it prints is text");
        let held: u32 = line.trim().parse().unwrap_or(0);
        assert!(held > 0, "no thread {name} of {id} could be stopped");
        Frozen(child)
    }

    /// Lets them go on.
    pub fn thaw(mut self) {
        drop(self.0.stdin.take());
        let ended = self.0.wait().expect("a child can be waited for");
        assert!(ended.success(), "the threads were let go");
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
