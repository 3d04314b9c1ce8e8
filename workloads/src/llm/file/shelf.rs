//! The tensors of a model's files by name, each taken once and only in the shape that the model gives it.

use super::map::Mapped;
use super::refused::{ANOTHER, Refused, shown};
use super::source::{Layout, Order, Source};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A stored tensor.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) file: Arc<Mapped>,
    /// Elements along each dimension, the innermost last.
    pub(crate) shape: Vec<u64>,
    /// How it is stored; or what its type is called, where that is not computed.
    pub(crate) layout: Result<Layout, String>,
    pub(crate) range: std::ops::Range<usize>,
}

/// All tensors, and which of them were asked for.
#[derive(Debug)]
pub(crate) struct Shelf {
    entries: BTreeMap<String, Entry>,
    taken: BTreeSet<String>,
    /// What helps where a type is not computed.
    types: &'static str,
}

impl Shelf {
    pub(crate) fn new(entries: BTreeMap<String, Entry>, types: &'static str) -> Self {
        Self { entries, taken: BTreeSet::new(), types }
    }
    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }
    pub(crate) fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }
    /// A tensor that is not there otherwise is let go: it changes nothing that is computed.
    pub(crate) fn ignore(&mut self, name: &str) {
        self.taken.insert(name.to_owned());
    }
    /// The tensor of that name. Errors: it is not there.
    pub(crate) fn find(&mut self, name: &str) -> Result<Entry, Refused> {
        self.taken.insert(name.to_owned());
        let entry = self.entries.get(name).cloned();
        entry.ok_or_else(|| Refused::new(format!("has no tensor {}", shown(name)), ANOTHER))
    }
    /// n rows of k elements, however many dimensions the rows are spread over. Errors: it is not there, is of another shape, or of
    /// a type that is not computed.
    pub(crate) fn rows(&mut self, name: &str, (n, k): (usize, usize), order: Order) -> Result<Arc<Source>, Refused> {
        let Entry { file, shape, layout, range } = self.find(name)?;
        let layout = self.computed(name, layout)?;
        let rows = shape[..shape.len() - 1].iter().product::<u64>();
        if shape.last() != Some(&(k as u64)) || rows != n as u64 {
            let what = format!("tensor {} is {shape:?}, and the model's sizes make it {n} × {k}", shown(name));
            return Err(Refused::broken(what));
        }
        self.source(name, Source { file, layout, order, n, k, bytes: range, scales: None, scale: None })
    }
    /// n values, one a row. Errors: as above, or blocks.
    pub(crate) fn values(&mut self, name: &str, n: usize, order: Order) -> Result<Arc<Source>, Refused> {
        let Entry { file, shape, layout, range } = self.find(name)?;
        let layout = self.computed(name, layout)?;
        let all = shape.iter().product::<u64>();
        if all != n as u64 || layout.block() != 1 {
            let what = format!("tensor {} is {shape:?}, and the model's sizes make it {n} plain values", shown(name));
            return Err(Refused::broken(what));
        }
        self.source(name, Source { file, layout, order, n, k: 1, bytes: range, scales: None, scale: None })
    }
    /// Whether rows and blocks make the bytes that are there: what everything below relies on.
    pub(crate) fn source(&self, name: &str, source: Source) -> Result<Arc<Source>, Refused> {
        let whole = source.k.is_multiple_of(source.layout.block());
        let expected = || source.n.checked_mul(source.format().bytes(source.k));
        if !whole
            || expected() != Some(source.bytes.len() + source.scales.as_ref().map_or(0, |(_, scales)| scales.len()))
        {
            return Err(Refused::broken(format!("tensor {} has another size than its shape makes", shown(name))));
        }
        Ok(Arc::new(source))
    }
    /// Its layout. Errors: a type that is not computed.
    pub(crate) fn computed(&self, name: &str, layout: Result<Layout, String>) -> Result<Layout, Refused> {
        layout.map_err(|kind| {
            Refused::new(format!("tensor {} is stored as {}, which is not computed", shown(name), kind), self.types)
        })
    }
    /// Errors: a tensor that nobody asked for: the model has a part that would be left out.
    pub(crate) fn all_taken(&self) -> Result<(), Refused> {
        match self.entries.keys().find(|name| !self.taken.contains(*name)) {
            Some(name) => Err(Refused::new(format!("has a tensor {} that is not computed", shown(name)), ANOTHER)),
            None => Ok(()),
        }
    }
}
