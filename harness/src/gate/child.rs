//! One build, running as a child that waits to be told: it dies with this value, and its silence ends in a time-out.

use super::protocol::{Answer, Ask, Hello, PROTOCOL};
use spark_results::Work;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// A child may take this long to begin: it looks at the machine and lists what it can run.
const HELLO: Duration = Duration::from_secs(60);
/// And this long to prepare a benchmark or to run one, unless told: weights of a large model take minutes to make.
pub const PATIENCE: Duration = Duration::from_secs(600);
/// A line of a child is at most this long; what is longer is nonsense.
const LONGEST: usize = 16 << 20;

/// A build, and how its children are started.
#[derive(Clone, Debug)]
pub struct Build {
    /// `baseline` or `candidate`.
    pub name: &'static str,
    /// The program.
    pub path: PathBuf,
    /// What stands behind `worker --protocol 1`.
    pub arguments: Vec<String>,
    /// Variables of its own, such as a handicap.
    pub variables: Vec<(String, String)>,
    /// The program that runs it, with its arguments, such as one that counts; empty: it runs by itself.
    pub under: Vec<String>,
    /// The longest silence of a child.
    pub patience: Duration,
}

/// What a child did when it was told to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    /// Nanoseconds an iteration.
    pub each_ns: f64,
    /// Iterations that really ran.
    pub iterations: u64,
    /// The clock of each core of the device right behind, where it can be known.
    pub clocks_hz: Vec<f64>,
    /// Cycles of the device's own clock an iteration, where it stamps them.
    pub each_cycles: Option<f64>,
    /// What an iteration does, where the build counts it.
    pub work: Option<Work>,
}

/// What went wrong with a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is no program of this kind, or of another protocol: nothing can be compared.
    Unusable(String),
    /// It ended or fell silent; another one may do better.
    Lost(String),
    /// It cannot run this benchmark.
    Declined {
        /// Whether something is broken.
        broken: bool,
        /// Why.
        reason: String,
    },
}

impl Trouble {
    /// The same of a build that was introduced before: what stops it now may pass.
    pub(super) fn by_now(self) -> Self {
        match self {
            Trouble::Unusable(text) => Trouble::Lost(text),
            other => other,
        }
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Unusable(text) | Trouble::Lost(text) | Trouble::Declined { reason: text, .. } => f.write_str(text),
        }
    }
}

/// A running child.
#[derive(Debug)]
pub struct Child {
    name: &'static str,
    patience: Duration,
    process: std::process::Child,
    lines: Receiver<Result<String, String>>,
    /// Who it is.
    pub hello: Hello,
}

