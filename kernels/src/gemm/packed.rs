//! The weights as vector kernels read them: tiles of 16 outputs, so that a vector's lanes are outputs and no sum crosses lanes.
//!
//! A tile holds all of k for 16 outputs: first the codes of every block, then the scales of every block, each a sequential
//! stream. In a block, one 32-bit lane of a 64-byte line belongs to one output:
//!
//! | format | block of k | lines of codes | lane bytes | scales a block |
//! |---|--:|--:|---|---|
//! | mxfp4, q4_0 | 32 | 4 | byte b of line c: element 8c + b low, 8c + 4 + b high | 16 bytes, 16 f16 |
//! | nvfp4 | 16 | 2 | the same | 16 bytes |
//! | q8_0 | 32 | 8 | byte b of line c: element 4c + b, plus 128 | 16 f16 |
//! | fp8 | 4 | 1 | – (see below) | – |
//! | bf16, f16 | 2 | 1 | two of them | – |
//! | q4_1 … q6_k | 32 of a block | 4 to 6 | see [`affine`](super::affine) | |
//! | f32 | 1 | 1 | one f32 | – |
//!
//! A line of fp8 is 32 words of 16 bits: elements 4c and 4c + 1 of each output, then 4c + 2 and 4c + 3 of each, so that what is
//! widened from 16 bits to 32 comes out in the order of the outputs.
//!
//! It is as large as the canonical form, but for the outputs missing in the last tile and at most 63 bytes a tile.
#![expect(unsafe_code, reason = "workers pack disjoint tiles of one buffer")]

use super::Gemm;
use super::canonical::{Canonical, scratch};
use crate::cpu::pool::Pool;
use crate::cpu::prefetch::prefetch;
use crate::cpu::split::Split;
use crate::format::Format;
use crate::{Buffer, Fault};
use std::ops::Range;
use std::sync::Arc;

/// Outputs a tile: f32 lanes of a 512-bit vector.
pub(super) const LANES: usize = 16;
/// Bytes of one code for every lane.
pub(super) const LINE: usize = 64;

/// Bytes of codes that each of the first few tiles is asked for before a walk.
const BEGIN: usize = 2048;

/// All weights of a gemm in tiles.
#[derive(Debug)]
pub(super) struct Packed {
    buffer: Arc<Buffer>,
    shape: Layout,
    /// The first tile's place in the buffer: 0, but for a part.
    first: usize,
    /// Tiles: n / 16, rounded up.
    pub(super) tiles: usize,
}

/// How one tile is laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Blocks along k.
    pub(super) blocks: usize,
    /// Bytes of codes a block.
    pub(super) codes: usize,
    /// Bytes of scales a block.
    pub(super) scales: usize,
}

impl Layout {
    fn of(op: &Gemm) -> Self {
        let (block, codes, scales) = match op.weights {
            Format::Mxfp4 => (32, 4 * LINE, LANES),
            Format::Nvfp4 => (16, 2 * LINE, LANES),
            Format::Q8_0 => (32, 8 * LINE, 2 * LANES),
            Format::Q4_0 => (32, 4 * LINE, 2 * LANES),
            Format::Fp8 => (4, LINE, 0),
            Format::Bf16 | Format::F16 => (2, LINE, 0),
            Format::F32 => (1, LINE, 0),
            format => super::affine::layout(format),
        };
        Self { blocks: op.k.div_ceil(block), codes, scales }
    }
    fn tile_bytes(self) -> usize {
        (self.blocks * (self.codes + self.scales)).next_multiple_of(LINE)
    }
}

/// Codes and scales of every block of one tile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile<'a> {
    pub(super) codes: &'a [u8],
    pub(super) scales: &'a [u8],
}

impl Packed {
    /// Where the tiles lie.
    pub(super) fn buffer(&self) -> &Buffer {
        &self.buffer
    }
    /// Packs `given` on all workers. Errors: no memory left.
    pub(super) fn new(op: &Gemm, given: &Canonical<'_>, pool: &Pool) -> Result<Self, Fault> {
        let (shape, tiles) = (Layout::of(op), op.n.div_ceil(LANES));
        let bytes = shape.tile_bytes();
        let mut buffer = scratch::<u8>(tiles * bytes)?;
        let split = Split::new(buffer.slice_mut::<u8>());
        pool.run(&|worker| {
            for t in worker.share(tiles, 1) {
                // SAFETY: tile t is in one worker's share only.
                let tile = unsafe { split.part(t * bytes..(t + 1) * bytes) };
                let (codes, rest) = tile.split_at_mut(shape.blocks * shape.codes);
                // What missing outputs multiply has to be a number; their sums are never stored.
                codes.fill(if op.weights == Format::Q8_0 { 0x80 } else { 0 });
                for lane in 0..LANES.min(op.n - t * LANES) {
                    pack_lane(op.weights, given, t * LANES + lane, lane, codes, rest);
                }
            }
        });
        Ok(Self { buffer: Arc::new(buffer), shape, first: 0, tiles })
    }
    /// Some of the tiles, in the same memory.
    pub(super) fn part(&self, tiles: std::ops::Range<usize>) -> Self {
        assert!(tiles.end <= self.tiles, "{tiles:?} is inside 0..{}", self.tiles);
        Self { buffer: self.buffer.clone(), shape: self.shape, first: self.first + tiles.start, tiles: tiles.len() }
    }
    /// Tile `t`.
    pub(super) fn tile(&self, t: usize) -> Tile<'_> {
        let bytes = self.shape.tile_bytes();
        let tile = &self.buffer.slice::<u8>()[(self.first + t) * bytes..][..bytes];
        let (codes, rest) = tile.split_at(self.shape.blocks * self.shape.codes);
        Tile { codes, scales: &rest[..self.shape.blocks * self.shape.scales] }
    }
    /// Asks for what a walk over `tiles` begins with, so that it is on its way while activations are rounded.
    pub(super) fn begin(&self, tiles: Range<usize>) {
        for t in tiles.take(4) {
            let Tile { codes, scales } = self.tile(t);
            for line in codes.chunks(LINE).take(BEGIN / LINE).chain(scales.chunks(LINE).take(BEGIN / 4 / LINE)) {
                prefetch(line.as_ptr());
            }
        }
    }
    /// Bytes from one tile to the next.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn tile_bytes(&self) -> usize {
        self.shape.tile_bytes()
    }
    /// How each tile is laid out.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn layout(&self) -> Layout {
        self.shape
    }
    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.buffer.bytes()
    }
}

