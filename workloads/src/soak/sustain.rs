//! The experiment: rest, load in windows, then pauses until the machine is as fast as at first.

use super::part::Part;
use crate::trial::{Beat, Lab, Observed, Trial};
use spark_kernels::Fault;
use spark_results::conditions::CoreClock;
use spark_results::record::{Cache, Check};
use spark_results::soak::{self, LOAD, PAUSE, PROBE, REST, SLOWER};
use spark_results::{Work, stats};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long the load lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    For(Duration),
    UntilSteady { longest: Duration },
}

impl Length {
    fn most(self) -> Duration {
        match self {
            Length::For(time) | Length::UntilSteady { longest: time } => time,
        }
    }
}

/// A window is at most so long, and short enough that a short soak has sixty of them.
const WINDOW: Duration = Duration::from_millis(500);
const WINDOWS: u32 = 60;
/// Nothing is done for so long before, so that what preparing warmed cools and idle power is seen; less before a short soak.
const REST_FOR: Duration = Duration::from_secs(5);
/// The load is cut into slices of at least this length, each with an energy of its own.
const SLICE: Duration = Duration::from_secs(10);
const SLICES: u32 = 8;
/// The first pause; each further one is twice as long. A short soak makes shorter ones.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const PAUSES: u32 = 4;
/// Windows of load after each pause.
const PROBE_WINDOWS: u64 = 4;
/// Nobody reads a line more often, and the clock's own chain of additions is no load.
const BEAT: Duration = Duration::from_secs(1);
/// Beats between two looks at whether the level stays: the search for changes takes some milliseconds of a processor.
const LOOK_EVERY: u64 = 5;
/// A machine that has warmed by more than this in the last minute is not steady, however steady its speed.
const WARMING_C: f64 = 1.0;
const MINUTE: Duration = Duration::from_secs(60);

/// A load kept up.
pub(super) struct Sustain {
    parts: Vec<Part>,
    length: Length,
    verified: u64,
    unverifiable: bool,
}

impl Sustain {
    pub(super) fn new(parts: Vec<Part>, length: Length) -> Self {
        Self { parts, length, verified: 0, unverifiable: false }
    }

