//! Two groups of cores beside each other: how their metrics are named, and the matrix they make.

use crate::record::Metric;

/// What stands beside a load that is alone.
pub const ALONE: &str = "nothing";

/// Which group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first.
    One,
    /// The second.
    Other,
}

impl Side {
    /// Its name: `one` or `other`.
    pub const fn name(self) -> &'static str {
        match self {
            Side::One => "one",
            Side::Other => "other",
        }
    }
}

/// The name of the metric that holds the speed of `what` on `side` while the other side does `beside`: `one: read beside copy`.
pub fn name(side: Side, what: &str, beside: &str) -> String {
    format!("{}: {what} beside {beside}", side.name())
}

/// The speed of one load beside another.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Which group does it.
    pub side: Side,
    /// What it does.
    pub what: String,
    /// What the other does.
    pub beside: String,
    /// Bytes or tokens a second.
    pub per_s: f64,
    /// Which of them.
    pub unit: String,
}

/// Every cell of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// In the order of the metrics.
    pub cells: Vec<Cell>,
}

impl Matrix {
    /// From a record's metrics; `None` if none of them is a cell.
    pub fn of(metrics: &[Metric]) -> Option<Self> {
        let cell = |m: &Metric| {
            let (side, rest) = m.name.split_once(": ")?;
            let side = [Side::One, Side::Other].into_iter().find(|s| s.name() == side)?;
            let (what, beside) = rest.split_once(" beside ")?;
            Some(Cell { side, what: what.into(), beside: beside.into(), per_s: m.value, unit: m.unit.clone() })
        };
        let cells: Vec<_> = metrics.iter().filter_map(cell).collect();
        (!cells.is_empty()).then_some(Self { cells })
    }
    /// What `side` does, each once, in order.
    pub fn loads(&self, side: Side) -> Vec<&str> {
        let mut loads: Vec<&str> = Vec::new();
        for cell in self.cells.iter().filter(|cell| cell.side == side) {
            if !loads.contains(&cell.what.as_str()) {
                loads.push(&cell.what);
            }
        }
        loads
    }
    /// The speed of `what` on `side` beside `beside`.
    pub fn cell(&self, side: Side, what: &str, beside: &str) -> Option<&Cell> {
        self.cells.iter().find(|c| c.side == side && c.what == what && c.beside == beside)
    }
    /// What is left of the speed it has alone.
    pub fn kept(&self, side: Side, what: &str, beside: &str) -> Option<f64> {
        let alone = self.cell(side, what, ALONE)?.per_s;
        Some(self.cell(side, what, beside)?.per_s / alone).filter(|kept| kept.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Better;

    #[test]
    fn a_matrix_reads_back_from_its_metrics() {
        let metric = |name: String, value| Metric { name, value, unit: "B/s".into(), better: Better::Higher };
        let metrics = [
            metric(name(Side::One, "read", ALONE), 20e9),
            metric(name(Side::Other, "copy", ALONE), 10e9),
            metric(name(Side::One, "read", "copy"), 15e9),
            metric(name(Side::Other, "copy", "read"), 4e9),
            metric("per_cycle".into(), 2.0),
        ];
        let matrix = Matrix::of(&metrics).unwrap();
        assert_eq!((matrix.loads(Side::One), matrix.loads(Side::Other)), (vec!["read"], vec!["copy"]));
        assert_eq!(matrix.kept(Side::One, "read", "copy"), Some(0.75));
        assert_eq!(matrix.kept(Side::Other, "copy", "read"), Some(0.4));
        assert_eq!(matrix.kept(Side::One, "write", "copy"), None);
        assert_eq!(Matrix::of(&metrics[4..]), None);
    }
}
