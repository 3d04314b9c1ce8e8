//! Kernels that are wrong, that panic and that break: each becomes a record that says so, is never timed, and the run goes on.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use spark_bench::{os::SysRoot, session::Session, task};
use spark_kernels::cpu::Cpu;
use spark_kernels::{
    Arithmetic, AxisValue, Backend, Buffer, Device, Example, Expected, Fault, Implementation, Index, Invalid, Io, Live,
    Op, Prepared, Shape, Type, Unsupported,
};
use spark_results::run::{Build, SCHEMA, Settings};
use spark_results::store::{self, Store};
use spark_results::{Machine, Manifest, Outcome};
use spark_workloads::{Devices, Request, Workload, micro::Micro, suite};
use std::sync::Arc;

/// y = 2·x over 1,000 elements.
#[derive(Clone, Debug)]
struct Double;

const LEN: usize = 1000;

/// The ways in which its kernels go about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Right,
    Nan,
    SlightlyWrong,
    Panic,
    PanicInWorker,
    Fault,
    RefusedByMemory,
}

static WAYS: &[&dyn Implementation<Double>] = &[
    &How("right", Way::Right),
    &How("nan", Way::Nan),
    &How("slightly-wrong", Way::SlightlyWrong),
    &How("panic", Way::Panic),
    &How("panic-in-worker", Way::PanicInWorker),
    &How("fault", Way::Fault),
    &How("refused-by-memory", Way::RefusedByMemory),
];

#[derive(Debug)]
struct How(&'static str, Way);

impl Implementation<Double> for How {
    fn name(&self) -> &'static str {
        self.0
    }
    fn backend(&self) -> Backend {
        Backend::Cpu
    }
    fn supports(&self, _: &Double, _: &dyn Device) -> Result<(), Unsupported> {
        Ok(())
    }
    fn prepare(&self, _: &Double, _: &[Buffer], device: &dyn Device) -> Result<Box<dyn Prepared>, Fault> {
        if self.1 == Way::RefusedByMemory {
            return Err(Fault::OutOfMemory { bytes: 1 << 50 });
        }
        Ok(Box::new(Ready(self.1, Cpu::of(device)?.pool().clone())))
    }
}

#[derive(Debug)]
struct Ready(Way, Arc<spark_kernels::cpu::pool::Pool>);

impl Prepared for Ready {
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        for (y, x) in io.outputs[0].slice_mut::<f32>().iter_mut().zip(io.inputs[0].slice::<f32>()) {
            *y = 2.0 * x;
        }
        match self.0 {
            // The last element is always among those compared.
            Way::Nan => io.outputs[0].slice_mut::<f32>()[LEN - 1] = f32::NAN,
            Way::SlightlyWrong => io.outputs[0].slice_mut::<f32>()[LEN - 1] *= 1.001,
            Way::Panic => panic!("index out of\nbounds"),
            Way::PanicInWorker => self.1.run(&|worker| assert!(worker.index == 0, "a worker fell over")),
            Way::Fault => return Err(Fault::Device("the device broke".into())),
            Way::Right | Way::RefusedByMemory => {}
        }
        Ok(())
    }
    fn resident(&self) -> u64 {
        0
    }
}

impl Op for Double {
    const NAME: &'static str = "double";
    fn implementations() -> &'static [&'static dyn Implementation<Self>] {
        WAYS
    }
    fn validate(&self) -> Result<(), Invalid> {
        Ok(())
    }
    fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        Vec::new()
    }
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::F32
    }
    fn flops(&self, _: &Live) -> u64 {
        LEN as u64
    }
    fn bytes(&self, _: &Live) -> u64 {
        8 * LEN as u64
    }
    fn outputs(&self) -> Vec<Shape> {
        vec![Shape { of: Type::F32, len: LEN }]
    }
    fn operand_bytes(&self) -> u64 {
        4 * LEN as u64
    }
    fn live(&self) -> Live {
        Live::one(1, 0)
    }
    fn example(&self, seed: u64) -> Example {
        let x: Vec<f32> = (0..LEN).map(|i| (i as f32 + seed as f32 + 1.0).sqrt()).collect();
        Example {
            weights: Vec::new(),
            inputs: vec![x.into()],
            outputs: vec![vec![0.0_f32; LEN].into()],
            live: self.live(),
        }
    }
    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        let twice = |index: &Index| 2.0 * example.inputs[0].value(index.at);
        indices.iter().map(|index| Expected { value: twice(index), scale: twice(index) }).collect()
    }
    fn tolerance(&self) -> f64 {
        1e-7
    }
    fn nasty() -> Vec<Self> {
        vec![Self]
    }
}

