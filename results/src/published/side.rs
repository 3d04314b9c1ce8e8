//! A published figure as one side of a comparison.

use super::{Figure, Point, Stream};
use crate::compare::{Better, Key, Kind, Provenance, Side};
use std::collections::BTreeMap;

impl Point {
    /// What has to be the same on the other side: the keys that a run's record of this work has.
    pub fn must(&self) -> BTreeMap<Key, String> {
        let mut must = BTreeMap::from([(Key::new(Kind::Workload, "workload"), self.workload().to_owned())]);
        let mut axis = |name: &str, value: &dyn ToString| drop(must.insert(Key::axis(name), value.to_string()));
        let quantity = match self {
            Self::Prefill(of) => {
                axis("model", &of.model);
                axis("format", &of.format);
                axis("n_prompt", &of.n_prompt);
                axis("depth", &of.depth);
                axis("batch", &of.batch);
                "tokens a second"
            }
            Self::Decode(of) => {
                axis("model", &of.model);
                axis("format", &of.format);
                axis("n_gen", &of.n_gen);
                axis("depth", &of.depth);
                axis("batch", &of.batch);
                "tokens a second"
            }
            Self::Gemm(of) => {
                axis("format", &of.format);
                axis("activations", &of.activations);
                axis("m", &of.m);
                axis("n", &of.n);
                axis("k", &of.k);
                axis("sparsity", &"dense");
                "operations a second"
            }
            Self::Stream(_) => "bytes a second",
        };
        must.insert(Key::new(Kind::Quantity, "quantity"), quantity.to_owned());
        must
    }
    /// The work of a measured side. `None` where it is none that anybody publishes.
    pub fn of_side(side: &Side) -> Option<Self> {
        let left_in = |key: &Key| !matches!(key.kind, Kind::Workload | Kind::Quantity | Kind::Caches | Kind::Sparsity);
        let axes = side.must.iter().filter(|(key, _)| left_in(key));
        let axes = axes.map(|(key, value)| (key.name.clone(), value.as_str().into())).collect();
        if side.must.get(&Key::new(Kind::Quantity, "quantity")).is_none_or(|of| !of.ends_with(" a second")) {
            return None;
        }
        match side.provenance {
            // A published stream says no size: it is of memory, or it is not here.
            Provenance::Published { .. } if STREAMS.contains(&side.workload()) => {
                Some(Self::Stream(Stream { op: side.workload().to_owned() }))
            }
            _ => Self::of(side.workload(), &axes),
        }
    }
}

impl Side {
    /// A measured side with what has to match said as published figures say it: of a stream past every cache the size does not
    /// count. `None` where it is work that nobody publishes.
    pub fn as_published(&self) -> Option<Self> {
        let point = Point::of_side(self)?;
        let caches = Key::new(Kind::Caches, "caches");
        let of = match point {
            Point::Stream(_) => Some(COLD.to_owned()),
            _ => self.must.get(&caches).cloned(),
        };
        let must = point.must().into_iter().chain(of.map(|of| (caches, of))).collect();
        Some(Self { must, ..self.clone() })
    }
}

/// Streams through memory, as workloads are named.
const STREAMS: [&str; 4] = ["read", "write", "copy", "triad"];
/// Operands that come from memory.
const COLD: &str = "cold";

impl Figure {
    /// This figure as a side. `None` where its work is not certain. It is of operands that come from memory: a model that anybody
    /// publishes is larger than a cache, and one that the other side kept in its caches is no comparison.
    pub fn side(&self) -> Option<Side> {
        let mut must = self.work?.must();
        must.insert(Key::new(Kind::Caches, "caches"), COLD.to_owned());
        let scale = match self.unit {
            "tok/s" => 1.0,
            "GB/s" => 1e9,
            "TFLOPS" => 1e12,
            _ => return None,
        };
        let unit = match self.unit {
            "GB/s" => "B/s",
            "TFLOPS" => "FLOP/s",
            unit => unit,
        };
        let may = [("device name", self.machine), ("software", self.software)];
        let noted = [("settings", self.settings), ("note", self.note)].into_iter().filter(|(_, text)| !text.is_empty());
        Some(Side {
            id: format!("{}: {}", self.machine, self.workload),
            must,
            may: may.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
            noted: noted.map(|(name, text)| (name.to_owned(), text.to_owned())).collect(),
            value: self.value * scale,
            interval: self.plus_minus.map(|by| [(self.value - by) * scale, (self.value + by) * scale]),
            unit: unit.to_owned(),
            better: Better::Higher,
            provenance: Provenance::Published {
                system: self.name.to_owned(),
                source: format!("{}, {}", self.source, self.reference),
                date: self.date.to_owned(),
                confidence: self.confidence.words().to_owned(),
            },
            unfit: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;
    use crate::BenchmarkId;

    #[test]
    fn every_certain_figure_is_a_side_whose_work_reads_back() {
        let mut sides = 0;
        for figure in all().unwrap().iter().filter(|f| f.work.is_some()) {
            let side = figure.side().unwrap_or_else(|| panic!("{figure:?}"));
            assert_eq!(Point::of_side(&side).as_ref(), figure.work, "{figure:?}");
            sides += 1;
        }
        assert!(sides >= 300, "{sides}");
    }

    #[test]
    fn the_keys_are_those_of_a_run_of_the_same_work() {
        let id: BenchmarkId = "decode/cpu/x?batch=8&depth=512&format=q8_0&model=qwen2.5-7b&n_gen=32".parse().unwrap();
        let must = Point::of(&id.workload, &id.axes).unwrap().must();
        let said: Vec<_> = must.iter().map(|(key, value)| format!("{}={value}", key.name)).collect();
        let expected = [
            "workload=decode",
            "quantity=tokens a second",
            "model=qwen2.5-7b",
            "format=q8_0",
            "n_gen=32",
            "batch=8",
            "depth=512",
        ];
        assert_eq!(said, expected);
    }
}
