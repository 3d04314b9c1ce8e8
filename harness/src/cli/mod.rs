//! The command line: one file a verb.

mod agent;
mod all;
mod axes;
mod calibrate;
mod claims;
mod common;
mod compare;
mod doctor;
mod drift;
mod elsewhere;
mod endpoint;
mod export;
mod fit;
mod fresh;
mod gate;
mod generate;
mod import;
mod list;
mod llm;
mod logits;
mod monitor;
mod plan;
mod report;
mod run;
mod schema;
mod soak;
mod speaking;
mod stop;
pub mod ui;
mod verify;
mod worker;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// What a verb comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Fine.
    Fine,
    /// A regression, or something broken.
    Broken,
    /// Nothing failed, and something could not be told.
    Inconclusive,
    /// Interrupted by Ctrl-C, with what was measured so far on disk.
    Interrupted,
}

/// Measures a machine for language models: its roofs, a decoder's kernels as shares of them, tokens a second.
#[derive(Debug, Parser)]
#[command(
    name = "spark-bench",
    version,
    propagate_version = true,
    max_term_width = 100,
    disable_help_subcommand = true
)]
#[command(
    after_help = "Exit codes: 0 fine, 1 regression or something broken, 2 could not run, 3 inconclusive, 130 interrupted."
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Detect, run the suite, write a run folder with report.html, judge against the baseline
    #[command(after_help = "Example: spark-bench all --suite smoke --out my-run")]
    All(all::Args),
    /// One workload or a glob of ids, with any of its axes
    #[command(
        after_help = "Example: spark-bench run gemm --format mxfp4,nvfp4 --m 1,8 --n 4096 --k 4096 --implementation all"
    )]
    Run(run::Args),
    /// A decoder end to end: prompts read and tokens generated a second, in llama-bench's grammar
    #[command(
        after_help = "Example: spark-bench llm -m llama-3.2-1b --format mxfp4,nvfp4 -p 512 -n 128 -d 0,4096 -o json"
    )]
    Llm(Box<llm::Args>),
    /// What the engine computes for a model: the logits of the last of given tokens
    #[command(after_help = "Example: spark-bench logits -m model.gguf --tokens 1,2,3 --top 10")]
    Logits(logits::Args),
    /// What a model says, greedily, for a look at real text
    #[command(after_help = "Example: spark-bench generate -m model.gguf -p Hello -n 32 --speculate lookup")]
    Generate(generate::Args),
    /// Minutes at full load: how fast at first, how fast for good, when it falls, what brings it back
    #[command(after_help = "Example: spark-bench soak --load both --minutes 10")]
    Soak(Box<soak::Args>),
    /// A deterministic loop of a model and its tools: how long a task takes, a turn, and what for
    #[command(after_help = "Example: spark-bench agent -m llama-3.2-1b --turns 8 --cache on,off")]
    Agent(Box<agent::Args>),
    /// Any OpenAI-compatible server: first token, further tokens, whole answers, answers within limits
    #[command(after_help = "Example: spark-bench endpoint http://localhost:8080 -p 512 -n 128 --concurrency 1,4,16")]
    Endpoint(Box<endpoint::Args>),
    /// What `all` would run, how long, how much memory; runs nothing
    #[command(after_help = "Example: spark-bench plan --suite full --filter 'gemm/*m=1&*'")]
    Plan(plan::Args),
    /// What fits in a machine's memory, how fast it can be at most, what it costs
    #[command(after_help = "Example: spark-bench fit -m llama-3.3-70b --on dgx-spark --tariff 0.17/kWh")]
    Fit(Box<fit::Args>),
    /// The claims ledger, judged on this machine
    #[command(after_help = "Example: spark-bench claims my-run")]
    Claims(claims::Args),
    /// Workloads, implementations, devices, models, suites, and why a thing is unavailable
    #[command(after_help = "Example: spark-bench list implementations")]
    List(list::Args),
    /// This machine's state and what would spoil a measurement, each with the mend
    #[command(after_help = "Example: spark-bench doctor --json")]
    Doctor(doctor::Args),
    /// The sensors, live in the terminal
    #[command(after_help = "Example: spark-bench monitor --once --json")]
    Monitor(monitor::Args),
    /// The HTML page and the table again, from stored runs
    #[command(after_help = "Example: spark-bench report results/runs/2026-11-21T10-00-00Z-box")]
    Report(report::Args),
    /// Stored runs side by side: the same work on both, or a refusal that says what differs
    #[command(after_help = "Example: spark-bench compare my-run their-run --markdown -")]
    Compare(compare::Args),
    /// A stored run in other words
    #[command(after_help = "Example: spark-bench export my-run --format json > run.json")]
    Export(export::Args),
    /// Other programs' results as a run, every number marked as reported
    #[command(after_help = "Example: spark-bench import llama-bench.json --out theirs")]
    Import(import::Args),
    /// Recompute every summary of a stored run from its raw samples, and check its files; non-zero on any mismatch
    #[command(after_help = "Example: spark-bench verify my-run")]
    Verify(verify::Args),
    /// Is one build slower than another? Both run in turn on this machine
    #[command(after_help = "Example: spark-bench gate --baseline-bin old/spark-bench --candidate-bin new/spark-bench")]
    Gate(Box<gate::Args>),
    /// The child of a gate
    #[command(hide = true, after_help = "Example: spark-bench worker --protocol 1 --filter 'gemm*'")]
    Worker(worker::Args),
    /// The JSON Schema of what `export --format json` prints
    #[command(after_help = "Example: spark-bench schema > run-v1.json")]
    Schema,
    /// Completions for a shell
    #[command(
        after_help = "Example: spark-bench completions bash > ~/.local/share/bash-completion/completions/spark-bench"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The manual page
    #[command(after_help = "Example: spark-bench man > spark-bench.1")]
    Man,
}