/// Puts output `row` into `lane` of its tile.
fn pack_lane(format: Format, given: &Canonical<'_>, row: usize, lane: usize, codes: &mut [u8], scales: &mut [u8]) {
    let lines = codes.as_chunks_mut::<LINE>().0;
    match format {
        Format::Bf16 => {
            for (line, pair) in lines.iter_mut().zip(given.bf16(row).chunks(2)) {
                for (out, value) in line[4 * lane..].as_chunks_mut::<2>().0.iter_mut().zip(pair) {
                    *out = value.to_le_bytes();
                }
            }
        }
        Format::Fp8 => {
            for (line, four) in lines.iter_mut().zip(given.blocks(row).chunks(4)) {
                for (i, code) in four.iter().enumerate() {
                    line[LINE / 2 * (i / 2) + 2 * lane + i % 2] = *code;
                }
            }
        }
        Format::F32 => {
            for (line, value) in lines.iter_mut().zip(given.f32(row)) {
                line[4 * lane..][..4].copy_from_slice(&value.to_le_bytes());
            }
        }
        Format::Q8_0 => {
            for (b, block) in given.blocks(row).chunks_exact(34).enumerate() {
                scales[(b * LANES + lane) * 2..][..2].copy_from_slice(&block[..2]);
                for (line, four) in lines[8 * b..].iter_mut().zip(block[2..].as_chunks::<4>().0) {
                    line[4 * lane..][..4].copy_from_slice(&four.map(|code| code ^ 0x80));
                }
            }
        }
        Format::Q4_0 => {
            for (b, block) in given.blocks(row).chunks_exact(18).enumerate() {
                scales[(b * LANES + lane) * 2..][..2].copy_from_slice(&block[..2]);
                let mut elements = [0; 32];
                for (j, byte) in block[2..].iter().enumerate() {
                    (elements[j], elements[j + 16]) = (byte & 15, byte >> 4);
                }
                pack_nibbles(&elements, lane, &mut lines[4 * b..]);
            }
        }
        Format::Mxfp4 | Format::Nvfp4 => {
            let lines_a_block = format.block() / 8;
            for (b, block) in given.blocks(row).chunks_exact(format.block_bytes()).enumerate() {
                scales[b * LANES + lane] = block[0];
                let mut elements = [0; 32];
                for (pair, byte) in elements.as_chunks_mut::<2>().0.iter_mut().zip(&block[1..]) {
                    *pair = [byte & 15, byte >> 4];
                }
                pack_nibbles(&elements[..format.block()], lane, &mut lines[lines_a_block * b..]);
            }
        }
        Format::F16 => {
            for (line, pair) in lines.iter_mut().zip(given.blocks(row).chunks(4)) {
                line[4 * lane..][..pair.len()].copy_from_slice(pair);
            }
        }
        _ => {
            let (_, codes, of_scales) = super::affine::layout(format);
            let blocks = given.blocks(row).chunks_exact(format.block_bytes());
            let places = lines.chunks_exact_mut(codes / LINE).zip(scales.chunks_exact_mut(of_scales));
            for (block, (codes, scales)) in blocks.zip(places) {
                super::affine::pack(format, block, lane, codes, scales);
            }
        }
    }
}

pub(super) fn pack_nibbles(elements: &[u8], lane: usize, lines: &mut [[u8; LINE]]) {
    for (line, eight) in lines.iter_mut().zip(elements.as_chunks::<8>().0) {
        let [a, b, c, d, e, f, g, h] = *eight;
        let word = u32::from_le_bytes([a, b, c, d]) | u32::from_le_bytes([e, f, g, h]) << 4;
        line[4 * lane..][..4].copy_from_slice(&word.to_le_bytes());
    }
}
