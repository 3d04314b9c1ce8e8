//! `vllm bench latency`: seconds of whole batches, in a file of JSON (`vllm/benchmarks/latency.py` in vLLM's repository).

use super::{Engine, Given, Said, Test, child, common};
use serde_json::Value;
use std::process::Command;
use std::time::Instant;

/// `vllm`.
#[derive(Debug)]
pub(super) struct Vllm;

/// Batches before those that count: as many as its kernels need to be compiled and captured.
const WARMUP: &str = "3";
/// A file of this many numbers nobody asked for.
const LARGEST: u64 = 1 << 24;

impl Engine for Vllm {
    fn name(&self) -> &'static str {
        "vllm"
    }
    fn model(&self) -> &'static str {
        "a folder with safetensors, or a model's name"
    }
    fn refuses(&self, test: &Test) -> Option<&'static str> {
        (test.depth > 0).then_some("vllm bench latency times the reading of what stands before; leave -d out")
    }
    fn run(&self, given: &Given, test: Test, epoch: Instant) -> Result<Said, String> {
        let shown = given.program.display();
        let folder = tempfile::tempdir().map_err(|e| format!("{shown}: no place for its file: {e}"))?;
        let file = folder.path().join("latency.json");
        let mut command = Command::new(&given.program);
        command.args(["bench", "latency", "--model"]).arg(&given.model).arg("--output-json").arg(&file);
        // A prompt ends with one token more, and an answer begins from one.
        let numbers = [
            ("--input-len", test.n_prompt.max(1)),
            ("--output-len", test.n_gen.max(1)),
            ("--batch-size", 1),
            ("--num-iters", test.repetitions),
        ];
        for (flag, number) in numbers {
            command.arg(flag).arg(number.to_string());
        }
        command.args(["--num-iters-warmup", WARMUP]).args(&given.more);
        let talk = child::run(command, &given.cpus, epoch, "give the path of vllm")?;
        let small = std::fs::metadata(&file).is_ok_and(|about| about.len() <= LARGEST);
        let text = if small { std::fs::read(&file).unwrap_or_default() } else { Vec::new() };
        let samples_ns = latencies(&text).ok_or_else(|| {
            format!("{shown}: it wrote no latencies; is it a vllm? Its last word: {}", talk.last_word())
        })?;
        let times = "its own: latencies of whole batches of one, detokenising included; a prompt with the one token after it, an \
            answer with the one token before it";
        let mut facts = common(given, times, child::version(&given.program, &["--version"], &given.cpus));
        facts.insert("threads".into(), "its own choice".into());
        // The mean is said right after the last batch.
        let end = talk.out.iter().find(|line| line.text.starts_with("Avg latency"));
        Ok(match end {
            Some(line) => Said::ended_at(samples_ns, line.at_ns, facts),
            None => Said { samples_ns, windows: Vec::new(), facts },
        })
    }
}

/// Nanoseconds of each batch.
fn latencies(text: &[u8]) -> Option<Vec<u64>> {
    let json: Value = serde_json::from_slice(text).ok()?;
    let all = json.get("latencies")?.as_array()?;
    let ns = |seconds: &Value| seconds.as_f64().filter(|s| *s > 0.0 && *s < 1e9).map(|s| (s * 1e9).round() as u64);
    let all: Vec<u64> = all.iter().map(ns).collect::<Option<_>>()?;
    (!all.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_positive_or_nothing() {
        assert_eq!(latencies(br#"{"avg_latency":0.3,"latencies":[0.25,0.5]}"#), Some(vec![250_000_000, 500_000_000]));
        for none in ["", "[]", r#"{"latencies":[]}"#, r#"{"latencies":[0.5,-1]}"#, r#"{"latencies":["x"]}"#] {
            assert_eq!(latencies(none.as_bytes()), None, "{none}");
        }
    }
}
