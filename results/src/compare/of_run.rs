//! The sides that a stored run has: the speed of each record, its own metrics, its efficiency in each scope.

use super::{Better, Key, Kind, Provenance, Side, Sides};
use crate::conditions::{Energy, PageUse};
use crate::machine::clean;
use crate::record::{Cache, Record};
use crate::{Entry, Run};
use serde::Serialize;
use std::collections::BTreeMap;

/// Something that a run has not, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unmeasured {
    /// The benchmark.
    pub id: String,
    /// What the work is: what has to match, as far as it is known without a measurement.
    pub must: BTreeMap<Key, String>,
    /// The unit of what is missing; none where nothing was measured.
    pub unit: Option<String>,
    /// Why.
    pub why: String,
}

impl Unmeasured {
    /// Whether `side` is the same work in the same unit.
    pub(super) fn is_of(&self, side: &Side) -> bool {
        let known = |key: &Key| !matches!(key.kind, Kind::Quantity | Kind::Scope | Kind::Caches);
        self.unit.as_ref().is_none_or(|unit| *unit == side.unit)
            && self.must.iter().filter(|(key, _)| known(key)).eq(side.must.iter().filter(|(key, _)| known(key)))
    }
}

/// Facts that bear on what a number means; the others describe how a task went.
const FACTS: [&str; 7] = ["weights", "weights_hash", "config", "kv", "head", "not_cold", "variant"];
/// Axes that change how, not what.
const WAYS: [&str; 1] = ["threads"];
/// Axes that bear on trust.
const TRUST: [&str; 1] = ["pages"];

/// Every quantity of every record that was measured, and why the others have none.
pub fn sides_of(run: &Run) -> Sides {
    sides_among(run, |_| true)
}

/// The same of the records that `wanted` takes: what nobody asks for is not computed.
pub(super) fn sides_among(run: &Run, wanted: impl Fn(&Record) -> bool) -> Sides {
    let mut sides = Sides::default();
    for record in run.records.iter().filter(|record| wanted(record)) {
        of_record(run, record, &mut sides);
    }
    sides
}

fn of_record(run: &Run, record: &Record, to: &mut Sides) {
    let e = Entry::of(record, run.simulated(&record.id.device));
    let base = base(run, &e);
    if let Some(origin) = &e.origin {
        let why = format!("not measured here: {}", origin.words());
        to.none.push(Unmeasured { id: base.id, must: base.must, unit: None, why });
        return;
    }
    if e.status != "measured" {
        let why = format!("{}: {}", e.status, clean(e.reason.as_deref().unwrap_or("no reason was recorded")));
        to.none.push(Unmeasured { id: base.id, must: base.must, unit: None, why });
        return;
    }
    // The one sample of a load of requests is their number's doing.
    if let Some(speed) = speed(&e).filter(|_| e.serving.is_none()) {
        to.sides.push(speed.of(&base));
    }
    for metric in record.measured().into_iter().flat_map(|m| &m.metrics).filter(|m| m.better != Better::Neither) {
        let quantity = Quantity {
            name: clean(&metric.name),
            value: metric.value,
            interval: None,
            unit: clean(&metric.unit),
            better: metric.better,
        };
        to.sides.push(quantity.of(&base));
    }
    served(&e, &base, to);
    energy(&e, &base, to);
}

/// What requests to a server showed: medians and tails with their intervals, and what was answered in time.
fn served(e: &Entry, base: &Side, to: &mut Sides) {
    let Some(serving) = &e.serving else { return };
    for (name, spread) in serving.spreads() {
        for (tail, p) in [("p50", spread.p50), ("p99", spread.p99)] {
            let quantity = Quantity {
                name: format!("{name} {tail}"),
                value: p.value,
                interval: p.low.zip(p.high).map(|(low, high)| [low, high]),
                unit: "ns".to_owned(),
                better: Better::Lower,
            };
            to.sides.push(quantity.of(base));
        }
    }
    let good = serving.goodput.as_ref().map(|good| ("good answers a second", good.per_s, "answer/s"));
    let rates = [Some(("output tokens a second", serving.output_tokens_per_s, "tok/s")), good];
    for (name, value, unit) in rates.into_iter().flatten() {
        let (name, unit) = (name.to_owned(), unit.to_owned());
        to.sides.push(Quantity { name, value, interval: None, unit, better: Better::Higher }.of(base));
    }
}

