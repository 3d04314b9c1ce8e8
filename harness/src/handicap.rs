//! A slowdown put in on purpose, by which a gate's power is measured: real extra work of a known share in some steps.

use spark_kernels::{Device, Fault};
use spark_results::record::{Cache, Check};
use spark_results::{BenchmarkId, Work, id};
use spark_workloads::workload::Roofs;
use spark_workloads::{Decline, Step};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// `GLOB=1.05`: what matches takes 1.05 times its time.
pub const VARIABLE: &str = "SPARK_BENCH_HANDICAP";
/// Runs by which a step's own time is found; the fastest counts.
const TRIALS: usize = 5;
/// Rounds of arithmetic by which a round's time is found.
const ROUNDS: u64 = 200_000;

/// `step` of `id` as the environment wants it: slowed where [`VARIABLE`] matches, else as it is.
///
/// # Errors
/// A value of the variable that cannot be; a fault of the step while its own time is found.
pub fn put_on<'a>(
    id: &BenchmarkId,
    step: Box<dyn Step + 'a>,
    device: &dyn Device,
) -> Result<Box<dyn Step + 'a>, Decline> {
    match Handicap::asked().map_err(Decline::Fail)? {
        Some(handicap) => Ok(handicap.on(id, step, device)?),
        None => Ok(step),
    }
}

/// Which steps are slowed, and by which share.
#[derive(Clone, Debug, PartialEq)]
struct Handicap {
    glob: String,
    share: f64,
}

impl Handicap {
    /// What the environment asks for. Errors: a value that cannot be, with the mend.
    fn asked() -> Result<Option<Self>, String> {
        match std::env::var(VARIABLE) {
            Err(_) => Ok(None),
            Ok(text) => Self::parse(&text).map(Some),
        }
    }
    fn parse(text: &str) -> Result<Self, String> {
        let bad =
            || format!("{VARIABLE}='{}': write GLOB=FACTOR, such as gemm*=1.05", spark_results::machine::clean(text));
        // Globs may hold equals signs, a factor holds none.
        let (glob, factor) = text.rsplit_once('=').ok_or_else(bad)?;
        let factor: f64 = factor.parse().map_err(|_| bad())?;
        if glob.is_empty() || !(1.0..=100.0).contains(&factor) {
            return Err(format!("{}, with a factor from 1 to 100", bad()));
        }
        Ok(Self { glob: glob.to_owned(), share: factor - 1.0 })
    }
    /// `step`, slowed if `id` matches.
    fn on<'a>(
        &self,
        of: &BenchmarkId,
        mut step: Box<dyn Step + 'a>,
        device: &dyn Device,
    ) -> Result<Box<dyn Step + 'a>, Fault> {
        if !id::matches(&self.glob, &of.to_string()) || self.share == 0.0 {
            return Ok(step);
        }
        let mut fastest = Duration::MAX;
        for _ in 0..TRIALS {
            step.reset()?;
            fastest = fastest.min(device.time(&mut || step.run())?);
        }
        step.reset()?;
        let round_ns = (0..TRIALS).map(|_| timed(ROUNDS)).min().unwrap_or_default().as_nanos() as f64 / ROUNDS as f64;
        let rounds = (self.share * fastest.as_nanos() as f64 / round_ns.max(1e-3)).round() as u64;
        let said = format!("slowed on purpose by {:.1} % ({VARIABLE})", 100.0 * self.share);
        Ok(Box::new(Slowed { step, rounds, said }))
    }
}

fn timed(rounds: u64) -> Duration {
    let start = Instant::now();
    work(rounds);
    start.elapsed()
}

/// A chain of multiplications that no compiler can shorten: work, not waiting.
fn work(rounds: u64) {
    let mut x = black_box(0x9e37_79b9_7f4a_7c15_u64);
    for _ in 0..rounds {
        x = black_box(x.wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(7));
    }
    black_box(x);
}

struct Slowed<'a> {
    step: Box<dyn Step + 'a>,
    rounds: u64,
    said: String,
}

impl Step for Slowed<'_> {
    fn reset(&mut self) -> Result<(), Fault> {
        self.step.reset()
    }
    fn run(&mut self) -> Result<(), Fault> {
        self.step.run()?;
        work(self.rounds);
        Ok(())
    }
    fn work(&self) -> Work {
        self.step.work()
    }
    fn check(&mut self) -> Result<Option<Check>, Fault> {
        self.step.check()
    }
    fn roofs(&self) -> Roofs {
        self.step.roofs()
    }
    fn cache(&self) -> Cache {
        self.step.cache()
    }
    fn pages(&self) -> Option<(u64, Option<u64>)> {
        self.step.pages()
    }
    fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = self.step.facts();
        facts.insert("handicap".to_owned(), self.said.clone());
        facts
    }
    fn iterations_a_sample(&self) -> Option<u64> {
        self.step.iterations_a_sample()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_equals_sign_counts() {
        let handicap = Handicap::parse("gemm*m=1&*=1.05").unwrap();
        assert_eq!(handicap.glob, "gemm*m=1&*");
        assert!((handicap.share - 0.05).abs() < 1e-12);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for text in ["gemm*", "=1.05", "gemm*=fast", "gemm*=0.5", "gemm*=nan", "gemm*=1e9"] {
            let error = Handicap::parse(text).unwrap_err();
            assert!(error.contains(VARIABLE) && error.contains("1.05"), "{error}");
        }
    }
}
