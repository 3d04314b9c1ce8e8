//! The verdict on a claim: from the spec everywhere, from what was measured only on the machine it was said of.

use super::expression::{Expression, number};
use super::ledger::{Claim, Part, Probe, Reading, Readings, Refused, Test, Verdict, all, speakers};
use crate::ceilings;
use crate::document::{Document, Entry};
use crate::published::system_of;
use serde::Serialize;
use std::collections::BTreeMap;

/// A claim, judged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// Its number.
    pub id: u32,
    /// The machine it was said of.
    pub subject: String,
    /// What was said.
    pub claim: String,
    /// Who said it, each with the date.
    pub who: Vec<String>,
    /// Under which conditions.
    pub conditions: String,
    /// What comes of it.
    pub verdict: Verdict,
    /// Whether this machine is the subject: then what was measured decides.
    pub decides_here: bool,
    /// The first part's bound from the spec, in `unit`.
    pub bound_spec: Option<f64>,
    /// The same from this run's roofs; on another machine than the subject it stands beside and decides nothing.
    pub bound_measured: Option<f64>,
    /// What this run measured of it, likewise.
    pub measured: Option<f64>,
    /// The unit of these three.
    pub unit: String,
    /// All arithmetic with its numbers put in, one line a step.
    pub arithmetic: String,
    /// Its parts.
    pub parts: Vec<JudgedPart>,
}

/// A part of a claim, judged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JudgedPart {
    /// What exactly was tested.
    pub says: String,
    /// What comes of it.
    pub verdict: Verdict,
    /// The claimed value.
    pub claimed: Option<f64>,
    /// What the spec allows.
    pub bound_spec: Option<f64>,
    /// What this run's roofs allow.
    pub bound_measured: Option<f64>,
    /// What this run measured.
    pub measured: Option<f64>,
    /// The unit of these.
    pub unit: String,
    /// The arithmetic, a line a step.
    pub arithmetic: Vec<String>,
    /// Why, and what has to be known beside it.
    pub because: String,
}

/// What a run has to say to a claim.
#[derive(Debug)]
struct Seen<'a> {
    records: &'a [Entry],
    memory: Option<f64>,
}

impl Seen<'_> {
    fn reading(&self, what: Reading) -> Option<f64> {
        match what {
            Reading::Memory => self.memory,
            Reading::Read => ceilings::read(self.records).map(|(rate, _)| rate),
            Reading::Fp4Peak => ceilings::peak(self.records, &["nvfp4", "mxfp4"]).map(|(rate, _)| rate),
        }
    }
    fn probe(&self, probe: &Probe) -> Option<f64> {
        // One stream: what several reach together is another claim.
        let real = |e: &Entry| e.status == "measured" && !e.simulated;
        let alone = |e: &&Entry| real(e) && crate::id::matches(&probe.id, &e.id) && e.int("batch").unwrap_or(1) == 1;
        let values = self.records.iter().filter(alone).filter_map(|e| match probe.of.as_str() {
            "items_per_s" => e.rates?.items_per_s,
            "bytes_per_s" => e.rates?.bytes_per_s,
            "flops_per_s" => e.rates?.flops_per_s,
            // The widest scope that spoke: the fewest items a joule.
            "joules_per_item" => e.efficiency.iter().map(|x| 1.0 / x.items_per_joule).max_by(f64::total_cmp),
            metric => e.metric(metric).map(|m| m.value),
        });
        let least = probe.of == "joules_per_item";
        values.max_by(|a, b| if least { b.total_cmp(a) } else { a.total_cmp(b) })
    }
}

/// Judges every claim, with `run` where there is one. Errors: a file of the ledger is refused.
pub fn judge(run: Option<&Document>) -> Result<Vec<Judged>, Refused> {
    let seen = run.map(|run| Seen {
        records: &run.records,
        memory: run.manifest.machine.memory.total_bytes.map(|bytes| bytes as f64),
    });
    let system = run.and_then(|run| system_of(&run.manifest));
    all()?.iter().map(|claim| one(claim, seen.as_ref(), system)).collect()
}

fn one(claim: &Claim, seen: Option<&Seen>, system: Option<&str>) -> Result<Judged, Refused> {
    let decides_here = system.is_some_and(|system| claim.systems.iter().any(|of| of == system));
    let parts: Result<Vec<_>, _> = claim.parts.iter().map(|p| part(p, seen, decides_here)).collect();
    let parts = parts.map_err(|what| Refused { file: claim.id.to_string(), what })?;
    let verdicts = parts.iter().map(|p| p.verdict);
    let verdict = match claim.readings {
        Readings::All => verdicts.max(),
        Readings::Any => verdicts.min(),
    };
    let known = speakers()?;
    let who = claim.who.iter().map(|letter| match known.get(letter) {
        Some(speaker) => format!("[{letter}] {}, {}", speaker.title, speaker.date),
        None => letter.clone(),
    });
    let first = &parts[0];
    Ok(Judged {
        id: claim.id,
        subject: claim.subject.clone(),
        claim: claim.claim.clone(),
        who: who.collect(),
        conditions: claim.conditions.clone(),
        verdict: verdict.unwrap_or(Verdict::NotTestable),
        decides_here,
        bound_spec: first.bound_spec,
        bound_measured: first.bound_measured,
        measured: first.measured,
        unit: first.unit.clone(),
        arithmetic: parts.iter().flat_map(|p| p.arithmetic.iter().cloned()).collect::<Vec<_>>().join("\n"),
        parts,
    })
}

