//! `llama-bench` as a child: one test of it, with its own times and the window in which they were taken.

use serde_json::Value;
use spark_kernels::cpu::pool::unpin;
use spark_results::machine::clean;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// A `llama-bench` and the model that it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LlamaBench {
    /// The program.
    pub program: PathBuf,
    /// The model, a GGUF file.
    pub model: PathBuf,
    /// Further arguments, as `-ngl 99`.
    pub more: Vec<OsString>,
    /// The processors that it may use: a child inherits the one that this engine's thread is pinned to.
    pub cpus: Vec<usize>,
}

/// One test of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Test {
    /// `-p`; 0 for none.
    pub n_prompt: u64,
    /// `-n`; 0 for none.
    pub n_gen: u64,
    /// `-d`.
    pub depth: u64,
    /// `-t`.
    pub threads: u64,
    /// `-r`.
    pub repetitions: u64,
}

/// What it said.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// Nanoseconds of each repetition.
    pub samples_ns: Vec<u64>,
    /// When its row arrived, in nanoseconds since `epoch`: the repetitions ended right before.
    pub at_ns: u64,
    /// Its row, with every field.
    pub row: serde_json::Map<String, Value>,
}

/// Rows are short.
const LONGEST: u64 = 1 << 20;

impl LlamaBench {
    /// `llama-bench` at `path`, or the first in PATH. Errors: there is none.
    pub fn find(path: Option<&Path>) -> Result<PathBuf, String> {
        if let Some(path) = path {
            return match path.is_file() {
                true => Ok(path.to_owned()),
                false => {
                    Err(format!("--peer {}: no such program; give the path of a built llama-bench", path.display()))
                }
            };
        }
        let name = if cfg!(windows) { "llama-bench.exe" } else { "llama-bench" };
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|file| file.is_file());
        found.ok_or_else(|| "no llama-bench is in PATH; give its path with --peer PATH".to_owned())
    }

    /// Runs one test and waits for its end. Errors: it cannot be started, ends badly, or says no row of this test.
    pub fn run(&self, test: Test, epoch: Instant) -> Result<Said, String> {
        let shown = self.program.display();
        let mut command = Command::new(&self.program);
        command.arg("-m").arg(&self.model);
        // A prompt and an answer in one test have a flag of their own; each alone would be a test more.
        let both = test.n_prompt > 0 && test.n_gen > 0;
        let alone = |tokens: u64| if both { 0 } else { tokens };
        let numbers = [
            ("-p", alone(test.n_prompt)),
            ("-n", alone(test.n_gen)),
            ("-d", test.depth),
            ("-t", test.threads),
            ("-r", test.repetitions),
        ];
        for (flag, number) in numbers {
            command.arg(flag).arg(number.to_string());
        }
        if both {
            command.args(["-pg", &format!("{},{}", test.n_prompt, test.n_gen)]);
        }
        command.args(["-o", "jsonl"]).args(&self.more);
        unpin(&self.cpus);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            Killed(command.spawn().map_err(|e| format!("{shown}: {e}; give the path of a built llama-bench"))?);
        let (Some(out), Some(err)) = (child.0.stdout.take(), child.0.stderr.take()) else {
            return Err(format!("{shown}: it has no output"));
        };
        // Its log is long; the last line says what went wrong.
        let talk =
            std::thread::spawn(move || BufReader::new(err).lines().map_while(Result::ok).last().unwrap_or_default());
        let mut said = None;
        let mut lines = BufReader::new(out);
        loop {
            let mut line = String::new();
            let read = Read::take(&mut lines, LONGEST).read_line(&mut line).map_err(|e| format!("{shown}: {e}"))?;
            let at_ns = epoch.elapsed().as_nanos() as u64;
            if read == 0 {
                break;
            }
            said = said.or(row(&line, test).map(|(samples_ns, row)| Said { samples_ns, at_ns, row }));
        }
        let status = child.0.wait().map_err(|e| format!("{shown}: {e}"))?;
        let last = clean(&talk.join().unwrap_or_default());
        if !status.success() {
            return Err(format!("{shown} ended with {status}: {last}"));
        }
        said.ok_or_else(|| format!("{shown}: it said no row of this test; is it a llama-bench? Its last word: {last}"))
    }
}

/// A line as the row of `test`, with its samples.
fn row(line: &str, test: Test) -> Option<(Vec<u64>, serde_json::Map<String, Value>)> {
    let Value::Object(row) = serde_json::from_str(line).ok()? else { return None };
    let is = |name: &str, number: u64| row.get(name).and_then(Value::as_u64) == Some(number);
    let samples: Vec<u64> = row.get("samples_ns")?.as_array()?.iter().filter_map(Value::as_u64).collect();
    let of_this =
        is("n_prompt", test.n_prompt) && is("n_gen", test.n_gen) && (is("n_depth", test.depth) || test.depth == 0);
    (of_this && !samples.is_empty() && samples.iter().all(|ns| *ns > 0)).then_some((samples, row))
}

/// A child that does not outlive this value.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_of_its_test_or_none() {
        let test = Test { n_prompt: 8, n_gen: 0, depth: 0, threads: 1, repetitions: 2 };
        let line =
            |prompt: u64, samples: &str| format!(r#"{{"n_prompt":{prompt},"n_gen":0,"samples_ns":{samples},"new":1}}"#);
        assert_eq!(row(&line(8, "[5,6]"), test).unwrap().0, [5, 6]);
        for none in
            [line(9, "[5,6]"), line(8, "[]"), line(8, "[0]"), "log".to_owned(), "[]".to_owned(), "{}".to_owned()]
        {
            assert_eq!(row(&none, test), None, "{none}");
        }
    }
}