    fn window_time(&self) -> Duration {
        (self.length.most() / WINDOWS).clamp(Duration::from_millis(1), WINDOW)
    }
    /// How long nothing is done before, and how long the first pause is.
    fn short(&self, usual: Duration) -> Duration {
        usual.min(self.length.most() / 12)
    }
    fn unit(&self) -> &'static str {
        if self.work().items > 0 { "tok/s" } else { "FLOP/s" }
    }
    /// What a rate counts of `work`.
    fn amount(work: &Work) -> f64 {
        if work.items > 0 { work.items as f64 } else { work.flops as f64 }
    }

    /// Runs each part once and takes as many of it into a window as fill its share of the time.
    fn fill(&mut self, lab: &mut dyn Lab) -> Result<(), Fault> {
        let share = self.window_time() / self.parts.len() as u32;
        for part in &mut self.parts {
            let once = lab.time(&mut || part.once())?.max(Duration::from_nanos(1));
            part.times = (share.as_secs_f64() / once.as_secs_f64()).round().max(1.0) as u64;
        }
        self.verify()
    }

    /// One window: every part as often as it stands in it. Returns what the device's clock says.
    fn window(&mut self, lab: &mut dyn Lab) -> Result<Duration, Fault> {
        let mut took = Duration::ZERO;
        for part in &mut self.parts {
            for _ in 0..part.times {
                took += lab.time(&mut || part.once())?;
            }
        }
        Ok(took)
    }

    fn verify(&mut self) -> Result<(), Fault> {
        for part in &mut self.parts {
            if part.verify()? {
                self.verified += 1;
            } else {
                self.unverifiable = true;
            }
        }
        Ok(())
    }

    /// `count` windows' worth of work.
    fn worth(&self, count: u64) -> Work {
        let one = self.work();
        Work { flops: one.flops * count, bytes: one.bytes * count, items: one.items * count, item: one.item }
    }

    /// The load itself, noted in `seen`. Returns the rates of its windows.
    fn load(&mut self, lab: &mut dyn Lab, seen: &mut Observed) -> Result<Vec<f64>, Fault> {
        let (began, slice) = (lab.now(), (self.length.most() / SLICES).max(SLICE));
        let (mut slices, mut in_slice, mut slice_began) = (0, 0, began);
        let (mut rates, mut at_s, mut warmth): (Vec<f64>, Vec<f64>, Vec<(Duration, f64)>) = Default::default();
        let (mut beat, mut beats, mut best) = (began, 0_u64, 0.0_f64);
        loop {
            let at = lab.now();
            if lab.stopped() {
                seen.notes.push("stopped before its time: what was measured until then stands here".into());
                break;
            }
            if at - began >= self.length.most() {
                if let Length::UntilSteady { longest } = self.length {
                    seen.notes.push(format!("not steady after {} s, the longest it is waited for", longest.as_secs()));
                }
                break;
            }
            if at >= beat {
                beat = at + BEAT;
                warmth.extend(lab.hottest().map(|c| (at, c)));
                beats += 1;
                let look = beats.is_multiple_of(LOOK_EVERY) && matches!(self.length, Length::UntilSteady { .. });
                if look && cooled(&warmth, at) && soak::steady(&at_s, &rates) {
                    break;
                }
                self.beat(lab, seen, at - began, &rates, &mut best);
            }
            let took = self.window(lab)?;
            seen.at_ns.push(at.as_nanos() as u64);
            seen.samples_ns.push(took.as_nanos() as u64);
            rates.push(Self::amount(&self.work()) / took.as_secs_f64().max(1e-9));
            at_s.push((at - began).as_secs_f64());
            in_slice += 1;
            if lab.now() - slice_began >= slice {
                slices += 1;
                lab.phase(&format!("{LOAD} {slices}"), slice_began, self.worth(in_slice));
                (in_slice, slice_began) = (0, lab.now());
            }
            self.verify()?;
        }
        if in_slice > 0 {
            lab.phase(&format!("{LOAD} {}", slices + 1), slice_began, self.worth(in_slice));
        }
        Ok(rates)
    }

    /// Tells how far it is, and reads the core clock while the cores still run at the frequency of the work.
    fn beat(&self, lab: &mut dyn Lab, seen: &mut Observed, elapsed: Duration, rates: &[f64], best: &mut f64) {
        let clocks = lab.clocks();
        let rate = (!rates.is_empty()).then(|| stats::median(&rates[rates.len().saturating_sub(5)..]));
        *best = rate.map_or(*best, |r| r.max(*best));
        lab.tell(&Beat {
            doing: LOAD.into(),
            elapsed,
            of: matches!(self.length, Length::For(_)).then(|| self.length.most()),
            rate: rate.map(|r| (r, self.unit())),
            share: rate.map(|r| r / *best),
            clock_hz: (!clocks.is_empty()).then(|| stats::median(&clocks)),
        });
        if !clocks.is_empty() {
            seen.clocks.push(CoreClock { at_ns: lab.now().as_nanos() as u64, hz: clocks });
        }
    }

    /// Pauses, each twice as long as the one before, until a short load is as fast as `burst`.
    fn recover(&mut self, lab: &mut dyn Lab, burst: f64) -> Result<(), Fault> {
        let mut pause = self.short(FIRST_PAUSE);
        for number in 1..=PAUSES {
            lab.tell(&Beat { doing: format!("{PAUSE} {number}"), of: Some(pause), ..Beat::default() });
            let began = lab.now();
            lab.wait(pause);
            if lab.stopped() {
                return Ok(());
            }
            lab.phase(&format!("{PAUSE} {number}"), began, Work::default());
            let began = lab.now();
            for _ in 0..PROBE_WINDOWS {
                self.window(lab)?;
            }
            let took = (lab.now() - began).as_secs_f64();
            lab.phase(&format!("{PROBE} {number}"), began, self.worth(PROBE_WINDOWS));
            self.verify()?;
            if Self::amount(&self.worth(PROBE_WINDOWS)) / took >= SLOWER * burst {
                return Ok(());
            }
            pause *= 2;
        }
        Ok(())
    }
}

