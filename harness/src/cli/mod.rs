//! The command line: one file a verb.

mod all;
mod axes;
mod common;
mod doctor;
mod export;
mod list;
mod llm;
mod plan;
mod report;
mod run;
mod schema;
mod stop;
pub mod ui;
mod verify;

use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// What a verb comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Fine.
    Fine,
    /// A regression, or something broken.
    Broken,
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
    /// What `all` would run, how long, how much memory; runs nothing
    #[command(after_help = "Example: spark-bench plan --suite full --filter 'gemm/*m=1&*'")]
    Plan(plan::Args),
    /// Workloads, implementations, devices, models, suites, and why a thing is unavailable
    #[command(after_help = "Example: spark-bench list implementations")]
    List(list::Args),
    /// This machine's state and what would spoil a measurement, each with the mend
    #[command(after_help = "Example: spark-bench doctor --json")]
    Doctor(doctor::Args),
    /// The HTML page and the table again, from stored runs
    #[command(after_help = "Example: spark-bench report results/runs/2026-11-21T10-00-00Z-box")]
    Report(report::Args),
    /// A stored run in other words
    #[command(after_help = "Example: spark-bench export my-run --format json > run.json")]
    Export(export::Args),
    /// Recompute every summary of a stored run from its raw samples; non-zero on any mismatch
    #[command(after_help = "Example: spark-bench verify my-run")]
    Verify(verify::Args),
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
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { 2 } else { 0 });
        }
    };
    match act(arguments.verb) {
        Ok(Verdict::Fine) => ExitCode::SUCCESS,
        Ok(Verdict::Broken) => ExitCode::from(1),
        Ok(Verdict::Interrupted) => ExitCode::from(130),
        Err(e) => {
            ui::error(format!("{e:#}"));
            ExitCode::from(2)
        }
    }
}

fn act(verb: Verb) -> anyhow::Result<Verdict> {
    match verb {
        Verb::All(args) => all::act(&args),
        Verb::Run(args) => run::act(&args),
        Verb::Llm(args) => llm::act(&args),
        Verb::Plan(args) => plan::act(&args),
        Verb::List(args) => list::act(&args),
        Verb::Doctor(args) => doctor::act(&args),
        Verb::Report(args) => report::act(&args),
        Verb::Export(args) => export::act(&args),
        Verb::Verify(args) => verify::act(&args),
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
}
