//! `mlx_lm.benchmark`: tokens a second of each trial, on lines (`mlx_lm/benchmark.py` in mlx-lm's repository).

use super::{Engine, Given, Said, Test, child, common};
use std::process::Command;
use std::time::Instant;

/// `mlx_lm.benchmark`.
#[derive(Debug)]
pub(super) struct MlxLm;

impl Engine for MlxLm {
    fn name(&self) -> &'static str {
        "mlx_lm.benchmark"
    }
    fn model(&self) -> &'static str {
        "a folder of MLX's, or a model's name"
    }
    fn refuses(&self, test: &Test) -> Option<&'static str> {
        (test.depth > 0).then_some("mlx_lm.benchmark has no depth; leave -d out")
    }
    fn run(&self, given: &Given, test: Test, epoch: Instant) -> Result<Said, String> {
        let shown = given.program.display();
        let mut command = Command::new(&given.program);
        let starter = given.program.file_name().is_some_and(|name| name == "mlx_lm");
        command.args(starter.then_some("benchmark")).arg("--model").arg(&given.model);
        let numbers = [("-p", test.n_prompt.max(1)), ("-g", test.n_gen.max(1)), ("-b", 1), ("-n", test.repetitions)];
        for (flag, number) in numbers {
            command.arg(flag).arg(number.to_string());
        }
        command.args(&given.more);
        let talk = child::run(command, &given.cpus, epoch, "give the path of mlx_lm.benchmark")?;
        let (mut samples_ns, mut windows, mut before) = (Vec::new(), Vec::new(), None);
        for line in &talk.out {
            if let Some(ns) = trial(&line.text, test) {
                samples_ns.push(ns);
                // A trial begins where the line before was said.
                windows.extend(before.map(|before: u64| [before, line.at_ns]));
            }
            before = Some(line.at_ns);
        }
        if samples_ns.is_empty() {
            return Err(format!(
                "{shown}: it said no trial; is it mlx_lm.benchmark? Its last word: {}",
                talk.last_word()
            ));
        }
        let times = "from its own tokens a second of each trial, which it rounds to 0.001; a trial also reads a prompt of at least \
            one token and says at least one";
        let starter = if starter { given.program.clone() } else { given.program.with_file_name("mlx_lm") };
        let mut facts = common(given, times, child::version(&starter, &["--version"], &given.cpus));
        facts.insert("threads".into(), "its own choice".into());
        Ok(Said { samples_ns, windows, facts })
    }
}

/// Nanoseconds that the tokens of `test` took, from a line as `Trial 1:  prompt_tps=1520.250, generation_tps=110.500, …`.
fn trial(line: &str, test: Test) -> Option<u64> {
    let rest = line.trim().strip_prefix("Trial ")?.split_once(':')?.1;
    let rate = |name: &str| {
        let value = rest.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))?;
        value.trim().parse::<f64>().ok().filter(|rate| *rate > 0.0 && rate.is_finite())
    };
    let time = |tokens: u64, name: &str| if tokens == 0 { Some(0.0) } else { Some(tokens as f64 / rate(name)?) };
    let seconds = time(test.n_prompt, "prompt_tps")? + time(test.n_gen, "generation_tps")?;
    Some(((seconds * 1e9).round() as u64).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_the_time_of_the_tokens_asked_for() {
        let line = "Trial 2:  prompt_tps=1000.000, generation_tps=50.000, peak_memory=1.850";
        let test = |n_prompt, n_gen| Test { n_prompt, n_gen, depth: 0, threads: 1, repetitions: 1 };
        assert_eq!(trial(line, test(500, 0)), Some(500_000_000));
        assert_eq!(trial(line, test(0, 100)), Some(2_000_000_000));
        assert_eq!(trial(line, test(500, 100)), Some(2_500_000_000));
        for none in ["Averages: prompt_tps=1.0, generation_tps=1.0", "Trial 1:  prompt_tps=0.000", "Trial 1", ""] {
            assert_eq!(trial(none, test(8, 0)), None, "{none}");
        }
    }
}
