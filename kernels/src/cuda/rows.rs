//! Where each row of a pass belongs, on the GPU: what kernels read in place of [`Live`].

use super::context::Context;
use super::memory::Memory;
use crate::buffer::bytes_of;
use crate::{Fault, Live, Span};
use std::sync::Arc;

/// Rows that the smallest table holds.
const LEAST: usize = 4096;

/// A table of `uint2 { sequence, position }`, one a row, and the spans it was made from.
#[derive(Debug)]
pub(crate) struct Rows {
    memory: Memory,
    spans: Vec<Span>,
}

impl Rows {
    /// A table with room for `rows`.
    pub(crate) fn with_room(context: &Arc<Context>, rows: usize) -> Result<Self, Fault> {
        let memory = Memory::zeroed(context, rows.max(LEAST).next_power_of_two() * 8)?;
        Ok(Self { memory, spans: Vec::new() })
    }
    /// How many rows it has room for.
    pub(crate) fn room(&self) -> usize {
        self.memory.bytes() / 8
    }
    /// Its address.
    pub(crate) fn address(&self) -> u64 {
        self.memory.address()
    }
    /// Whether it holds these spans.
    pub(crate) fn holds(&self, live: &Live) -> bool {
        self.spans == live.spans
    }
    /// Writes the rows of `live`, which fit. What is submitted later sees them.
    pub(crate) fn set(&mut self, live: &Live) -> Result<(), Fault> {
        let spans = live.spans.iter().enumerate();
        let row = |(sequence, span): (usize, &Span)| {
            let past = span.past;
            (0..span.rows).flat_map(move |row| [sequence as u32, (past + row) as u32])
        };
        let rows: Vec<u32> = spans.flat_map(row).collect();
        self.spans.clear();
        self.memory.write(0, bytes_of(&rows))?;
        self.spans.clone_from(&live.spans);
        Ok(())
    }
    /// Notes that the GPU itself has moved every row on by one.
    pub(crate) fn advanced(&mut self) {
        self.spans.iter_mut().for_each(|span| span.past += 1);
    }
}
