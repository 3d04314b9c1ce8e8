//! Engines as child processes that time themselves: one test of one of them, what it said, and when.

mod child;
mod llama_bench;
mod mlx_lm;
mod ollama;
mod vllm;

use spark_results::machine::clean;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Another engine's own benchmark.
pub trait Engine: Debug + Send + Sync {
    /// What its program is called, in PATH as in ids.
    fn name(&self) -> &'static str;
    /// What it is given as a model, for a message.
    fn model(&self) -> &'static str;
    /// Whether it reads one GGUF file.
    fn reads_gguf(&self) -> bool {
        false
    }
    /// Why it cannot run `test` as it is meant; `None` if it can.
    fn refuses(&self, test: &Test) -> Option<&'static str>;
    /// Arguments for a test on `device` that were not asked for.
    fn usual(&self, _device: &str) -> &'static [&'static str] {
        &[]
    }
    /// Runs one test and waits for its end; times count from `epoch`. Errors: it cannot be started, ends badly, or says no times.
    fn run(&self, given: &Given, test: Test, epoch: Instant) -> Result<Said, String>;
}

/// The engines that are known.
pub static ENGINES: [&dyn Engine; 4] = [&llama_bench::LlamaBench, &vllm::Vllm, &mlx_lm::MlxLm, &ollama::Ollama];

/// What an engine is run with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The program.
    pub program: PathBuf,
    /// The model, as this engine wants it.
    pub model: OsString,
    /// Further arguments, as `-ngl 99`.
    pub more: Vec<OsString>,
    /// The processors that it may use: a child inherits the one that this engine's thread is pinned to.
    pub cpus: Vec<usize>,
}

/// One test, in llama-bench's words.
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

/// What an engine said.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// Nanoseconds of each repetition.
    pub samples_ns: Vec<u64>,
    /// When each of them ran, in nanoseconds since `epoch`; empty where that cannot be told.
    pub windows: Vec<[u64; 2]>,
    /// What it is and how it was run; its `version` among them where it says one.
    pub facts: BTreeMap<String, String>,
}

impl Said {
    /// Repetitions one right after another, the last of which ended at `end_ns`.
    fn ended_at(samples_ns: Vec<u64>, end_ns: u64, facts: BTreeMap<String, String>) -> Self {
        let mut at = end_ns.saturating_sub(samples_ns.iter().sum());
        let mut next = |ns: &u64| {
            let window = [at, at + ns];
            at += ns;
            window
        };
        let windows = samples_ns.iter().map(&mut next).collect();
        Self { samples_ns, windows, facts }
    }
}

/// The engine and the program that `word` means: an engine's name, looked for in PATH, or a path whose file name begins with one; what
/// begins with none is taken for a llama-bench. Errors: there is no such program.
pub fn find(word: &Path) -> Result<(&'static dyn Engine, PathBuf), String> {
    let text = word.as_os_str().to_string_lossy();
    let name = word.file_name().unwrap_or_default().to_string_lossy();
    let engine = ENGINES.into_iter().find(|engine| name.starts_with(engine.name()));
    // mlx_lm starts each of its programs by name, too.
    let engine = engine.or_else(|| ENGINES.into_iter().find(|engine| engine.name().split('.').next() == Some(&name)));
    let known = engine.unwrap_or(ENGINES[0]);
    if engine.is_some() && text == name {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let file = if cfg!(windows) { format!("{name}.exe") } else { name.into_owned() };
        let found = std::env::split_paths(&folders).map(|folder| folder.join(&file)).find(|file| file.is_file());
        let none = || format!("no {} is in PATH; give its path with --peer PATH", clean(&text));
        return found.map(|program| (known, program)).ok_or_else(none);
    }
    match word.is_file() {
        true => Ok((known, word.to_owned())),
        false => Err(format!(
            "--peer {}: no such program; give the path of a built llama-bench, or of {}",
            clean(&text),
            others()
        )),
    }
}

/// The engines beside llama-bench.
fn others() -> String {
    ENGINES[1..].iter().map(|engine| engine.name()).collect::<Vec<_>>().join(", ")
}

/// What holds of every engine's times, and with what it was run.
fn common(given: &Given, times: &str, version: Option<String>) -> BTreeMap<String, String> {
    let more: Vec<_> = given.more.iter().map(|word| clean(&word.to_string_lossy())).collect();
    [
        ("version", version.unwrap_or_else(|| "not said".to_owned())),
        ("arguments", more.join(" ")),
        ("times", times.to_owned()),
        ("answers", "not compared with anything: another engine's".to_owned()),
    ]
    .map(|(name, text)| (name.to_owned(), text))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_s_name_says_which_engine_it_is() {
        let folder = std::env::temp_dir().join(format!("spark-engines-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for (file, engine) in [
            ("llama-bench", "llama-bench"),
            ("vllm", "vllm"),
            ("mlx_lm.benchmark", "mlx_lm.benchmark"),
            ("mlx_lm", "mlx_lm.benchmark"),
            ("ollama-0.12", "ollama"),
            ("my-own", "llama-bench"),
        ] {
            std::fs::write(folder.join(file), "").unwrap();
            assert_eq!(find(&folder.join(file)).unwrap().0.name(), engine, "{file}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(find(Path::new("nowhere")).unwrap_err().contains("ollama"));
    }

    #[test]
    fn repetitions_stand_one_after_another_before_their_end() {
        let said = Said::ended_at(vec![5, 7], 100, BTreeMap::new());
        assert_eq!(said.windows, [[88, 93], [93, 100]]);
    }
}
