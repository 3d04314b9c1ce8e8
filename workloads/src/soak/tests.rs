//! The experiment on a machine of the test's making: its clock, its heat and its mistakes are a script.

use super::part::Part;
use super::sustain::{Length, Sustain};
use crate::trial::{Beat, Lab, Ran, Side, Trial};
use crate::workload::{Roofs, Step};
use spark_kernels::Fault;
use spark_results::conditions::{Conditions, Energy, State, Throttling};
use spark_results::record::{Cache, Check, Phase};
use spark_results::soak::Soak;
use spark_results::{Measurement, Work};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const MS: u64 = 1_000_000;

/// A machine that gets warm while it works and cools while it waits.
#[derive(Clone, Copy, Debug)]
struct Machine {
    now_ns: u64,
    /// Seconds of work that it has not cooled from.
    heat_s: f64,
    /// Heat at which it slows down.
    limit_s: f64,
    /// Whether waiting takes heat away.
    cools: bool,
    /// Milliseconds of one run, cool and hot.
    run_ms: [u64; 2],
    runs: u64,
    /// The run from which on results are wrong.
    wrong_from: u64,
    stops_at: Duration,
}

impl Machine {
    fn new(limit_s: f64) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            now_ns: 0,
            heat_s: 0.0,
            limit_s,
            cools: true,
            run_ms: [10, 14],
            runs: 0,
            wrong_from: u64::MAX,
            stops_at: Duration::MAX,
        }))
    }
}

struct Fake(Rc<RefCell<Machine>>, Work);

impl Step for Fake {
    fn run(&mut self) -> Result<(), Fault> {
        let mut m = self.0.borrow_mut();
        let ms = m.run_ms[usize::from(m.heat_s > m.limit_s)];
        m.now_ns += ms * MS;
        m.heat_s = (m.heat_s + ms as f64 * 1e-3).min(m.limit_s + 2.0);
        m.runs += 1;
        Ok(())
    }
    fn work(&self) -> Work {
        self.1.clone()
    }
    fn check(&mut self) -> Result<Option<Check>, Fault> {
        Ok(Some(Check { max_error: 1e-7, tolerance: 1e-6, compared: 8 }))
    }
    fn digest(&mut self) -> Result<Option<u64>, Fault> {
        let m = self.0.borrow();
        Ok(Some(u64::from(m.runs >= m.wrong_from)))
    }
    fn roofs(&self) -> Roofs {
        Roofs::default()
    }
    fn cache(&self) -> Cache {
        Cache::Warm
    }
}

struct FakeLab {
    machine: Rc<RefCell<Machine>>,
    phases: Vec<Phase>,
    beats: Vec<Beat>,
}

impl Lab for FakeLab {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.machine.borrow().now_ns)
    }
    fn stopped(&self) -> bool {
        self.now() >= self.machine.borrow().stops_at
    }
    fn wait(&mut self, time: Duration) {
        let mut m = self.machine.borrow_mut();
        m.now_ns += time.as_nanos() as u64;
        if m.cools {
            m.heat_s = (m.heat_s - time.as_secs_f64()).max(0.0);
        }
    }
    fn time(&mut self, work: &mut dyn FnMut() -> Result<(), Fault>) -> Result<Duration, Fault> {
        let before = self.now();
        work()?;
        Ok(self.now() - before)
    }
    fn both(&mut self, one: Side<'_>, other: Side<'_>, _: Duration) -> Result<[Vec<Ran>; 2], Fault> {
        // One clock of its own making: they take turns.
        one()?;
        other()?;
        Ok([Vec::new(), Vec::new()])
    }
    fn clocks(&mut self) -> Vec<f64> {
        vec![2e9]
    }
    fn hottest(&self) -> Option<f64> {
        Some(40.0 + self.machine.borrow().heat_s.min(40.0))
    }
    fn phase(&mut self, name: &str, began: Duration, work: Work) {
        let (began_ns, ended_ns) = (began.as_nanos() as u64, self.now().as_nanos() as u64);
        self.phases.push(Phase { name: name.into(), began_ns, ended_ns, work, energy: None });
    }
    fn tell(&mut self, so_far: &Beat) {
        self.beats.push(so_far.clone());
    }
}

