//! The same work by machines that others published figures of: each figure beside the fastest way in which this run did it.

use spark_results::Run;
use spark_results::compare::{Compared, Key, Side, Sides, beside, sides_of};
use spark_results::published::{self, Figure, Kind};
use std::collections::BTreeMap;

/// A published figure and what this run has of the same work.
#[derive(Debug)]
pub(crate) struct Other {
    pub(crate) figure: &'static Figure,
    pub(crate) row: Compared,
}

/// Every published figure that this run has the same work of: the same model, weight format, prompt or answer, depth and batch.
pub(crate) fn others(run: &Run) -> Vec<Other> {
    let mut own: BTreeMap<BTreeMap<Key, String>, Vec<Side>> = BTreeMap::new();
    for side in sides_of(run).sides.iter().filter_map(Side::as_published) {
        own.entry(side.must.clone()).or_default().push(side);
    }
    let sides = |sides| Sides { sides, none: Vec::new() };
    // One figure at a time: several of one system are several rows, each with its build.
    let figures = published::all().unwrap_or_default().iter().filter_map(|figure| Some((figure, figure.side()?)));
    let pairs = figures.filter_map(|(figure, side)| Some((figure, own.get(&side.must)?.clone(), side)));
    pairs
        .flat_map(|(figure, here, side)| {
            let (rows, _) = beside(&sides(here), &sides(vec![side]));
            rows.into_iter().map(move |row| Other { figure, row })
        })
        .collect()
}

/// The mark of a kind of machine: hollow, since what it shows is reported; the machine of the run is `●`.
pub(crate) const fn glyph(kind: Kind) -> &'static str {
    match kind {
        Kind::Spark => "◇",
        Kind::Mac => "○",
        Kind::DiscreteGpu => "□",
        Kind::Apu => "△",
        Kind::Datacenter => "☆",
    }
}

/// What the marks stand for, in order.
pub(crate) const KINDS: [(Kind, &str); 5] = [
    (Kind::Spark, "a machine with GB10"),
    (Kind::Mac, "a Mac"),
    (Kind::DiscreteGpu, "a graphics card"),
    (Kind::Apu, "a processor with graphics, or a module"),
    (Kind::Datacenter, "a server's accelerator"),
];

impl Other {
    /// Who says so, where, when, of which software and how it was come by.
    pub(crate) fn source(&self) -> String {
        let f = self.figure;
        let licence = f.licence.map(|licence| format!("; {licence}")).unwrap_or_default();
        format!("{}, {}, {}; {}; {}{licence}", f.source, f.reference, f.date, f.software, f.confidence.words())
    }
}
