//! Who computes what: the call as one line of work, cut into equal lengths anywhere, also through the keys of one tile.
//!
//! A tile is some rows of a sequence with all query heads of one key head, so that keys and values are read once for all of
//! them. Tiles stand in a line, each as long as its vectors × blocks of keys; worker i takes the i-th part, equal or in proportion to its speed. That is
//! balanced for the triangle of a prefill and for a decode with fewer heads than workers alike. A tile that is cut leaves partial sums,
//! at most two a worker, which the worker that began the tile adds up.

use super::Attention;
use crate::Span;
use crate::cpu::cuts::Shares;
use std::ops::Range;

/// Keys a step: scores of a tile stay in the first-level cache, and the maximum is looked for once in so many keys.
pub(super) const BLOCK: usize = 64;
/// Query vectors of a tile, unless one row's group has more: enough that a block of keys is read from far away seldom
/// (48 × 128 × 2 multiply-adds for 4 bytes), few enough that queries and sums (48 × 128 × 8 bytes) stay in the second-level cache.
const TILE: usize = 96;

/// Some rows of one sequence with the query heads of one key head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    pub(super) sequence: usize,
    pub(super) kv_head: usize,
    /// Rows in the call's operands.
    pub(super) rows: Range<usize>,
    /// Tokens that the first of the rows sees; each further row sees one more.
    pub(super) seen: usize,
    /// rows × query heads.
    pub(super) vectors: usize,
    /// The first block of keys that its first row sees.
    first: usize,
    /// Where it begins in the line of work.
    start: usize,
}

impl Tile {
    /// Blocks of keys that any of its rows sees.
    pub(super) fn blocks(&self) -> Range<usize> {
        self.first..(self.seen + self.rows.len() - 1).div_ceil(BLOCK)
    }
    /// The block at `cut` in the line of work, or the nearest of the tile's ends.
    fn at(&self, cut: usize) -> usize {
        self.first + (cut.saturating_sub(self.start) / self.vectors).min(self.blocks().len())
    }
}

/// A call's line of work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule<'a> {
    spans: &'a [Span],
    kv_heads: usize,
    group: usize,
    window: usize,
    shares: &'a Shares,
    workers: usize,
    total: usize,
}

impl<'a> Schedule<'a> {
    /// Of `op`'s call over `spans` on so many workers with such shares.
    pub(super) fn new(op: &Attention, spans: &'a [Span], workers: usize, shares: &'a Shares) -> Self {
        let window = op.window.unwrap_or(usize::MAX);
        let mut schedule = Self { spans, kv_heads: op.kv_heads, group: op.group(), window, shares, workers, total: 0 };
        schedule.total = schedule.tiles().map(|tile| tile.blocks().len() * tile.vectors).sum();
        schedule
    }

    /// Query vectors of the largest tile.
    pub(super) fn largest(group: usize) -> usize {
        rows_of(group) * group
    }

    /// Every tile in order.
    pub(super) fn tiles(self) -> impl Iterator<Item = Tile> + 'a {
        let (mut first, mut start) = (0, 0);
        let spans = self.spans.iter().enumerate().map(move |(sequence, span)| {
            first += span.rows;
            (sequence, *span, first - span.rows)
        });
        let tiles = spans.flat_map(move |(sequence, span, first)| {
            (0..self.kv_heads).flat_map(move |kv_head| {
                (0..span.rows).step_by(rows_of(self.group)).map(move |row| {
                    let end = (row + rows_of(self.group)).min(span.rows);
                    (sequence, kv_head, first + row..first + end, span.past + row + 1)
                })
            })
        });
        tiles.map(move |(sequence, kv_head, rows, seen)| {
            let vectors = rows.len() * self.group;
            let first = seen.saturating_sub(self.window) / BLOCK;
            let tile = Tile { sequence, kv_head, rows, seen, vectors, first, start };
            start += tile.blocks().len() * vectors;
            tile
        })
    }

    /// The blocks of `tile` that are `worker`'s: empty, all, or a part.
    pub(super) fn part(&self, tile: &Tile, worker: usize) -> Range<usize> {
        let cut = |i| self.shares.cut(self.total, i, self.workers);
        tile.at(cut(worker))..tile.at(cut(worker + 1))
    }
}

/// Rows of a tile.
fn rows_of(group: usize) -> usize {
    (TILE / group).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_every_block_once_and_a_worker_has_at_most_one_beginning_and_one_end() {
        let lives: [&[Span]; 4] = [
            &[Span { rows: 1, past: 4000 }],
            &[Span { rows: 130, past: 0 }],
            &[Span { rows: 0, past: 9 }, Span { rows: 3, past: 100 }, Span { rows: 50, past: 0 }],
            &[],
        ];
        for spans in lives {
            for (kv_heads, group) in [(1, 1), (1, 8), (2, 64), (8, 4)] {
                for (workers, window) in
                    [1, 2, 3, 20].into_iter().flat_map(|w| [(w, None), (w, Some(1)), (w, Some(100))])
                {
                    let op = Attention { window, ..Attention::new(kv_heads * group, kv_heads, 16) };
                    let shares = Shares::new(&vec![1; workers]);
                    let schedule = Schedule::new(&op, spans, workers, &shares);
                    let (mut heads, mut tails, mut load) = (vec![0; workers], vec![0; workers], vec![0; workers]);
                    for tile in schedule.tiles() {
                        let (all, last) = (tile.blocks(), tile.seen + tile.rows.len() - 1);
                        assert!(all.start * BLOCK <= tile.seen.saturating_sub(window.unwrap_or(usize::MAX)));
                        assert!(all.end * BLOCK >= last && !all.is_empty());
                        let mut next = all.start;
                        for worker in 0..workers {
                            let part = schedule.part(&tile, worker);
                            assert!(part.is_empty() || part.start == next);
                            next = next.max(part.end);
                            load[worker] += part.len() * tile.vectors;
                            heads[worker] += usize::from(!part.is_empty() && part.start > all.start);
                            tails[worker] +=
                                usize::from(!part.is_empty() && part.start == all.start && part.end < all.end);
                        }
                        assert_eq!(next, all.end);
                        assert!(tile.vectors <= Schedule::largest(group));
                    }
                    assert!(heads.iter().chain(&tails).all(|n| *n <= 1));
                    let spread = load.iter().max().unwrap_or(&0) - load.iter().min().unwrap_or(&0);
                    assert!(spread <= 2 * Schedule::largest(group), "{load:?}");
                }
            }
        }
    }
}