fn tokens() -> Work {
    Work { flops: 100, bytes: 10, items: 1, item: "token".into() }
}

fn soak(machine: &Rc<RefCell<Machine>>, works: &[Work], length: Length) -> (Sustain, FakeLab) {
    let part = |work: &Work| Part::new(Box::new(Fake(machine.clone(), work.clone())), "fake".into());
    let parts = works.iter().map(part).collect();
    (Sustain::new(parts, length), FakeLab { machine: machine.clone(), phases: Vec::new(), beats: Vec::new() })
}

/// What a record of it would be.
fn measured(mut trial: Sustain, mut lab: FakeLab) -> Result<Option<(Measurement, Vec<Beat>)>, Fault> {
    let Some(seen) = trial.run(&mut lab)? else { return Ok(None) };
    let conditions = Conditions {
        energy: Energy::Unavailable { reason: "none".into() },
        core_clocks: seen.clocks,
        throttling: Throttling::Unavailable { reason: "none".into() },
        before: State::default(),
        after: State::default(),
        during: None,
        pages: None,
    };
    let m = Measurement {
        clock: "script".into(),
        samples_ns: seen.samples_ns,
        at_ns: seen.at_ns,
        dropped: Vec::new(),
        iterations: seen.iterations,
        cache: trial.cache(),
        work: trial.work(),
        phases: lab.phases,
        ops: Vec::new(),
        metrics: Vec::new(),
        requests: Vec::new(),
        roofs: Vec::new(),
        conditions,
        check: trial.check()?,
        facts: trial.facts(),
        notes: seen.notes,
    };
    Ok(Some((m, lab.beats)))
}

const TWO_MINUTES: Length = Length::For(Duration::from_secs(120));

#[test]
fn a_machine_that_throttles_is_seen_to_when_how_far_and_what_brings_it_back() {
    let machine = Machine::new(40.0);
    let (trial, lab) = soak(&machine, &[tokens()], TWO_MINUTES);
    let (m, beats) = measured(trial, lab).unwrap().unwrap();
    let soak = Soak::of(&m).unwrap();
    // 10 ms a token while cool, 14 ms while hot.
    assert!((soak.burst - 100.0).abs() < 1.0 && (soak.sustained - 100.0 / 1.4).abs() < 1.0, "{soak:?}");
    assert!((soak.ratio - 1.0 / 1.4).abs() < 0.02);
    let after = soak.throttled_after_s.unwrap();
    assert!((after - 40.0).abs() < 2.0, "{after}");
    assert_eq!(soak.stretches.len(), 2);
    // It has 2 s of heat too much: the first pause of 5 s takes them, and the probe of 2 s does not bring them back.
    assert_eq!(soak.recovered_after_s, Some(5.0));
    let names: Vec<_> = m.phases.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names[..3], ["rest", "load 1", "load 2"]);
    assert_eq!(names[names.len() - 2..], ["pause 1", "probe 1"]);
    let (begun, done) = (m.phases[1].began_ns, m.phases[names.len() - 3].ended_ns);
    let loads: Vec<_> = m.phases.iter().filter(|p| p.name.starts_with("load")).collect();
    assert!(loads.windows(2).all(|pair| pair[0].ended_ns <= pair[1].began_ns));
    let tokens: u64 = loads.iter().map(|p| p.work.items).sum();
    assert_eq!(tokens, m.work.items * m.samples_ns.len() as u64, "every window is in one slice");
    assert!(((done - begun) as f64 * 1e-9 - 120.0).abs() < 1.0);
    let rested = m.phases[0].ended_ns - m.phases[0].began_ns;
    assert_eq!(rested, 5000 * MS);
    assert!(beats.len() > 80 && beats.iter().any(|b| b.doing == "pause 1"));
    assert!(m.facts["verified"].contains("bit for bit"), "{:?}", m.facts);
    assert!((80..=125).contains(&m.conditions.core_clocks.len()), "at most once a second, between windows");
}

