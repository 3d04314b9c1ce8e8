//! More managed memory than a GPU has, where it was asked for.

use super::double::within;
use spark_kernels::cuda::Gpu;
use spark_kernels::{Device, Fault};
use spark_results::{AxisValue, Work, unified};
use spark_workloads::trial::Side;
use spark_workloads::{Beat, Body, Decline, Lab, Ran, Request, Workload, memory};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A lab with a clock and nothing else.
struct Clock(Instant);

impl Lab for Clock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
    fn stopped(&self) -> bool {
        false
    }
    fn wait(&mut self, _: Duration) {}
    fn time(&mut self, work: &mut dyn FnMut() -> Result<(), Fault>) -> Result<Duration, Fault> {
        let start = Instant::now();
        work().map(|()| start.elapsed())
    }
    fn both(&mut self, _: Side<'_>, _: Side<'_>, _: Duration) -> Result<[Vec<Ran>; 2], Fault> {
        panic!("nothing here goes on beside anything");
    }
    fn clocks(&mut self) -> Vec<f64> {
        Vec::new()
    }
    fn hottest(&self) -> Option<f64> {
        None
    }
    fn phase(&mut self, _: &str, _: Duration, _: Work) {}
    fn tell(&mut self, _: &Beat) {}
}

/// What pages out is the host's: half of the card, and what it keeps.
const NEEDED: u64 = (2 << 20) + (4 << 30);

#[test]
fn a_card_holds_more_than_it_has_where_that_is_asked_for() {
    let faults = format!("memory@{}", 4 << 20);
    let env = [("SPARK_CUDA_DOUBLE_PROFILE", "discrete"), ("SPARK_CUDA_DOUBLE_FAULTS", &*faults)];
    within("beyond::a_card_holds_more_than_it_has_where_that_is_asked_for", &env, || {
        let device: Arc<dyn Device> = Arc::new(Gpu::open(0).unwrap());
        let with = |oversubscribe: u64| {
            let axes = [("bytes", 256 << 10), ("oversubscribe", oversubscribe)];
            let axes = axes.map(|(name, value)| (name.to_owned(), vec![AxisValue::from(value)])).into();
            memory::UNIFIED.cases(&Request { axes, implementation: String::new() }, &*device)
        };
        assert!(with(99).is_err() && with(201).is_err(), "it is more than there is, and no more than twice that");
        let id = with(150).unwrap().swap_remove(0);
        let prepared = memory::UNIFIED.prepare(&id, &device, 1, 1 << 30);
        if spark_kernels::available_memory().is_none_or(|available| available < NEEDED) {
            assert!(matches!(&prepared, Err(Decline::Skip(why)) if why.contains("host")), "{:?}", prepared.err());
            return;
        }
        let Body::Trial(mut trial) = prepared.unwrap() else { panic!("an experiment of its own") };
        assert!(trial.check().unwrap().is_some_and(|check| check.passed() && check.compared > 0));
        // Each buffer is summed when it is read: a page that did not come back would be an error.
        let seen = trial.run(&mut Clock(Instant::now())).unwrap().unwrap();
        let names: Vec<&str> = seen.metrics.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names, [unified::exceeding("writes"), unified::exceeding("reads")]);
        assert!(seen.metrics.iter().all(|m| m.value > 0.0) && !seen.samples_ns.is_empty());
        // Without the word nothing of the sort is measured.
        assert!(!with(0).unwrap()[0].axes.contains_key("oversubscribe"));
    });
}
