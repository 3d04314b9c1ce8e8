//! Speeds of two sides, alone and beside each other, gathered over several rounds.

use crate::trial::{Lab, Ran};
use spark_kernels::Fault;
use spark_results::contention::{ALONE, Side, name};
use spark_results::record::{Better, Metric};
use spark_results::stats;
use std::time::Duration;

/// Runs of one side beside something, from all rounds.
pub(super) struct Cell {
    side: Side,
    what: &'static str,
    beside: &'static str,
    pub(super) runs: Vec<Ran>,
}

/// Every cell there is, in the order they were first measured.
#[derive(Default)]
pub(super) struct Cells(pub(super) Vec<Cell>);

impl Cells {
    /// Adds runs of `what` on `side` beside `beside`.
    pub(super) fn add(&mut self, side: Side, what: &'static str, beside: &'static str, runs: Vec<Ran>) {
        let here = |cell: &&mut Cell| (cell.side, cell.what, cell.beside) == (side, what, beside);
        match self.0.iter_mut().find(here) {
            Some(cell) => cell.runs.extend(runs),
            None => self.0.push(Cell { side, what, beside, runs }),
        }
    }
    /// The runs of `what` alone on the first side.
    pub(super) fn alone(&self, what: &str) -> &[Ran] {
        let here = |cell: &&Cell| cell.side == Side::One && cell.what == what && cell.beside == ALONE;
        self.0.iter().find(here).map_or(&[], |cell| &cell.runs)
    }
    /// Each cell's median speed; `amounts` says what a run does of a load on a side, and in which unit.
    pub(super) fn metrics(&self, amounts: impl Fn(Side, &str) -> Option<(f64, &'static str)>) -> Vec<Metric> {
        let metric = |cell: &Cell| {
            let (amount, unit) = amounts(cell.side, cell.what)?;
            let rates: Vec<f64> = cell.runs.iter().map(|ran| amount / (ran.ns.max(1) as f64 * 1e-9)).collect();
            (!rates.is_empty()).then(|| Metric {
                name: name(cell.side, cell.what, cell.beside),
                value: stats::median(&rates),
                unit: unit.to_owned(),
                better: Better::Higher,
            })
        };
        self.0.iter().filter_map(metric).collect()
    }
    /// Cells of which no run was wholly beside the other side.
    pub(super) fn empty(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter(|cell| cell.runs.is_empty()).map(|cell| name(cell.side, cell.what, cell.beside))
    }
}

/// `work` again and again for `time`, alone.
pub(super) fn alone(
    lab: &mut dyn Lab,
    work: &mut dyn FnMut() -> Result<(), Fault>,
    time: Duration,
) -> Result<Vec<Ran>, Fault> {
    let (began, mut runs) = (lab.now(), Vec::new());
    while runs.is_empty() || (lab.now() - began < time && !lab.stopped()) {
        let at_ns = lab.now().as_nanos() as u64;
        let ns = lab.time(work)?.as_nanos() as u64;
        runs.push(Ran { at_ns, ns });
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_of_a_cell_are_gathered_and_their_median_is_told() {
        let mut cells = Cells::default();
        let runs = |ns: &[u64]| ns.iter().map(|ns| Ran { at_ns: 0, ns: *ns }).collect::<Vec<_>>();
        cells.add(Side::One, "read", ALONE, runs(&[100]));
        cells.add(Side::Other, "read", "copy", runs(&[]));
        cells.add(Side::One, "read", ALONE, runs(&[200, 300]));
        let metrics = cells.metrics(|_, _| Some((400.0, "B/s")));
        assert_eq!(metrics.len(), 1);
        assert_eq!(metrics[0].name, "one: read beside nothing");
        assert!((metrics[0].value - 2e9).abs() < 1.0, "{metrics:?}");
        assert_eq!(cells.alone("read").len(), 3);
        assert_eq!(cells.empty().collect::<Vec<_>>(), ["other: read beside copy"]);
    }
}