#[test]
fn a_machine_that_keeps_up_has_nothing_to_recover_from() {
    let machine = Machine::new(1e9);
    let (trial, lab) = soak(&machine, &[tokens()], TWO_MINUTES);
    let (m, _) = measured(trial, lab).unwrap().unwrap();
    let soak = Soak::of(&m).unwrap();
    assert_eq!((soak.ratio, soak.throttled_after_s, soak.recovered_after_s, soak.paused_s), (1.0, None, None, 0.0));
    assert!(m.phases.iter().all(|p| !p.name.starts_with("pause")));
}

#[test]
fn a_machine_that_does_not_come_back_is_told_how_long_was_waited() {
    let machine = Machine::new(20.0);
    machine.borrow_mut().cools = false;
    let (trial, lab) = soak(&machine, &[tokens()], TWO_MINUTES);
    let (m, _) = measured(trial, lab).unwrap().unwrap();
    let soak = Soak::of(&m).unwrap();
    assert_eq!((soak.recovered_after_s, soak.paused_s), (None, 75.0), "5 + 10 + 20 + 40 s");
}

#[test]
fn until_steady_ends_when_the_level_stays_and_the_machine_no_longer_warms() {
    let longest = Duration::from_secs(1800);
    let machine = Machine::new(50.0);
    let (trial, lab) = soak(&machine, &[tokens()], Length::UntilSteady { longest });
    let (m, _) = measured(trial, lab).unwrap().unwrap();
    let load_s = m.samples_ns.iter().sum::<u64>() as f64 * 1e-9;
    assert!((100.0..200.0).contains(&load_s), "50 s at first, then a minute at the level that stays: {load_s}");
    assert!(m.notes.is_empty() && Soak::of(&m).unwrap().throttled_after_s.is_some());
}

#[test]
fn a_result_that_changes_under_load_is_a_fault_that_names_both() {
    let machine = Machine::new(1e9);
    machine.borrow_mut().wrong_from = 3000;
    let (trial, lab) = soak(&machine, &[tokens()], TWO_MINUTES);
    let fault = measured(trial, lab).unwrap_err().to_string();
    assert!(fault.contains("fake") && fault.contains("computes wrongly"), "{fault}");
}

#[test]
fn a_stop_leaves_what_was_measured_and_before_the_load_nothing() {
    for (after, windows) in [(2, None), (30, Some(45..=52))] {
        let machine = Machine::new(1e9);
        machine.borrow_mut().stops_at = Duration::from_secs(after);
        let (trial, lab) = soak(&machine, &[tokens()], TWO_MINUTES);
        let done = measured(trial, lab).unwrap();
        match (done, windows) {
            (None, None) => {}
            (Some((m, _)), Some(windows)) => {
                assert!(windows.contains(&m.samples_ns.len()), "{}", m.samples_ns.len());
                assert!(m.notes[0].contains("stopped") && Soak::of(&m).is_some());
            }
            (done, _) => panic!("after {after} s: {done:?}"),
        }
    }
}

#[test]
fn two_loads_share_a_window() {
    let machine = Machine::new(1e9);
    let product = Work { flops: 5000, bytes: 20, items: 0, item: String::new() };
    let (trial, lab) = soak(&machine, &[tokens(), product], Length::For(Duration::from_secs(60)));
    let (m, _) = measured(trial, lab).unwrap().unwrap();
    // 500 ms of a window, 250 ms of each, 10 ms a run.
    assert_eq!((m.work.items, m.work.flops, m.work.item.as_str()), (25, 25 * 5100, "token"));
    assert!(m.samples_ns.iter().all(|ns| *ns == 500 * MS));
}
