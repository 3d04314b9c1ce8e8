//! `ollama run MODEL --verbose`: what its server counted and timed for one answer (`Summary` in `api/types.go` of its repository).

use super::{Engine, Given, Said, Test, child, common};
use spark_kernels::format::splitmix::SplitMix64;
use std::process::Command;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// `ollama`.
#[derive(Debug)]
pub(super) struct Ollama;

/// What an answer is asked for: the command has no word for its length, which is the model's choice.
const ASKED: &str = "Count from one to one thousand in words.";
/// The words before it, in an order that no cache has seen.
const WORDS: [&str; 8] = ["time", "year", "people", "way", "day", "man", "thing", "life"];

impl Engine for Ollama {
    fn name(&self) -> &'static str {
        "ollama"
    }
    fn model(&self) -> &'static str {
        "a model's name in ollama"
    }
    fn refuses(&self, test: &Test) -> Option<&'static str> {
        (test.depth > 0).then_some("ollama run has no depth; leave -d out")
    }
    fn run(&self, given: &Given, test: Test, epoch: Instant) -> Result<Said, String> {
        let shown = given.program.display();
        let (mut samples_ns, mut windows, mut counted) = (Vec::new(), Vec::new(), Vec::new());
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64);
        // The first one loads the model and does not count.
        for round in 0..=test.repetitions {
            let mut command = Command::new(&given.program);
            command.arg("run").args(&given.more).arg("--verbose").arg(&given.model);
            command.arg(prompt(seed, round, test.n_prompt));
            let talk = child::run(command, &given.cpus, epoch, "give the path of ollama")?;
            let Some(summary) = Summary::of(talk.err.iter().map(|line| line.text.as_str())) else {
                return Err(format!(
                    "{shown}: it said no durations; is it ollama? Its last word: {}",
                    talk.last_word()
                ));
            };
            if round == 0 {
                continue;
            }
            samples_ns.push(summary.time(test).max(1));
            let end = talk.err.iter().find(|line| line.text.contains("total duration")).map(|line| line.at_ns);
            let took = summary.prompt.1 + summary.answer.1;
            windows.extend(end.map(|end| [end.saturating_sub(took), end]));
            counted.push(format!("{}+{}", summary.prompt.0, summary.answer.0));
        }
        let times = "its server's: durations of reading and of answering, brought from the tokens it counted to those of the test";
        let mut facts = common(given, times, child::version(&given.program, &["--version"], &given.cpus));
        facts.insert("tokens counted".into(), format!("prompt+answer of each repetition: {}", counted.join(", ")));
        facts.insert("threads".into(), "its own choice".into());
        Ok(Said { samples_ns, windows, facts })
    }
}

/// A prompt of about so many tokens that begins like no other.
fn prompt(seed: u64, round: u64, tokens: u64) -> String {
    let mut random = SplitMix64::stream(seed, round);
    let words = (0..tokens.saturating_sub(20)).map(|_| WORDS[(random.next() % WORDS.len() as u64) as usize]);
    let number = format!("{:016x}", SplitMix64::stream(seed, !round).next());
    [number.as_str()].into_iter().chain(words).chain([ASKED]).collect::<Vec<_>>().join(" ")
}

/// Tokens and nanoseconds of reading and of answering.
#[derive(Debug, PartialEq, Eq)]
struct Summary {
    prompt: (u64, u64),
    answer: (u64, u64),
}

impl Summary {
    /// From its lines: `prompt eval count:    26 token(s)`, `eval duration:        1.3s` …
    fn of<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Self> {
        let (mut prompt, mut answer) = ((None, None), (None, None));
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            let count = || value.strip_suffix("token(s)")?.trim().parse().ok().filter(|tokens| *tokens > 0_u64);
            match name.trim() {
                "prompt eval count" => prompt.0 = count(),
                "prompt eval duration" => prompt.1 = duration(value),
                "eval count" => answer.0 = count(),
                "eval duration" => answer.1 = duration(value),
                _ => {}
            }
        }
        Some(Self { prompt: (prompt.0?, prompt.1?), answer: (answer.0?, answer.1?) })
    }
    /// Nanoseconds for as many tokens as the test has, at the pace of those it counted.
    fn time(&self, test: Test) -> u64 {
        let of = |tokens: u64, (counted, ns): (u64, u64)| tokens as f64 * ns as f64 / counted as f64;
        (of(test.n_prompt, self.prompt) + of(test.n_gen, self.answer)).round() as u64
    }
}

/// Nanoseconds of a duration as Go writes it: `1m2.5s`, `294.38ms`, `31µs`.
fn duration(text: &str) -> Option<u64> {
    const UNITS: [(&str, f64); 7] =
        [("ns", 1.0), ("µs", 1e3), ("us", 1e3), ("ms", 1e6), ("h", 3.6e12), ("m", 6e10), ("s", 1e9)];
    let (mut rest, mut all) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, ns) = UNITS.iter().find(|(unit, _)| rest.starts_with(unit))?;
        rest = &rest[unit.len()..];
        all += number * ns;
    }
    (1.0..1e18).contains(&all).then_some(all.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_go_writes_them() {
        let table =
            [("1m2.5s", 62_500_000_000), ("294.38ms", 294_380_000), ("31µs", 31_000), ("1h0m0s", 3_600_000_000_000)];
        table.iter().for_each(|(text, ns)| assert_eq!(duration(text), Some(*ns), "{text}"));
        ["", "1", "s", "1x", "0s", "-1s"].iter().for_each(|text| assert_eq!(duration(text), None, "{text}"));
    }

    #[test]
    fn a_summary_is_brought_to_the_tokens_of_the_test() {
        let said = "total duration:       2s\nload duration:        1ms\nprompt eval count:    50 token(s)\n\
            prompt eval duration: 500ms\nprompt eval rate:     100.00 tokens/s\neval count:           10 token(s)\n\
            eval duration:        1s\neval rate:            10.00 tokens/s\n";
        let summary = Summary::of(said.lines()).unwrap();
        assert_eq!(summary, Summary { prompt: (50, 500_000_000), answer: (10, 1_000_000_000) });
        let test = |n_prompt, n_gen| Test { n_prompt, n_gen, depth: 0, threads: 1, repetitions: 1 };
        assert_eq!((summary.time(test(100, 0)), summary.time(test(0, 5))), (1_000_000_000, 500_000_000));
        assert_eq!(Summary::of("eval count: 0 token(s)".lines()), None);
        assert_ne!(prompt(1, 0, 64), prompt(1, 1, 64));
    }
}
