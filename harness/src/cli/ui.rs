//! The only module that talks to a person: data to stdout, talk to stderr.
#![expect(clippy::print_stderr, reason = "this is where printing happens")]

use crate::plan::Task;
use crate::run::Progress;
use crate::trial::Show;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use owo_colors::{OwoColorize, Stream};
use spark_results::quantity::{duration, percent, si};
use spark_results::telemetry::Reading;
use spark_results::{Entry, Record};
use spark_workloads::Beat;
use std::io::{ErrorKind, IsTerminal, Write};
use std::time::Duration;

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Voice {
    /// Only errors.
    pub quiet: bool,
    /// No bar.
    pub no_progress: bool,
}

impl Voice {
    /// Talk: a line on stderr.
    pub fn say(self, text: impl std::fmt::Display) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }
    /// Something the person should act on.
    pub fn warn(self, text: impl std::fmt::Display) {
        let word = "warning:".if_supports_color(Stream::Stderr, |t| t.yellow()).to_string();
        eprintln!("{word} {text}");
    }
}

/// Ends the program because memory runs out while the work in flight cannot stop. What was recorded before is on disk.
pub fn end_for_memory(why: &str) {
    error(format!("{why}; ended at once: the records made so far are kept, and --resume goes on"));
    std::process::exit(3);
}

/// Data: to stdout, whole. A reader that went away is no error; a full disk ends the program, as what it prints is its work.
pub fn data(text: &str) {
    heard(text);
}

/// The same, and whether anybody still reads.
pub fn heard(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            error(format!("standard output: {e}; send it somewhere that can be written"));
            std::process::exit(2);
        }
        done => done.is_ok(),
    }
}

/// Data with a line end.
pub fn line(text: impl std::fmt::Display) {
    data(&format!("{text}\n"));
}

/// An error, as the last word.
pub fn error(text: impl std::fmt::Display) {
    let word = "error:".if_supports_color(Stream::Stderr, |t| t.red()).to_string();
    eprintln!("{word} {text}");
}

/// The command line, cleaned for showing; a path need not be UTF-8, and what is not stands as a replacement character.
pub fn words() -> Vec<String> {
    std::env::args_os().map(|word| spark_results::machine::clean(&word.to_string_lossy())).collect()
}

/// Whether stdout may be coloured.
pub fn coloured() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// A bar with the task and the time left, and a line for each record.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
    voice: Voice,
}

impl Bar {
    /// For `total` tasks.
    pub fn new(voice: Voice, total: usize) -> Self {
        let hidden = voice.quiet || voice.no_progress || !std::io::stderr().is_terminal();
        let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(total as u64), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {prefix} {wide_msg}") {
            bar.set_style(style);
        }
        Self { bar, voice }
    }
    /// Shows how far an experiment of minutes is.
    pub fn live(&self) -> Show {
        let bar = self.bar.clone();
        Box::new(move |so_far, sensors| bar.set_message(beat(so_far, sensors)))
    }
    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bar {
    fn begin(&mut self, index: usize, _total: usize, task: &Task, left: Duration) {
        self.bar.set_position(index as u64);
        self.bar.set_prefix(format!("{} left", rough(left)));
        self.bar.set_message(task.id.to_string());
        self.bar.tick();
    }
    fn done(&mut self, record: &Record, simulated: bool) {
        self.bar.inc(1);
        if !self.voice.quiet {
            let line = told(record, simulated);
            self.bar.suspend(|| eprintln!("{line}"));
        }
    }
}

