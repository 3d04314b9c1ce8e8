//! Which side of one party stands beside which of the other, and what is refused.

use super::{Better, Difference, Key, Kind, Side, Unmeasured};
use crate::stats::{self, Ratio};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// What one party has to compare, and what it has not and why.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sides {
    /// Every quantity of every piece of work.
    pub sides: Vec<Side>,
    /// What was not measured.
    pub none: Vec<Unmeasured>,
}

/// The same work on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// The work in words.
    pub work: String,
    /// The first side.
    pub a: Side,
    /// The second.
    pub b: Side,
    /// How many times better the second is: above 1 it is faster, or does more for a joule. Its interval counts both sides' own.
    pub ratio: Ratio,
    /// What may differ and does: device, implementation, threads.
    pub differs: Vec<Difference>,
    /// What is noted and differs.
    pub noted: Vec<Difference>,
}

/// Which party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Which {
    /// The first.
    A,
    /// The second.
    B,
}

/// A side that was not compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Whose it is.
    pub of: Which,
    /// Its name.
    pub id: String,
    /// The unit of the quantity that was not compared.
    pub unit: String,
    /// Why.
    pub reason: String,
    /// What the other party has that comes nearest, of the same workload and quantity.
    pub nearest: Option<Nearest>,
}

/// The candidate that comes nearest to a refused side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Nearest {
    /// Its name.
    pub id: String,
    /// In what it differs, the gravest first; `a` is always the first party's.
    pub differing: Vec<Difference>,
}

/// Lays the sides of `b` beside those of `a`: the same work in the same unit and scope is compared, and nothing else.
///
/// Where a party did the same work in several ways, equal ways are compared first; of those left over the best of each party stand
/// beside each other, and the rest is refused. Exchanging the parties turns every ratio into its inverse.
pub fn beside(a: &Sides, b: &Sides) -> (Vec<Compared>, Vec<Refused>) {
    let fit = |of: &Sides| -> Vec<usize> { (0..of.sides.len()).filter(|i| of.sides[*i].unfit.is_none()).collect() };
    let (fit_a, fit_b) = (fit(a), fit(b));
    let mut groups: BTreeMap<&BTreeMap<Key, String>, [Vec<usize>; 2]> = BTreeMap::new();
    for (which, of, fit) in [(0, a, &fit_a), (1, b, &fit_b)] {
        for at in fit {
            groups.entry(&of.sides[*at].must).or_default()[which].push(*at);
        }
    }
    let mut pairs = Vec::new();
    for [of_a, of_b] in groups.into_values() {
        pairs.extend(paired(of_a, of_b, &a.sides, &b.sides));
    }
    pairs.sort_unstable();
    let (mut compared, mut refused) = (Vec::new(), Vec::new());
    for &(at_a, at_b) in &pairs {
        let (a, b) = (&a.sides[at_a], &b.sides[at_b]);
        match ratio(a, b) {
            Some(ratio) => compared.push(Compared {
                work: a.work(),
                a: a.clone(),
                b: b.clone(),
                ratio,
                differs: a.other_ways(b),
                noted: a.other_notes(b),
            }),
            None => refused.push(Refused {
                of: Which::A,
                id: a.id.clone(),
                unit: a.unit.clone(),
                reason: "a value that is not above zero has no ratio".to_owned(),
                nearest: Some(Nearest { id: b.id.clone(), differing: Vec::new() }),
            }),
        }
    }
    for (of, own, other, fit_other) in [(Which::A, a, b, &fit_b), (Which::B, b, a, &fit_a)] {
        for (at, side) in own.sides.iter().enumerate() {
            if !pairs.iter().any(|pair| at == if of == Which::A { pair.0 } else { pair.1 }) {
                refused.push(refusal(of, side, other, fit_other));
            }
        }
    }
    (compared, refused)
}

