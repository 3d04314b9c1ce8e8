//! A child process whose lines are stamped where they arrive, and that does not outlive whoever started it.

use spark_kernels::cpu::pool::unpin;
use spark_results::machine::clean;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// A line, and when it arrived, in nanoseconds since the epoch.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) at_ns: u64,
}

/// What a child said on both of its outputs.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) out: VecDeque<Line>,
    pub(super) err: VecDeque<Line>,
}

/// No line that is looked for is longer.
const LONGEST: u64 = 1 << 20;
/// Lines kept of an output, the last ones: logs are long.
const KEPT: usize = 4096;

/// Runs `command` on `cpus` to its end. Errors: it cannot be started, or ends badly, with its last word; `hint` says what helps.
pub(super) fn run(mut command: Command, cpus: &[usize], epoch: Instant, hint: &str) -> Result<Talk, String> {
    let shown = command.get_program().to_string_lossy().into_owned();
    unpin(cpus);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Programs in Python keep their lines for themselves otherwise, and the moments would be lost.
    command.env("PYTHONUNBUFFERED", "1");
    let mut child = Killed(command.spawn().map_err(|e| format!("{shown}: {e}; {hint}"))?);
    let (Some(out), Some(err)) = (child.0.stdout.take(), child.0.stderr.take()) else {
        return Err(format!("{shown}: it has no output"));
    };
    let talk = std::thread::spawn(move || lines(err, epoch));
    let out = lines(out, epoch);
    let status = child.0.wait().map_err(|e| format!("{shown}: {e}"))?;
    let talk = Talk { out, err: talk.join().unwrap_or_default() };
    if !status.success() {
        return Err(format!("{shown} ended with {status}: {}", talk.last_word()));
    }
    Ok(talk)
}

/// The first line that the program says to `arguments`, where it says one.
pub(super) fn version(program: &Path, arguments: &[&str], cpus: &[usize]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments);
    let talk = run(command, cpus, Instant::now(), "").ok()?;
    let said = talk.out.iter().chain(&talk.err).map(|line| line.text.trim()).find(|text| !text.is_empty())?;
    Some(clean(said).chars().take(80).collect())
}

impl Talk {
    /// The last line of its log that says anything.
    pub(super) fn last_word(&self) -> String {
        let all = self.err.iter().rev().chain(self.out.iter().rev());
        let said = all.map(|line| clean(line.text.trim())).find(|text| !text.is_empty());
        said.unwrap_or_default().chars().take(200).collect()
    }
}

fn lines(from: impl Read, epoch: Instant) -> VecDeque<Line> {
    let (mut from, mut all) = (BufReader::new(from), VecDeque::new());
    loop {
        let mut bytes = Vec::new();
        let read = Read::take(&mut from, LONGEST).read_until(b'\n', &mut bytes);
        let at_ns = epoch.elapsed().as_nanos() as u64;
        if !matches!(read, Ok(1..)) {
            return all;
        }
        if all.len() == KEPT {
            all.pop_front();
        }
        all.push_back(Line { text: String::from_utf8_lossy(&bytes).into_owned(), at_ns });
    }
}

/// A child that does not outlive this value.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