/// How far an experiment is, in a line, with what the sensors said last.
fn beat(so_far: &Beat, sensors: &[Reading]) -> String {
    let whole = |time: Duration| format!("{} s", time.as_secs());
    let mut said = vec![match so_far.of {
        Some(of) if so_far.elapsed.is_zero() => format!("{} for {}", so_far.doing, whole(of)),
        Some(of) => format!("{} {} of {}", so_far.doing, whole(so_far.elapsed), whole(of)),
        None => format!("{} {}", so_far.doing, whole(so_far.elapsed)),
    }];
    said.extend(so_far.rate.map(|(rate, unit)| si(rate, unit)));
    said.extend(so_far.share.map(|share| format!("{} of the best", percent(share))));
    said.extend(so_far.clock_hz.map(|hz| si(hz, "Hz")));
    let last = |quantity: &str| sensors.iter().rev().find(|r| r.quantity == quantity);
    said.extend(last("power").map(|r| format!("{:.1} W {}", r.value, r.scope)));
    let hottest = sensors.iter().filter(|r| r.quantity == "temperature").map(|r| r.value).reduce(f64::max);
    said.extend(hottest.map(|c| format!("{c:.0} °C")));
    said.join(", ")
}

/// A duration in the precision of a guess.
fn rough(left: Duration) -> String {
    let seconds = left.as_secs();
    if seconds >= 90 { format!("about {} min", seconds.div_ceil(60)) } else { format!("about {seconds} s") }
}

/// A record in a line: its id, its rate, its share of the roof; or why there is none.
fn told(record: &Record, simulated: bool) -> String {
    let entry = Entry::of(record, simulated);
    let Some(time) = entry.time else {
        return format!("  {}  {}: {}", entry.id, entry.status, entry.reason.unwrap_or_default());
    };
    if simulated {
        return format!("  {}  simulated: a test double has no speed", entry.id);
    }
    let mut said = vec![headline(&entry).unwrap_or_else(|| duration(time.median_ns))];
    if let Some([low, high]) = time.ci95_ns {
        said.push(format!("± {}", percent((high - low) / (2.0 * time.median_ns))));
    }
    if let Some(roof) = &entry.roof {
        said.push(format!("{} of the {} roof", percent(roof.fraction), roof.bound.name()));
    }
    format!("  {}  {}", entry.id, said.join(", "))
}

/// The rate that tells most about a record.
pub fn headline(entry: &Entry) -> Option<String> {
    let rates = entry.rates?;
    let item = entry.work.as_ref().map(|w| w.item.as_str()).unwrap_or_default();
    match item {
        "hop" => entry.time.map(|t| duration(t.median_ns / entry.work.as_ref().map_or(1, |w| w.items.max(1)) as f64)),
        "token" => rates.items_per_s.map(|r| si(r, "tok/s")),
        _ => match (rates.flops_per_s, rates.bytes_per_s) {
            (Some(flops), Some(bytes)) if flops < 8.0 * bytes => Some(si(bytes, "B/s")),
            (Some(flops), _) => Some(si(flops, "FLOP/s")),
            (None, bytes) => bytes.map(|b| si(b, "B/s")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_says_how_far_how_fast_and_how_warm() {
        let of = |text: &str| text.to_owned();
        let reading = |quantity: &str, scope: &str, value| Reading {
            quantity: of(quantity),
            scope: of(scope),
            source: of(""),
            value,
            unit: of(""),
        };
        let so_far = Beat {
            doing: of("load"),
            elapsed: Duration::from_secs(93),
            of: Some(Duration::from_secs(600)),
            rate: Some((37.6, "tok/s")),
            share: Some(0.98),
            clock_hz: Some(2.41e9),
        };
        let sensors =
            [reading("temperature", "a", 64.2), reading("temperature", "b", 50.0), reading("power", "gpu 0", 31.0)];
        assert_eq!(
            beat(&so_far, &sensors),
            "load 93 s of 600 s, 37.6 tok/s, 98 % of the best, 2.41 GHz, 31.0 W gpu 0, 64 °C"
        );
        assert_eq!(
            beat(&Beat { doing: of("pause 1"), of: Some(Duration::from_secs(5)), ..Beat::default() }, &[]),
            "pause 1 for 5 s"
        );
    }
}
