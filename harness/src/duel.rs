//! This engine and another one in turn on the same work: rounds whose order turns, each engine's samples and joules its own.

use crate::session::Session;
use crate::task;
use spark_kernels::{Device, Fault};
use spark_results::conditions::{Conditions, Energy, State};
use spark_results::machine::clean;
use spark_results::record::{Cache, Check};
use spark_results::{BenchmarkId, Measurement, Outcome, Record, Work};
use spark_workloads::peer::engine::{Engine, Given, Said, Test};
use spark_workloads::{Decline, Step};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// A test of both.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Of this engine, and of the other.
    pub ids: [BenchmarkId; 2],
    /// The other.
    pub engine: &'static dyn Engine,
    /// What it is run with.
    pub given: Given,
    /// What it is asked.
    pub test: Test,
    /// How often each runs.
    pub rounds: u64,
}

/// The id of the other engine's side.
pub fn id(engine: &dyn Engine, given: &Given, test: Test, device: &str) -> BenchmarkId {
    let path = Path::new(&given.model);
    // A file by its stem, a folder by its name, a name as it is.
    let name = if path.is_file() { path.file_stem() } else { path.file_name().filter(|_| path.is_dir()) };
    let model = name.unwrap_or(&given.model).to_string_lossy();
    let mut id = BenchmarkId::new("peer", device, engine.name()).with("model", clean(&model).as_str());
    for (name, number) in
        [("n_prompt", test.n_prompt), ("n_gen", test.n_gen), ("depth", test.depth), ("threads", test.threads)]
    {
        if number > 0 {
            id = id.with(name, number);
        }
    }
    id
}

/// One engine's side of it.
#[derive(Debug, Default)]
struct Side {
    at_ns: Vec<u64>,
    samples_ns: Vec<u64>,
    windows: Vec<[u64; 2]>,
    failed: Option<String>,
}

/// Runs both and makes a record of each. `None`: it was stopped.
pub fn records(session: &mut Session, pair: &Pair, stop: &dyn Fn() -> bool) -> Option<Vec<Record>> {
    let (began_ns, epoch) = (session.now_ns(), session.start);
    let before = session.watch.state(session.sampler.as_ref(), began_ns);
    let record = |session: &Session, id: &BenchmarkId, outcome| Record {
        id: id.clone(),
        began_ns,
        ended_ns: session.now_ns(),
        outcome,
    };
    let failure = |decline| match decline {
        Decline::Skip(reason) => Outcome::Skipped { reason },
        Decline::Fail(error) => Outcome::Failed { error },
    };
    let (device, mut step, check) = match prepared(session, &pair.ids[0]) {
        Ok(ready) => ready,
        Err(decline) => {
            let reason = "this engine could not run the test, so that there is nothing to compare with".to_owned();
            let theirs = record(session, &pair.ids[1], Outcome::Skipped { reason });
            return Some(vec![record(session, &pair.ids[0], failure(decline)), theirs]);
        }
    };
    let (mut ours, mut theirs, mut said) = (Side::default(), Side::default(), None);
    for round in 0..pair.rounds {
        for turn in 0..2 {
            if stop() {
                return None;
            }
            if (round + turn) % 2 == 0 {
                let first = ours.samples_ns.is_empty();
                if ours.failed.is_none()
                    && let Err(fault) = own(&mut ours, &mut *step, &*device, pair.test.repetitions, epoch, first)
                {
                    ours.failed = Some(fault.to_string());
                }
            } else if theirs.failed.is_none() {
                match pair.engine.run(&pair.given, pair.test, epoch) {
                    Ok(row) => said = Some(theirs.take(row)),
                    Err(why) => theirs.failed = Some(why),
                }
            }
        }
    }
    let mine =
        Told { work: step.work(), iterations: iterations(&*step), cache: step.cache(), check, facts: step.facts() };
    let other = Told {
        work: Work { items: pair.test.n_prompt + pair.test.n_gen, item: "token".into(), ..Work::default() },
        iterations: 1,
        cache: Cache::Warm,
        check: None,
        facts: said.unwrap_or_default(),
    };
    let sides = [(ours, mine), (theirs, other)];
    let made = pair.ids.iter().zip(sides).map(|(id, (side, told))| {
        let outcome = outcome(session, &device, pair, side, told, &before);
        record(session, id, outcome)
    });
    Some(made.collect())
}