/// The program: parses the command line, does the verb, turns what came of it into an exit code.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse_from(llm::long_forms(std::env::args_os())) {
        Ok(arguments) => arguments,
        Err(e) if e.use_stderr() && e.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            ui::error(refused(&e.render().to_string(), &ui::words()));
            return ExitCode::from(2);
        }
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { 2 } else { 0 });
        }
    };
    match act(arguments.verb) {
        Ok(Verdict::Fine) => ExitCode::SUCCESS,
        Ok(Verdict::Broken) => ExitCode::from(1),
        Ok(Verdict::Inconclusive) => ExitCode::from(3),
        Ok(Verdict::Interrupted) => ExitCode::from(130),
        Err(e) => {
            ui::error(format!("{e:#}"));
            ExitCode::from(2)
        }
    }
}

/// What is wrong with the command line `words` in one line: what, where, and the mend, from the paragraphs that clap writes.
fn refused(text: &str, words: &[String]) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let said = lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    let said = said.map(|line| line.trim_start_matches("error: ")).collect::<Vec<_>>().join(" ");
    let verb = words.iter().skip(1).find(|word| Arguments::command().find_subcommand(word).is_some());
    let verb = verb.map(|verb| format!(" {verb}")).unwrap_or_default();
    format!("{}; spark-bench{verb} --help shows what there is", spark_results::machine::clean(&said))
}

fn act(verb: Verb) -> anyhow::Result<Verdict> {
    match verb {
        Verb::All(args) => all::act(&args),
        Verb::Run(args) => run::act(&args),
        Verb::Llm(args) => llm::act(&args),
        Verb::Logits(args) => logits::act(&args),
        Verb::Generate(args) => generate::act(&args),
        Verb::Soak(args) => soak::act(&args),
        Verb::Agent(args) => agent::act(&args),
        Verb::Endpoint(args) => endpoint::act(&args),
        Verb::Plan(args) => plan::act(&args),
        Verb::Fit(args) => fit::act(&args),
        Verb::Claims(args) => claims::act(&args),
        Verb::List(args) => list::act(&args),
        Verb::Doctor(args) => doctor::act(&args),
        Verb::Monitor(args) => monitor::act(&args),
        Verb::Report(args) => report::act(&args),
        Verb::Compare(args) => compare::act(&args),
        Verb::Export(args) => export::act(&args),
        Verb::Import(args) => import::act(&args),
        Verb::Verify(args) => verify::act(&args),
        Verb::Gate(args) => gate::act(&args),
        Verb::Worker(args) => worker::act(&args),
        Verb::Schema => schema::act(),
        Verb::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "spark-bench", &mut out);
            ui::data(&String::from_utf8_lossy(&out));
            Ok(Verdict::Fine)
        }
        Verb::Man => {
            let mut out = Vec::new();
            clap_mangen::Man::new(Arguments::command()).render(&mut out)?;
            ui::data(&String::from_utf8_lossy(&out));
            Ok(Verdict::Fine)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    /// Every `spark-bench …` in the examples of the help, and every `cargo run --release -- …` in the README.
    fn examples() -> Vec<String> {
        let command = Arguments::command();
        let help = command.get_subcommands().map(|verb| {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.starts_with("Example: "), "{} has no example", verb.get_name());
            help
        });
        let readme = include_str!("../../../README.md").replace("cargo run --release --", "spark-bench");
        let lines: Vec<_> = help.chain(readme.lines().map(str::to_owned)).collect();
        let plain = |line: &String| {
            let (_, rest) = line.split_once("Example: ").or_else(|| line.split_once("$ "))?;
            let command = rest.split(['#', '>', '|']).next()?.trim();
            command.starts_with("spark-bench ").then(|| command.replace('\'', ""))
        };
        lines.iter().filter_map(plain).collect()
    }

    #[test]
    fn every_example_and_every_command_of_the_readme_is_one() {
        let examples = examples();
        assert!(examples.len() > 8, "{examples:?}");
        for example in examples {
            let parsed = Arguments::try_parse_from(example.split_whitespace());
            assert!(parsed.is_ok(), "{example}: {}", parsed.err().map(|e| e.to_string()).unwrap_or_default());
        }
    }

    #[test]
    fn a_wrong_command_line_is_told_in_one_line_with_its_mend() {
        let told = |line: &[&str]| {
            let words: Vec<_> = std::iter::once(&"spark-bench").chain(line).map(|word| (*word).to_owned()).collect();
            refused(&Arguments::try_parse_from(&words).expect_err("wrong").render().to_string(), &words)
        };
        assert_eq!(told(&["wibble"]), "unrecognized subcommand 'wibble'; spark-bench --help shows what there is");
        let missing = "the following required arguments were not provided: <WHAT>...; \
                       spark-bench run --help shows what there is";
        assert_eq!(told(&["run"]), missing);
        for line in [&["all", "--budget", "-1"][..], &["run", "gemm", "--m", "1,,2"], &["list", "everything"]] {
            let told = told(line);
            assert!(!told.contains('\n') && told.contains("--help"), "{told}");
        }
        assert!(told(&["all", "--budget", "-1"]).contains("'-1' is no duration; write 90s, 5m or 1h30m"));
    }
}