/// Whether the hottest sensor has not risen over the last minute; true where there is none.
fn cooled(warmth: &[(Duration, f64)], now: Duration) -> bool {
    let minute_ago = warmth.iter().rev().find(|(at, _)| now.saturating_sub(*at) >= MINUTE);
    match (warmth.last(), minute_ago) {
        (Some((_, now)), Some((_, then))) => now - then < WARMING_C,
        (None, _) => true,
        (Some(_), None) => false,
    }
}

impl Trial for Sustain {
    fn check(&mut self) -> Result<Option<Check>, Fault> {
        let mut worst: Option<Check> = None;
        for part in &mut self.parts {
            let Some(check) = part.check()? else { continue };
            let further = |c: &Check| c.max_error / c.tolerance.max(f64::MIN_POSITIVE);
            let compared = worst.map_or(0, |w| w.compared) + check.compared;
            // One part that is wrong, or NaN, is not hidden by another that is right.
            let keep =
                worst.filter(|w| !w.passed() || (check.passed() && further(w) >= further(&check))).unwrap_or(check);
            worst = Some(Check { compared: if keep.compared == 0 { 0 } else { compared }, ..keep });
        }
        Ok(worst)
    }

    fn run(&mut self, lab: &mut dyn Lab) -> Result<Option<Observed>, Fault> {
        let began = lab.now();
        lab.tell(&Beat { doing: REST.into(), of: Some(self.short(REST_FOR)), ..Beat::default() });
        lab.wait(self.short(REST_FOR));
        lab.phase(REST, began, Work::default());
        if lab.stopped() {
            return Ok(None);
        }
        self.fill(lab)?;
        let mut seen = Observed { iterations: 1, ..Observed::default() };
        let rates = self.load(lab, &mut seen)?;
        let Some((burst, sustained, _)) = soak::levels(&rates) else { return Ok(None) };
        if !lab.stopped() && sustained < SLOWER * burst {
            self.recover(lab, burst)?;
        }
        Ok(Some(seen))
    }

    fn work(&self) -> Work {
        self.parts.iter().map(Part::work).fold(Work::default(), |sum, work| Work {
            flops: sum.flops.saturating_add(work.flops),
            bytes: sum.bytes.saturating_add(work.bytes),
            items: sum.items.saturating_add(work.items),
            item: if work.item.is_empty() { sum.item } else { work.item },
        })
    }

    fn cache(&self) -> Cache {
        let cold = self.parts.iter().any(|part| part.step.cache() == Cache::Cold);
        if cold { Cache::Cold } else { Cache::Warm }
    }

    fn pages(&self) -> Option<(u64, Option<u64>)> {
        let all: Vec<_> = self.parts.iter().filter_map(|part| part.step.pages()).collect();
        let huge = all.iter().map(|(_, huge)| *huge).sum();
        (!all.is_empty()).then(|| (all.iter().map(|(bytes, _)| bytes).sum(), huge))
    }

    fn facts(&self) -> BTreeMap<String, String> {
        let mut facts: BTreeMap<String, String> = self.parts.iter().flat_map(|part| part.step.facts()).collect();
        let holds: Vec<_> = self.parts.iter().map(|part| format!("{} × {}", part.times, part.id)).collect();
        facts.insert("window".into(), holds.join(" and "));
        let verified = format!("{} results were the first one bit for bit, none was not", self.verified);
        let why = if self.unverifiable { "; a part of the load has no result to read" } else { "" };
        facts.insert("verified".into(), format!("{verified}{why}"));
        facts
    }
}