/// What a side is beside its times.
struct Told {
    work: Work,
    iterations: u64,
    cache: Cache,
    check: Option<Check>,
    facts: BTreeMap<String, String>,
}

type Ready = (Arc<dyn Device>, Box<dyn Step>, Option<Check>);

/// This engine, ready and found right.
fn prepared(session: &Session, id: &BenchmarkId) -> Result<Ready, Decline> {
    let workload = spark_workloads::find(&id.workload)
        .ok_or_else(|| Decline::Skip(format!("this version has no workload '{}'", id.workload)))?;
    let device = session.devices.get(&id.device).cloned();
    let device = device.ok_or_else(|| Decline::Skip(format!("device {} is not here", id.device)))?;
    let usable = crate::plan::usable(crate::session::available());
    let mut step = workload.prepare(id, &device, session.manifest.settings.seed, usable)?.step()?;
    let check = step.check()?;
    task::right(check)?;
    Ok((device, step, check))
}

fn iterations(step: &dyn Step) -> u64 {
    step.iterations_a_sample().unwrap_or(1)
}

/// So many repetitions of this engine; before the first ones one that does not count, as llama-bench warms up.
fn own(
    side: &mut Side,
    step: &mut dyn Step,
    device: &dyn Device,
    repetitions: u64,
    epoch: Instant,
    first: bool,
) -> Result<(), Fault> {
    let count = iterations(step);
    let once = |step: &mut dyn Step| -> Result<u64, Fault> {
        step.reset()?;
        let took = device.time(&mut || (0..count).try_for_each(|_| step.run()))?;
        Ok(took.as_nanos() as u64)
    };
    if first {
        once(step)?;
    }
    let now = || epoch.elapsed().as_nanos() as u64;
    let from = now();
    for _ in 0..repetitions {
        side.at_ns.push(now());
        side.samples_ns.push(once(step)?.max(1));
    }
    side.windows.push([from, now()]);
    Ok(())
}

impl Side {
    /// Takes in what the other engine said; gives back its facts.
    fn take(&mut self, said: Said) -> BTreeMap<String, String> {
        let first = self.at_ns.last().copied().unwrap_or(0);
        // Without windows only the order of the samples is known.
        let at = said.windows.iter().map(|window| window[0]).chain(std::iter::repeat(first));
        self.at_ns.extend(at.take(said.samples_ns.len()));
        self.samples_ns.extend(said.samples_ns);
        self.windows.extend(said.windows);
        said.facts
    }
}

fn outcome(
    session: &mut Session,
    device: &Arc<dyn Device>,
    pair: &Pair,
    side: Side,
    told: Told,
    before: &State,
) -> Outcome {
    if let Some(error) = side.failed {
        return Outcome::Failed { error };
    }
    let energy = match side.windows.is_empty() {
        true => {
            let reason = "when the other engine's repetitions ran cannot be told from what else it does".to_owned();
            Energy::Unavailable { reason }
        }
        false => session.energy(device.id(), &side.windows),
    };
    let (first, last) = (side.at_ns.first().copied().unwrap_or(0), session.now_ns());
    let throttling = session.watch.throttling();
    let sampler = session.sampler.as_ref();
    let conditions = Conditions {
        energy,
        core_clocks: Vec::new(),
        throttling,
        before: before.clone(),
        during: Some(session.watch.during(sampler, first, last)),
        after: session.watch.state(sampler, last),
        pages: None,
    };
    let order = format!("in turn with the other engine: {} rounds, the order turned each time", pair.rounds);
    Outcome::Measured(Box::new(Measurement {
        clock: device.clock().to_owned(),
        samples_ns: side.samples_ns,
        at_ns: side.at_ns,
        dropped: Vec::new(),
        iterations: told.iterations,
        cache: told.cache,
        work: told.work,
        phases: Vec::new(),
        ops: Vec::new(),
        metrics: Vec::new(),
        requests: Vec::new(),
        roofs: Vec::new(),
        conditions,
        check: told.check,
        facts: told.facts,
        notes: vec![order],
    }))
}