/// Pairs of one piece of work: equal ways first, then the best of what is left on each side.
fn paired(of_a: Vec<usize>, mut of_b: Vec<usize>, a: &[Side], b: &[Side]) -> Vec<(usize, usize)> {
    let (mut pairs, mut left) = (Vec::new(), Vec::new());
    for at in of_a {
        match of_b.iter().position(|other| a[at].may == b[*other].may) {
            Some(found) => pairs.push((at, of_b.remove(found))),
            None => left.push(at),
        }
    }
    let best = |of: &[usize], sides: &[Side]| {
        of.iter().copied().max_by(|x, y| {
            let good = |at: usize| if sides[at].better == Better::Higher { sides[at].value } else { -sides[at].value };
            good(*x).total_cmp(&good(*y)).then(y.cmp(x))
        })
    };
    pairs.extend(best(&left, a).zip(best(&of_b, b)));
    pairs
}

/// How many times better `b` is.
fn ratio(a: &Side, b: &Side) -> Option<Ratio> {
    let (of_a, of_b) = ((a.value, a.interval), (b.value, b.interval));
    if a.better == Better::Higher { stats::ratio(of_a, of_b) } else { stats::ratio(of_b, of_a) }
}

fn refusal(of: Which, side: &Side, other: &Sides, fit: &[usize]) -> Refused {
    let refused =
        |reason: String, nearest| Refused { of, id: side.id.clone(), unit: side.unit.clone(), reason, nearest };
    let there = if of == Which::A { "B" } else { "A" };
    if let Some(why) = &side.unfit {
        return refused(why.clone(), None);
    }
    if let Some(twin) = other.sides.iter().find(|s| s.unfit.is_some() && s.id == side.id && s.unit == side.unit) {
        return refused(format!("in {there}: {}", twin.unfit.as_deref().unwrap_or_default()), None);
    }
    let same_quantity = |at: &&usize| {
        let differs =
            |kind, name| side.must.get(&Key::new(kind, name)) != other.sides[**at].must.get(&Key::new(kind, name));
        !differs(Kind::Workload, "workload") && !differs(Kind::Quantity, "quantity")
    };
    let nearest = fit.iter().filter(same_quantity).min_by_key(|at| distance(side, &other.sides[**at]));
    let nearest = nearest.map(|at| &other.sides[*at]);
    // What was tried and came to nothing says more than what else there is, but for the same work done in another way.
    if nearest.is_none_or(|nearest| nearest.must != side.must)
        && let Some(none) = other.none.iter().find(|none| none.is_of(side))
    {
        return refused(format!("{there} has none: {}", none.why), None);
    }
    let Some(nearest) = nearest else {
        return refused(format!("{there} has no {} in {}", side.workload(), side.unit), None);
    };
    let apart = side.apart(nearest);
    let reason = match apart.first() {
        Some((kind, _)) => kind.reason().to_owned(),
        None => "another way of doing the same work stands beside it".to_owned(),
    };
    let mut differing: Vec<Difference> = apart.into_iter().map(|(_, d)| d).collect();
    if differing.is_empty() {
        differing = side.other_ways(nearest);
    }
    if of == Which::B {
        differing = differing.into_iter().map(Difference::turned).collect();
    }
    refused(reason, Some(Nearest { id: nearest.id.clone(), differing }))
}

/// How far two sides are apart: in how many keys, and of those the gravest; smaller is nearer.
fn distance(a: &Side, b: &Side) -> (usize, Reverse<Kind>) {
    let missing = |own: &Side, other: &Side| -> Vec<Kind> {
        let apart = own.must.iter().filter(|(key, value)| other.must.get(key) != Some(value));
        apart.map(|(key, _)| key.kind).collect()
    };
    let (of_a, of_b) = (missing(a, b), missing(b, a));
    let gravest = of_a.iter().chain(&of_b).min().copied().unwrap_or(Kind::Context);
    (of_a.len().max(of_b.len()), Reverse(gravest))
}
