//! The loops around the Arm kernels: which part of the weights meets which rows, and in what order.

use crate::gemm::packed::{LANES, LINE, Tile};
use crate::gemm::tiled::{FEW, Multiply, PASS, TILES};

// Groups of 4 and of 8 rows fill a pass, and the kernels of few rows take up to 4 pairs.
const _: () = assert!(PASS.is_multiple_of(8) && FEW <= 8);

/// What a path cuts k into.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// Rows that stand side by side where they are grouped; divides [`PASS`].
    pub(super) group: usize,
    /// Units along k.
    pub(super) units: usize,
    /// Units a panel.
    pub(super) panel: usize,
    /// Words of a row in one unit.
    pub(super) words: usize,
    /// Lines of a tile's panel in one unit.
    pub(super) lines: usize,
}

impl Walk {
    /// All rows of `call`, grouped: for each panel of [`TILES`] tiles, decoded once, group after group of rows.
    ///
    /// `unpack(tile, from, panel)` decodes units `from ..` of a tile until the panel is full, `micro(panel, acts, sums)` adds the
    /// products of one tile's panel with one group of rows, and `row(sums, r)` are the 16 sums of row r of a group.
    pub(super) fn panels(
        self,
        call: &mut Multiply<'_>,
        unpack: impl Fn(Tile<'_>, usize, &mut [[u8; LINE]]),
        micro: impl Fn(&[[u8; LINE]], &[i32], &mut [[f32; LANES]]),
        row: impl Fn(&[[f32; LANES]], usize) -> [f32; LANES],
    ) {
        let Self { group, units, words, lines, .. } = self;
        let (tiles, rows) = (call.tiles.clone(), call.rows);
        for pass in (0..rows).step_by(PASS) {
            let groups = (rows - pass).min(PASS).div_ceil(group);
            for first in tiles.clone().step_by(TILES) {
                let width = TILES.min(tiles.end - first);
                let sums = &mut call.sums.as_chunks_mut::<LANES>().0[..groups * group * width];
                sums.fill([0.0; LANES]);
                for from in (0..units).step_by(self.panel) {
                    let some = self.panel.min(units - from);
                    let panel = &mut call.panel.as_chunks_mut::<LINE>().0[..width * some * lines];
                    for (t, panel) in panel.chunks_exact_mut(some * lines).enumerate() {
                        unpack(call.packed.tile(first + t), from, panel);
                    }
                    for (g, sums) in sums.chunks_exact_mut(group * width).enumerate() {
                        let at = (pass / group + g) * units + from;
                        let acts = &call.acts[at * words * group..][..some * words * group];
                        let tiles = panel.chunks_exact(some * lines).zip(sums.chunks_exact_mut(group));
                        for (panel, sums) in tiles {
                            micro(panel, acts, sums);
                        }
                    }
                }
                for r in 0..(rows - pass).min(PASS) {
                    for t in 0..width {
                        let at = (r / group * width + t) * group;
                        let sums = row(&call.sums.as_chunks::<LANES>().0[at..at + group], r % group);
                        finish(call, first + t, pass + r, &sums);
                    }
                }
            }
        }
    }

    /// At most [`FEW`] rows of `call`, each by itself: tile after tile, with all rows.
    ///
    /// `add(tile, from, panel, rows, sums)` adds the products of units `from ..` of a tile with the words of these units of each
    /// row; `panel` has room for them decoded. `row(sums, r)` are the sums of row r.
    pub(super) fn few(
        self,
        call: &mut Multiply<'_>,
        add: impl Fn(Tile<'_>, usize, &mut [[u8; LINE]], &[&[i32]], &mut [[f32; LANES]; FEW]),
        row: impl Fn(&[[f32; LANES]], usize) -> [f32; LANES],
    ) {
        let Self { units, words, lines, .. } = self;
        for t in call.tiles.clone() {
            let mut sums = [[0.0; LANES]; FEW];
            for from in (0..units).step_by(self.panel) {
                let some = self.panel.min(units - from);
                let mut rows: [&[i32]; FEW] = [&[]; FEW];
                for (r, row) in rows[..call.rows].iter_mut().enumerate() {
                    *row = &call.acts[(r * units + from) * words..][..some * words];
                }
                let panel = &mut call.panel.as_chunks_mut::<LINE>().0[..some * lines];
                add(call.packed.tile(t), from, panel, &rows[..call.rows], &mut sums);
            }
            for r in 0..call.rows {
                finish(call, t, r, &row(&sums, r));
            }
        }
    }
}

/// The order of sums where each row has its own.
pub(super) fn by_row(sums: &[[f32; LANES]], r: usize) -> [f32; LANES] {
    sums[r]
}

/// The order of sums of matrix products: for each two rows, for each two outputs, 2 × 2.
pub(super) fn by_pairs(sums: &[[f32; LANES]], r: usize) -> [f32; LANES] {
    let two = &sums[r / 2 * 2..][..2];
    std::array::from_fn(|o| two.as_flattened()[o / 2 * 4 + r % 2 * 2 + o % 2])
}

/// Scales, biases and stores the sums of tile `t` for `row`.
#[expect(unsafe_code, reason = "workers write disjoint parts of the output")]
fn finish(call: &Multiply<'_>, t: usize, row: usize, sums: &[f32; LANES]) {
    let (n, scale) = (call.op.n, call.row_scales[row]);
    let (at, live) = (row * n + t * LANES, LANES.min(n - t * LANES));
    // SAFETY: a tile is in one worker's share only, so these outputs of the row are this worker's.
    let y = unsafe { call.y.part(at..at + live) };
    for ((y, sum), bias) in y.iter_mut().zip(sums).zip(&call.bias[t * LANES..]) {
        *y = sum * scale + bias;
    }
}
