//! llama.cpp's `llama-bench`: a row of JSON a test, with the times of its repetitions.

use super::{Engine, Given, Said, Test, child, common};
use serde_json::{Map, Value};
use spark_results::machine::clean;
use std::process::Command;
use std::time::Instant;

/// `llama-bench`.
#[derive(Debug)]
pub(super) struct LlamaBench;

/// What it says of itself and of the model.
const TOLD: [&str; 9] = [
    "backends",
    "cpu_info",
    "gpu_info",
    "model_type",
    "model_size",
    "model_n_params",
    "type_k",
    "type_v",
    "flash_attn",
];

impl Engine for LlamaBench {
    fn name(&self) -> &'static str {
        "llama-bench"
    }
    fn model(&self) -> &'static str {
        "a GGUF file"
    }
    fn reads_gguf(&self) -> bool {
        true
    }
    fn refuses(&self, _: &Test) -> Option<&'static str> {
        None
    }
    fn usual(&self, device: &str) -> &'static [&'static str] {
        if device == "cpu" { &["-fa", "1", "-ngl", "0", "-dev", "none"] } else { &["-fa", "1"] }
    }
    fn run(&self, given: &Given, test: Test, epoch: Instant) -> Result<Said, String> {
        let mut command = Command::new(&given.program);
        command.arg("-m").arg(&given.model);
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
        command.args(["-o", "jsonl"]).args(&given.more);
        let talk = child::run(command, &given.cpus, epoch, "give the path of a built llama-bench")?;
        let mut rows = talk.out.iter().filter_map(|line| Some((row(&line.text, test)?, line.at_ns)));
        let Some(((samples_ns, row), at_ns)) = rows.next() else {
            let (shown, last) = (given.program.display(), talk.last_word());
            return Err(format!("{shown}: it said no row of this test; is it a llama-bench? Its last word: {last}"));
        };
        let text = |name: &str| match row.get(name)? {
            Value::String(text) => Some(clean(text)),
            Value::Null => None,
            other => Some(other.to_string()),
        };
        let build = [text("build_commit"), text("build_number").map(|n| format!("({n})"))];
        let version = Some(build.into_iter().flatten().collect::<Vec<_>>().join(" "));
        let mut facts = common(given, "its own: samples_ns of its rows", version);
        facts.extend(TOLD.iter().filter_map(|name| Some(((*name).to_owned(), text(name)?))));
        // It says a row right after the last repetition. With a depth the cache is filled again between repetitions: their
        // windows cannot be told from that.
        Ok(match test.depth {
            0 => Said::ended_at(samples_ns, at_ns, facts),
            _ => Said { samples_ns, windows: Vec::new(), facts },
        })
    }
}

/// A line as the row of `test`, with its samples.
fn row(line: &str, test: Test) -> Option<(Vec<u64>, Map<String, Value>)> {
    let Value::Object(row) = serde_json::from_str(line).ok()? else { return None };
    let is = |name: &str, number: u64| row.get(name).and_then(Value::as_u64) == Some(number);
    let samples: Vec<u64> = row.get("samples_ns")?.as_array()?.iter().filter_map(Value::as_u64).collect();
    let of_this =
        is("n_prompt", test.n_prompt) && is("n_gen", test.n_gen) && (is("n_depth", test.depth) || test.depth == 0);
    (of_this && !samples.is_empty() && samples.iter().all(|ns| *ns > 0)).then_some((samples, row))
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