static DOUBLE: Micro<Double> = Micro {
    about: "twice as much",
    axes: &[],
    parse: |_, _| Ok(Double),
    cold: Some(false),
    roof: false,
    instruction: None,
    items: None,
};

fn manifest(planned: Vec<String>) -> Manifest {
    Manifest {
        schema: SCHEMA.into(),
        id: "broken".into(),
        started_at: "2026-01-01T00:00:00Z".into(),
        ended: None,
        command: Vec::new(),
        build: Build { version: "0".into(), revision: None, profile: "test".into(), target: "test".into() },
        settings: Settings { seed: 1, ..Settings::default() },
        machine: Machine::default(),
        devices: Vec::new(),
        planned,
        telemetry_cost: None,
        canaries: Vec::new(),
        absent: Vec::new(),
    }
}

#[test]
fn every_way_to_break_is_a_record_and_the_run_goes_on() {
    let cpu: Arc<dyn Device> = Arc::new(Cpu::new(Some(2), 1 << 20));
    // Twice: what broke before must not keep the same kernels from running again.
    let request = Request { implementation: "all".into(), ..Request::default() };
    let ids = DOUBLE.cases(&request, &*cpu).unwrap();
    assert_eq!(ids.len(), WAYS.len());
    let folder = tempfile::tempdir().unwrap();
    let manifest = manifest(ids.iter().map(ToString::to_string).collect());
    let store = Store::create(folder.path(), &manifest).unwrap();
    let policy = suite::named("smoke").unwrap().measure;
    let policy = suite::Policy { time_ms: 5, warmup_ms: 1, ..policy };
    let root = SysRoot::live();
    let mut session = Session::start(store, manifest, Devices::new(vec![cpu]), policy, &root, 0).unwrap();
    for round in 0..2 {
        for id in &ids {
            let record = task::record_of(&mut session, Some(&DOUBLE), id, &|| false).unwrap();
            if round == 0 {
                session.append(&record).unwrap();
            }
            match (id.implementation.as_str(), &record.outcome) {
                ("right", Outcome::Measured(m)) => {
                    assert!(!m.samples_ns.is_empty() && m.check.is_some_and(|check| check.passed()));
                }
                ("nan", Outcome::Failed { error }) => {
                    assert!(error.contains("wrong result") && error.contains("inf"), "{error}");
                }
                ("slightly-wrong", Outcome::Failed { error }) => assert!(error.contains("not timed"), "{error}"),
                ("panic", Outcome::Failed { error }) => {
                    assert!(error.starts_with("panicked: index out of") && !error.contains('\n'), "{error}");
                }
                ("panic-in-worker", Outcome::Failed { error }) => {
                    assert!(error.contains("a worker fell over"), "{error}");
                }
                ("fault", Outcome::Failed { error }) => assert_eq!(error, "the device broke"),
                ("refused-by-memory", Outcome::Skipped { reason }) => assert!(reason.contains("out of memory")),
                (name, outcome) => panic!("{name} became {outcome:?}"),
            }
        }
    }
    session.stop_sensors();
    let run = store::read(folder.path()).unwrap();
    assert_eq!((run.records.len(), run.unfinished().len()), (ids.len(), 0), "each task has exactly one record");
}

#[test]
fn a_workload_that_this_version_has_not_is_skipped_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = manifest(Vec::new());
    let store = Store::create(folder.path(), &manifest).unwrap();
    let policy = suite::named("smoke").unwrap().measure;
    let mut session = Session::start(store, manifest, Devices::default(), policy, &SysRoot::live(), 0).unwrap();
    for id in ["wibble/cpu/x", "gemm/cuda:7/x"] {
        let record = task::record(&mut session, &id.parse().unwrap(), &|| false).unwrap();
        let name = if id.starts_with("wibble") { "'wibble'" } else { "cuda:7" };
        assert!(record.status() == "skipped" && record.reason().unwrap().contains(name), "{record:?}");
    }
}
