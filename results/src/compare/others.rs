//! A run beside what others published: the same work only, each figure beside the fastest way in which the run did it.

use super::of_run::sides_among;
use super::{Compared, Comparison, Key, Party, Refused, Side, Sides, Which, beside, sides_of};
use crate::published::{self, Figure, Point};
use crate::{Record, Run};
use std::collections::BTreeMap;

/// The sides of a run that somebody publishes figures of, said as they say them.
fn publishable(run: &Run) -> Vec<Side> {
    let known = |record: &Record| Point::of(&record.id.workload, &record.id.axes).is_some();
    sides_among(run, known).sides.iter().filter_map(Side::as_published).collect()
}

/// Each figure that `wanted` takes and that `run` has the same work of. Several of one system are several rows, each with its build.
pub fn figures(run: &Run, wanted: impl Fn(&Figure) -> bool) -> Vec<(&'static Figure, Compared)> {
    let mut own: BTreeMap<BTreeMap<Key, String>, Vec<Side>> = BTreeMap::new();
    for side in publishable(run) {
        own.entry(side.must.clone()).or_default().push(side);
    }
    let sides = |sides| Sides { sides, none: Vec::new() };
    let all = published::all().unwrap_or_default().iter().filter(|figure| wanted(figure));
    let pairs = all.filter_map(|figure| {
        let side = figure.side()?;
        Some((figure, own.get(&side.must)?.clone(), side))
    });
    pairs
        .flat_map(|(figure, here, side)| {
            let (rows, _) = beside(&sides(here), &sides(vec![side]));
            rows.into_iter().map(move |row| (figure, row))
        })
        .collect()
}

/// `run` beside the published figures of the system of that name, such as `M2 Ultra` or `dgx-spark`; `None` where there is none. What the
/// run did and the system has no figure of is refused, with the nearest that it has.
pub fn published(run: &Run, system: &str) -> Option<Comparison> {
    let plain = |text: &str| text.to_lowercase().replace('-', " ");
    let wanted = |f: &Figure| plain(f.system) == plain(system) || plain(f.name) == plain(system);
    let theirs: Vec<&Figure> = published::all().unwrap_or_default().iter().filter(|f| wanted(f)).collect();
    let first = theirs.first()?;
    let sides = theirs.iter().filter_map(|figure| figure.side()).collect();
    let (_, mut refused) =
        beside(&Sides { sides: publishable(run), none: Vec::new() }, &Sides { sides, none: Vec::new() });
    let compared: Vec<Compared> = figures(run, wanted).into_iter().map(|(_, row)| row).collect();
    refused.retain(|row| row.of == Which::A && compared.iter().all(|c| c.a.id != row.id || c.a.unit != row.unit));
    let nobodys = sides_of(run).sides.into_iter().filter(|side| side.as_published().is_none());
    refused.extend(nobodys.map(|side| Refused {
        of: Which::A,
        id: side.id,
        unit: side.unit,
        reason: "no published figure is of such work".to_owned(),
        nearest: None,
    }));
    let none = String::new;
    let said = format!("figures of {}, each as its source reports it", first.name);
    let b = Party { run: said, started_at: none(), machine: first.name.to_owned(), fingerprint: none(), build: none() };
    Some(Comparison { a: Party::of(run), b, same_machine: false, states: Vec::new(), compared, refused })
}