/// A side without a quantity yet.
fn base(run: &Run, e: &Entry) -> Side {
    let mut must: BTreeMap<Key, String> = BTreeMap::new();
    must.insert(Key::new(Kind::Workload, "workload"), clean(&e.workload));
    if let Some(cache) = e.cache {
        must.insert(Key::new(Kind::Caches, "caches"), if cache == Cache::Cold { "cold" } else { "warm" }.to_owned());
    }
    // What ids leave out at its default is said, so that a row from elsewhere that states it can match.
    let usual: &[(&str, &str)] = match e.workload.as_str() {
        "prefill" | "decode" => &[("batch", "1"), ("depth", "0")],
        "gemm" | "peak" => &[("sparsity", "dense")],
        _ => &[],
    };
    must.extend(usual.iter().map(|(axis, value)| (Key::axis(axis), (*value).to_owned())));
    let (mut may, mut noted) = (BTreeMap::new(), BTreeMap::new());
    may.insert("device".to_owned(), clean(&e.device));
    may.insert("implementation".to_owned(), clean(&e.implementation));
    if let Some(threads) = run.manifest.settings.threads.filter(|_| e.device == "cpu") {
        may.insert("threads".to_owned(), threads.to_string());
    }
    if let Some(name) = run.manifest.devices.iter().find(|d| d.id == e.device).and_then(|d| d.name.as_deref()) {
        may.insert("device name".to_owned(), clean(name));
    }
    for (axis, value) in &e.axes {
        let value = clean(&value.to_string());
        match axis.as_str() {
            // No threads asked for are all of the device's.
            "threads" if value == "0" => {}
            axis if WAYS.contains(&axis) => drop(may.insert(axis.to_owned(), value)),
            axis if TRUST.contains(&axis) => drop(noted.insert(axis.to_owned(), value)),
            axis => drop(must.insert(Key::axis(&clean(axis)), value)),
        }
    }
    for fact in FACTS {
        if let Some(value) = e.facts.get(fact) {
            noted.insert(fact.to_owned(), clean(value));
        }
    }
    if let Some(pages) = e.conditions.as_ref().and_then(|c| c.pages).and_then(huge) {
        noted.insert("memory on huge pages".to_owned(), pages.to_owned());
    }
    if e.time.zip(e.sampling.as_ref()).is_some_and(|(time, sampling)| sampling.doubtful(time.samples)) {
        noted.insert("interval".to_owned(), "of too few independent samples".to_owned());
    }
    let unfit = if e.simulated {
        Some("a test double did the work: its numbers are no measurements".to_owned())
    } else {
        e.facts.get("handicap").map(|said| format!("it was slowed down on purpose: {}", clean(said)))
    };
    Side {
        id: clean(&e.id),
        must,
        may,
        noted,
        value: f64::NAN,
        interval: None,
        unit: String::new(),
        better: Better::Higher,
        provenance: Provenance::Measured { run: clean(&run.manifest.id), machine: run.manifest.machine.fingerprint() },
        unfit,
    }
}

/// How much of the operands lies on huge pages, in a word that does not differ by a page.
fn huge(pages: PageUse) -> Option<&'static str> {
    let share = pages.huge? as f64 / pages.bytes.max(1) as f64;
    Some(match share {
        s if s >= 0.99 => "all",
        s if s >= 0.5 => "most",
        s if s > 0.0 => "some",
        _ => "none",
    })
}

/// A value that a side is made of.
struct Quantity {
    name: String,
    value: f64,
    interval: Option<[f64; 2]>,
    unit: String,
    better: Better,
}

impl Quantity {
    fn of(self, base: &Side) -> Side {
        let mut side = base.clone();
        side.must.insert(Key::new(Kind::Quantity, "quantity"), self.name);
        Side { value: self.value, interval: self.interval, unit: self.unit, better: self.better, ..side }
    }
}

/// The speed by which a workload is known elsewhere, too: tokens, operations or bytes a second; the time of an iteration where it has
/// none.
fn speed(e: &Entry) -> Option<Quantity> {
    let (time, work) = (e.time?, e.work.as_ref()?);
    let integers = e.axes.get("type").or(e.axes.get("activations")).is_some_and(|of| of.to_string().starts_with("int"));
    let (amount, name, unit) = match e.workload.as_str() {
        "prefill" | "decode" => (work.items, "tokens a second", "tok/s"),
        "gemm" | "peak" => (work.flops, "operations a second", if integers { "OP/s" } else { "FLOP/s" }),
        "read" | "write" | "copy" | "triad" => (work.bytes, "bytes a second", "B/s"),
        _ => (0, "", ""),
    };
    if amount == 0 || time.median_ns <= 0.0 {
        let (name, unit) = ("time".to_owned(), "ns".to_owned());
        return Some(Quantity { name, value: time.median_ns, interval: time.ci95_ns, unit, better: Better::Lower });
    }
    let per_s = |ns: f64| amount as f64 / (ns * 1e-9);
    Some(Quantity {
        name: name.to_owned(),
        value: per_s(time.median_ns),
        interval: time.ci95_ns.map(|[low, high]| [per_s(high), per_s(low)]),
        unit: unit.to_owned(),
        better: Better::Higher,
    })
}

/// Items a joule, one side a scope that contains the device; its interval is the sensor's uncertainty.
fn energy(e: &Entry, base: &Side, to: &mut Sides) {
    let item = e.work.as_ref().map_or("", |w| w.item.as_str());
    let unit = match item {
        "token" => "tok/J".to_owned(),
        "" => "item/J".to_owned(),
        item => format!("{}/J", clean(item)),
    };
    if let Some(Energy::Unavailable { reason, .. }) = &e.energy {
        to.none.push(Unmeasured { id: base.id.clone(), must: base.must.clone(), unit: Some(unit), why: clean(reason) });
        return;
    }
    for efficiency in &e.efficiency {
        let Some(Energy::Measured { readings, .. }) = &e.energy else { return };
        let Some(reading) = readings.iter().find(|r| r.covers_device && r.scope == efficiency.scope) else { continue };
        let value = efficiency.items_per_joule;
        let sure = reading.plus_minus.is_finite() && (0.0..1.0).contains(&reading.plus_minus);
        let quantity = Quantity {
            name: "items a joule".to_owned(),
            value,
            interval: sure.then(|| [value / (1.0 + reading.plus_minus), value / (1.0 - reading.plus_minus)]),
            unit: unit.clone(),
            better: Better::Higher,
        };
        let mut side = quantity.of(base);
        side.must.insert(Key::new(Kind::Scope, "scope"), clean(&reading.scope));
        side.noted.insert("power sensor".to_owned(), clean(&reading.source));
        if reading.coverage < 0.99 {
            side.noted.insert("window seen by the sensor".to_owned(), format!("{:.0} %", 100.0 * reading.coverage));
        }
        to.sides.push(side);
    }
}
