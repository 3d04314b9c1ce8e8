//! `pingpong`: how long each core waits for each other one, as a matrix.

use super::contention::worst;
use super::operands::Operands;
use crate::axis::{self, Axis, BadRequest, Request};
use crate::trial::{Beat, Lab, Observed, Trial};
use crate::workload::{Body, Decline, Footprint, Workload};
use spark_kernels::cpu::Cpu;
use spark_kernels::pingpong::PingPong;
use spark_kernels::{Device, Fault, best};
use spark_results::handover;
use spark_results::record::{Better, Cache, Check, Metric};
use spark_results::{BenchmarkId, Work, stats};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The workload `pingpong`.
pub static PINGPONG: PingPongs = PingPongs;

/// Every pair of cores.
#[derive(Clone, Copy, Debug)]
pub struct PingPongs;

/// Runs of each pair, one a round: the median of them is told.
const ROUNDS: usize = 9;
/// A guess of one run.
const RUN: Duration = Duration::from_millis(1);

/// Pairs of workers on different CPUs. Errors: there is none, or the device is no CPU.
fn pairs(device: &dyn Device) -> Result<Vec<PingPong>, Decline> {
    let cpus = Cpu::of(device).map_err(|u| Decline::Skip(u.to_string()))?.pool().cpus();
    let mut workers: Vec<usize> = (0..cpus.len()).collect();
    workers.retain(|worker| !cpus[..*worker].contains(&cpus[*worker]));
    let pair = |at: usize, one: usize| workers[at + 1..].iter().map(move |other| PingPong { one, other: *other });
    let pairs: Vec<_> = workers.iter().enumerate().flat_map(|(at, one)| pair(at, *one)).collect();
    if pairs.is_empty() {
        return Err(Decline::Skip("a line is handed from one core to another, and the device has one".to_owned()));
    }
    Ok(pairs)
}

impl Workload for PingPongs {
    fn name(&self) -> &'static str {
        "pingpong"
    }
    fn about(&self) -> &'static str {
        "how long one core takes to see what another wrote, for each pair of cores"
    }
    fn axes(&self) -> &'static [Axis] {
        &[]
    }
    fn implementations(&self, device: &dyn Device) -> Vec<(String, Option<String>)> {
        vec![("scalar".to_owned(), pairs(device).err().map(|why| why.to_string()))]
    }
    fn cases(&self, request: &Request, device: &dyn Device) -> Result<Vec<BenchmarkId>, BadRequest> {
        axis::combinations(self.name(), &[], request)?;
        Ok(vec![BenchmarkId::new(self.name(), device.id(), "scalar").with("threads", device.threads())])
    }
    fn footprint(&self, _: &BenchmarkId, device: &dyn Device) -> Result<Footprint, Decline> {
        pairs(device).map(|_| Footprint { bytes: 1 << 16, ..Footprint::default() })
    }
    fn needs_memory_roof(&self, _: &BenchmarkId, _: &dyn Device) -> bool {
        false
    }
    fn lasts(&self, id: &BenchmarkId) -> Option<Duration> {
        let threads = id.int("threads").unwrap_or(2) as u32;
        Some(RUN * (ROUNDS as u32).saturating_mul(threads.saturating_mul(threads.saturating_sub(1)) / 2))
    }
    fn prepare(&self, _: &BenchmarkId, device: &Arc<dyn Device>, seed: u64, _: u64) -> Result<Body, Decline> {
        let (mut each, mut checks) = (Vec::new(), Vec::new());
        let cpus = Cpu::of(&**device).map_err(|u| Decline::Skip(u.to_string()))?.pool().cpus().to_vec();
        for pair in pairs(&**device)? {
            let how = best(&pair, &**device).map_err(|u| Decline::Skip(u.to_string()))?;
            let (operands, check) = Operands::new(&pair, how, device, seed)?;
            checks.push(check);
            each.push(Pair { name: handover::name(cpus[pair.one], cpus[pair.other]), pair, operands, ns: Vec::new() });
        }
        Ok(Body::Trial(Box::new(Pairs { each, checks })))
    }
}

struct Pair {
    name: String,
    pair: PingPong,
    operands: Operands,
    /// Time of each run.
    ns: Vec<f64>,
}

struct Pairs {
    each: Vec<Pair>,
    checks: Vec<Check>,
}

impl Trial for Pairs {
    fn check(&mut self) -> Result<Option<Check>, Fault> {
        Ok(worst(&self.checks))
    }
    fn run(&mut self, lab: &mut dyn Lab) -> Result<Option<Observed>, Fault> {
        let mut seen = Observed { iterations: 1, ..Observed::default() };
        for round in 0..ROUNDS {
            lab.tell(&Beat { doing: format!("handing over, round {} of {ROUNDS}", round + 1), ..Beat::default() });
            for Pair { pair, operands, ns, name } in &mut self.each {
                if lab.stopped() {
                    return Ok(None);
                }
                let at_ns = lab.now().as_nanos() as u64;
                let took = lab.time(&mut || operands.run())?.as_nanos() as u64;
                let last = operands.output().map(|line| line.slice::<u32>()[0]);
                if last.map(u64::from) != Some(pair.handovers()) {
                    return Err(Fault::Device(format!("{name}: the line was handed over {last:?} times")));
                }
                ns.push(took as f64);
                seen.at_ns.push(at_ns);
                seen.samples_ns.push(took);
            }
        }
        let metric = |pair: &Pair| Metric {
            name: pair.name.clone(),
            value: stats::median(&pair.ns) / pair.pair.handovers() as f64,
            unit: "ns".into(),
            better: Better::Lower,
        };
        seen.metrics = self.each.iter().map(metric).collect();
        Ok(Some(seen))
    }
    fn work(&self) -> Work {
        let items = self.each.first().map_or(0, |pair| pair.pair.handovers());
        Work { items, item: "handover".into(), ..Work::default() }
    }
    fn cache(&self) -> Cache {
        Cache::Warm
    }
    fn facts(&self) -> BTreeMap<String, String> {
        let said = "one core's store until another's load sees it: half a round trip, release and acquire";
        [("handover".to_owned(), said.to_owned())].into()
    }
}