/// A bound with the values that went into it.
struct Computed {
    claimed: f64,
    bound: f64,
    lines: Vec<String>,
}

fn compute(part: &Part, readings: &BTreeMap<&str, f64>) -> Result<Option<Computed>, String> {
    let (Some(claimed), Some(bound)) = (&part.claimed, &part.bound) else { return Ok(None) };
    let mut known: BTreeMap<&str, f64> = part.inputs.iter().map(|i| (i.name.as_str(), i.value)).collect();
    known.extend(readings);
    let mut lines = Vec::new();
    let unit = |unit: &str| if unit.is_empty() { String::new() } else { format!(" {unit}") };
    for step in &part.steps {
        let name = step.name.replace('_', " ");
        if let Some(value) = readings.get(step.name.as_str()) {
            lines.push(format!("{name} = {}{}, measured", number(*value), unit(&step.unit)));
            continue;
        }
        let formula = Expression::read(&step.is)?;
        let of = |name: &str| known.get(name).copied();
        let value = formula.value(&of)?;
        lines.push(format!(
            "{name} = {formula} = {} = {}{}",
            formula.with_numbers(&of),
            number(value),
            unit(&step.unit)
        ));
        known.insert(&step.name, value);
    }
    let of = |name: &str| known.get(name).copied();
    let (claimed, bound) = (Expression::read(claimed)?.value(&of)?, Expression::read(bound)?.value(&of)?);
    let (holds, mark) = (holds(part, claimed, bound), |yes, no, is: bool| if is { yes } else { no });
    let sign = match part.test {
        Test::AtMost => mark("≤", ">", holds),
        Test::AtLeast => mark("≥", "<", holds),
        _ => mark("≈", "≠", holds),
    };
    let apart = match claimed / bound {
        ratio if !ratio.is_finite() || ratio == 0.0 => String::new(),
        ratio if ratio > 1.0005 => format!(": {} times", number((ratio * 1000.0).round() / 1000.0)),
        ratio => format!(": {} of it", crate::quantity::percent(ratio)),
    };
    let text = format!("claimed {}{u} {sign} {}{u}{apart}", number(claimed), number(bound), u = unit(&part.unit));
    lines.push(format!("{}: {text}", part.says));
    Ok(Some(Computed { claimed, bound, lines }))
}

fn holds(part: &Part, claimed: f64, bound: f64) -> bool {
    match part.test {
        Test::AtMost => claimed <= bound,
        Test::AtLeast => claimed >= bound,
        Test::Equal => (claimed - bound).abs() <= part.within * bound.abs(),
        Test::Fact | Test::Open => false,
    }
}

fn part(part: &Part, seen: Option<&Seen>, decides: bool) -> Result<JudgedPart, String> {
    let inputs = part.inputs.iter().map(|input| (input.name.as_str(), input.measured));
    let places = inputs.chain(part.steps.iter().map(|step| (step.name.as_str(), step.measured)));
    let readings: BTreeMap<&str, f64> = places.filter_map(|(name, what)| Some((name, seen?.reading(what?)?))).collect();
    let spec = compute(part, &BTreeMap::new())?;
    let here = if readings.is_empty() { None } else { compute(part, &readings)? };
    let measured = part.measured.as_ref().and_then(|probe| seen?.probe(probe));
    let verdict = match (&spec, part.test) {
        (Some(spec), _) => {
            let by = here.as_ref().filter(|_| decides).unwrap_or(spec);
            let from_bound = if holds(part, by.claimed, by.bound) { Verdict::Consistent } else { part.otherwise };
            match measured.filter(|_| decides) {
                None => from_bound,
                Some(value) => shown(part, by.claimed, value, from_bound),
            }
        }
        (None, Test::Fact) => part.otherwise,
        (None, _) => Verdict::NotTestable,
    };
    let mut arithmetic = spec.as_ref().map(|s| s.lines.clone()).unwrap_or_default();
    if let Some(here) = &here {
        let whose = if decides {
            "with this run's roofs"
        } else {
            "beside it, with the roofs of this machine, which is not the subject"
        };
        arithmetic.push(format!("{whose}: {}", here.lines.join("; ")));
    }
    if !part.because.is_empty() {
        arithmetic.push(match arithmetic.is_empty() {
            true => format!("{}: {}", part.says, part.because),
            false => part.because.clone(),
        });
    }
    Ok(JudgedPart {
        says: part.says.clone(),
        verdict,
        claimed: spec.as_ref().map(|s| s.claimed),
        bound_spec: spec.as_ref().map(|s| s.bound),
        bound_measured: here.as_ref().map(|h| h.bound),
        measured,
        unit: part.unit.clone(),
        arithmetic,
        because: part.because.clone(),
    })
}

/// The verdict once the subject itself has shown a value.
fn shown(part: &Part, claimed: f64, measured: f64, from_bound: Verdict) -> Verdict {
    match part.test {
        Test::AtMost if measured >= claimed => Verdict::Confirmed,
        Test::AtLeast if measured <= claimed => Verdict::Confirmed,
        Test::Equal if (measured - claimed).abs() <= part.within * claimed.abs() => Verdict::Confirmed,
        Test::Equal => Verdict::Refuted,
        // One engine that does not reach it does not refute it.
        _ => from_bound,
    }
}
