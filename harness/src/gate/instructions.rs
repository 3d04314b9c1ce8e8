//! Instructions of one iteration, counted by valgrind: a child that runs few iterations and one that runs more, so that what both
//! do before cancels.

use super::child::{Build, Child};
use spark_gate::explained::Instructions;
use spark_results::BenchmarkId;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The program that counts.
const COUNTER: &str = "valgrind";
/// Times as many iterations in the second child as in the first.
const MORE: u64 = 4;
/// Preparing takes some fifty times as long there: what has not answered by then is not counted.
const PATIENCE: Duration = Duration::from_secs(180);

/// Instructions an iteration of `id` in both builds, on one thread: more than one would count how they wait for each other.
///
/// # Errors
/// Why they were not counted.
pub(super) fn counted(builds: [&Build; 2], id: &str) -> Result<Instructions, String> {
    if Command::new(COUNTER).arg("--version").output().is_err() {
        return Err(format!("{COUNTER} is not here; on Debian or Ubuntu: apt-get install {COUNTER}"));
    }
    let [baseline, candidate] = builds;
    // Nothing is timed here: both are counted at once.
    let (old, new) = std::thread::scope(|scope| {
        let old = scope.spawn(|| each(baseline, id));
        let new = each(candidate, id);
        (old.join().unwrap_or_else(|_| Err("counting it panicked".to_owned())), new)
    });
    let ((old, there), (new, here)) = (old?, new?);
    if there != here {
        return Err(format!("under {COUNTER} the builds choose other implementations: {there} and {here}"));
    }
    Ok(Instructions { each: [old, new], of: here })
}

/// Instructions an iteration in one build, and the benchmark that stands for `id` there.
fn each(build: &Build, id: &str) -> Result<(f64, String), String> {
    let (few, ran, of) = total(build, id, 1)?;
    let (many, ran_more, _) = total(build, id, MORE * ran)?;
    if ran_more <= ran || many <= few {
        return Err(format!("{ran_more} iterations took {many} instructions and {ran} took {few}"));
    }
    Ok(((many - few) as f64 / (ran_more - ran) as f64, of))
}

/// All instructions of a child that prepares `id` and runs it `iterations` times, the iterations that it ran, and what it ran.
fn total(build: &Build, id: &str, iterations: u64) -> Result<(u64, u64, String), String> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!("spark-bench-{}-{}.counted", std::process::id(), NEXT.fetch_add(1, Relaxed));
    let log = Log(std::env::temp_dir().join(name));
    let wanted: BenchmarkId = id.parse().map_err(|e| format!("'{id}': {e}"))?;
    let build = Build {
        arguments: arguments(&build.arguments, &wanted),
        under: under(&log.0),
        patience: PATIENCE,
        ..build.clone()
    };
    let told = |trouble: super::Trouble| trouble.to_string();
    let mut child = Child::start(&build).map_err(told)?;
    let of = stand_in(&wanted, &child.hello.benchmarks)
        .ok_or_else(|| format!("the {} build cannot run it under {COUNTER}", build.name))?;
    let ran = child.run(&of, iterations).map_err(told)?.iterations;
    child.end().map_err(told)?;
    let text = std::fs::read_to_string(&log.0).map_err(|e| format!("{COUNTER} left no count: {e}"))?;
    let count = refs(&text).ok_or_else(|| format!("{COUNTER} told no count of instructions"))?;
    Ok((count, ran, of))
}

/// The counter without its model of caches, which is what makes it slow; a build may be a script that starts the program.
fn under(log: &Path) -> Vec<String> {
    let log = format!("--log-file={}", log.display());
    [COUNTER, "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", "--trace-children=yes", &log]
        .map(str::to_owned)
        .to_vec()
}

/// The worker's arguments, which come in pairs, narrowed to `id` with whatever implementation there is, and to one thread.
fn arguments(all: &[String], id: &BenchmarkId) -> Vec<String> {
    let kept = all.chunks(2).filter(|pair| !matches!(pair[0].as_str(), "--filter" | "--threads")).flatten().cloned();
    let text = id.to_string();
    let (path, axes) = text.split_at(text.find('?').unwrap_or(text.len()));
    let any = format!("{}/*{axes}", path.rsplit_once('/').map_or(path, |(place, _)| place));
    kept.chain(["--threads".to_owned(), "1".to_owned(), "--filter".to_owned(), any]).collect()
}

/// The id itself where it is listed, else the same work by another implementation.
fn stand_in(id: &BenchmarkId, listed: &[String]) -> Option<String> {
    let same = |text: &&String| {
        text.parse::<BenchmarkId>()
            .is_ok_and(|it| (&it.workload, &it.device, &it.axes) == (&id.workload, &id.device, &id.axes))
    };
    let own = id.to_string();
    listed.iter().find(|text| **text == own).or_else(|| listed.iter().find(same)).cloned()
}

/// The line `I refs: 1,234,567`, with whatever spaces.
fn refs(log: &str) -> Option<u64> {
    let (_, count) =
        log.lines().filter_map(|line| line.split_once("refs:")).find(|(name, _)| name.trim_end().ends_with('I'))?;
    count.replace(',', "").trim().parse().ok()
}

/// A file of the counter's, gone with this value.
struct Log(PathBuf);

impl Drop for Log {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_read_as_each_version_writes_it() {
        assert_eq!(refs("==9== \n==9== I   refs:      1,234,567\n"), Some(1_234_567));
        assert_eq!(refs("==9== D refs: 8\n==9== I refs:        42\n"), Some(42));
        assert_eq!(refs("==9== Command: x\n"), None);
    }

    #[test]
    fn another_implementation_of_the_same_work_stands_in() {
        let id: BenchmarkId = "gemm/cpu/avx512-vnni?k=64&m=1".parse().expect("an id");
        let listed = ["gemm/cpu/avx2?k=32&m=1", "gemm/cpu/avx2?k=64&m=1"].map(str::to_owned);
        assert_eq!(stand_in(&id, &listed).as_deref(), Some("gemm/cpu/avx2?k=64&m=1"));
        assert_eq!(stand_in(&id, &listed[..1]), None);
        let all = ["--suite", "gate", "--filter", "decode*", "--threads", "2"].map(str::to_owned);
        let words = arguments(&all, &id);
        assert_eq!(words, ["--suite", "gate", "--threads", "1", "--filter", "gemm/cpu/*?k=64&m=1"]);
    }
}