impl Child {
    /// Starts `build` and hears its hello.
    pub fn start(build: &Build) -> Result<Self, Trouble> {
        let at = format!("--{}-bin {}", build.name, build.path.display());
        let unusable = |what: String| Trouble::Unusable(format!("{at}: {what}"));
        let mut command = match &build.under[..] {
            [] => Command::new(&build.path),
            [program, arguments @ ..] => {
                let mut command = Command::new(program);
                command.args(arguments).arg(&build.path);
                command
            }
        };
        command.args(["worker", "--protocol", &PROTOCOL.to_string()]).args(&build.arguments);
        command.envs(build.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut process =
            command.spawn().map_err(|e| unusable(format!("{e}; give the path of a spark-bench program")))?;
        let Some(out) = process.stdout.take() else { return Err(unusable("it has no output".to_owned())) };
        let (send, lines) = channel();
        std::thread::spawn(move || {
            let mut out = BufReader::new(out);
            loop {
                let mut line = String::new();
                let read = std::io::Read::take(&mut out, LONGEST as u64).read_line(&mut line);
                let said = match read {
                    Ok(0) => return,
                    Ok(_) if line.ends_with('\n') => Ok(line),
                    Ok(_) => Err("a line without an end".to_owned()),
                    Err(e) => Err(e.to_string()),
                };
                if send.send(said).is_err() {
                    return;
                }
            }
        });
        let (schema, about) = (String::new(), String::new());
        let hello = Hello {
            protocol: 0,
            schema,
            build: about,
            benchmarks: Vec::new(),
            bytes: std::collections::BTreeMap::new(),
        };
        let mut child = Self { name: build.name, patience: build.patience, process, lines, hello };
        match child.answer(HELLO.min(build.patience)).map_err(|trouble| {
            unusable(format!("no worker of this program: {trouble}; give a build that has the verb `worker`"))
        })? {
            Answer::Hello(hello) if hello.protocol == PROTOCOL => child.hello = hello,
            Answer::Hello(hello) => {
                let text = format!(
                    "it speaks protocol {}, this program {PROTOCOL}; compare builds that share one",
                    hello.protocol
                );
                return Err(unusable(text));
            }
            other => return Err(unusable(format!("it began with {other:?}; give a spark-bench program"))),
        }
        Ok(child)
    }

    /// Runs `iterations` of `id`; 0 only prepares it.
    pub fn run(&mut self, id: &str, iterations: u64) -> Result<Ran, Trouble> {
        self.ask(&Ask::Run { id: id.to_owned(), iterations })?;
        match self.answer(self.patience)? {
            Answer::Ran { ns, iterations, clocks_hz, cycles, work } => {
                let each = |all: f64| all / iterations.max(1) as f64;
                let each_cycles = cycles.map(each).filter(|cycles| cycles.is_finite() && *cycles > 0.0);
                Ok(Ran { each_ns: each(ns as f64), iterations, clocks_hz, each_cycles, work })
            }
            Answer::Declined { broken, reason } => {
                Err(Trouble::Declined { broken, reason: spark_results::machine::clean(&reason) })
            }
            Answer::Hello(_) => Err(self.lost("it said hello twice".to_owned())),
        }
    }

    /// Tells it to end, and waits until it has.
    pub fn end(mut self) -> Result<(), Trouble> {
        self.ask(&Ask::Bye)?;
        match self.lines.recv_timeout(self.patience) {
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.process.wait().map_err(|e| self.lost(e.to_string()))?;
                if status.success() { Ok(()) } else { Err(self.lost(format!("it ended ({status})"))) }
            }
            Err(RecvTimeoutError::Timeout) => Err(self.lost("it did not end when it was told to".to_owned())),
            Ok(_) => Err(self.lost("it spoke when it was told to end".to_owned())),
        }
    }

    fn ask(&mut self, ask: &Ask) -> Result<(), Trouble> {
        let line = serde_json::to_string(ask).map_err(|e| self.lost(e.to_string()))?;
        let Some(pipe) = self.process.stdin.as_mut() else { return Err(self.lost("it has no input".to_owned())) };
        writeln!(pipe, "{line}").and_then(|()| pipe.flush()).map_err(|e| self.lost(e.to_string()))
    }

    fn answer(&mut self, patience: Duration) -> Result<Answer, Trouble> {
        let line = match self.lines.recv_timeout(patience) {
            Ok(Ok(line)) => line,
            Ok(Err(what)) => return Err(self.lost(what)),
            Err(RecvTimeoutError::Timeout) => {
                return Err(self.lost(format!("it said nothing for {patience:?}")));
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.process.wait().map_or_else(|e| e.to_string(), |status| status.to_string());
                return Err(self.lost(format!("it ended ({status})")));
            }
        };
        serde_json::from_str(&line).map_err(|e| {
            let said: String = line.trim().chars().take(60).collect();
            self.lost(format!("it said '{}', which is no answer ({e})", spark_results::machine::clean(&said)))
        })
    }

    fn lost(&self, what: String) -> Trouble {
        Trouble::Lost(format!("the {} build: {what}", self.name))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may be in the middle of a step: asking would wait for it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
