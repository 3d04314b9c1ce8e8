//! One stored tensor as rows in the engine's own blocks: what differs is put right row by row, when a row is asked for.

use super::map::Mapped;
use spark_kernels::format::Format;
use std::ops::Range;
use std::sync::Arc;

/// How the bytes of a row are stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Layout {
    /// As the engine has them.
    Same(Format),
    /// GGUF's FP4: the first half of a block's elements in the low nibbles. NVFP4 in groups of four blocks, their scales first.
    Halves(Format),
    /// FP4 whose scales are a tensor of their own.
    Apart(Format),
    /// Matrices of so many rows one after another, each with its columns where rows should be: element (row, i) at i · rows + row.
    Columns {
        /// Of each element.
        format: Format,
        /// Rows of one matrix.
        rows: usize,
    },
}

impl Layout {
    /// What rows are turned into.
    pub(crate) const fn format(self) -> Format {
        match self {
            Self::Same(format) | Self::Halves(format) | Self::Apart(format) | Self::Columns { format, .. } => format,
        }
    }
    /// Elements that have to be whole along a row.
    pub(crate) const fn block(self) -> usize {
        match self {
            Self::Halves(Format::Nvfp4) => 64,
            other => other.format().block(),
        }
    }
}

/// In which order the rows stand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Order {
    /// As the engine has them.
    Same,
    /// Rows 2i and 2i + 1 of a head are the engine's i and i + half: pairs that a position turns stand side by side.
    Pairs {
        /// Rows of a head.
        head: usize,
    },
    /// Of each `2 · rows` rows, one of them and then every second.
    Second {
        /// Rows of one kind.
        rows: usize,
        /// 0 or 1: where the first of them is.
        from: usize,
    },
}

impl Order {
    /// Where the engine's row stands.
    const fn at(self, row: usize) -> usize {
        match self {
            Self::Same => row,
            Self::Pairs { head } => {
                let (first, inside) = (row / head * head, row % head);
                first + inside % (head / 2) * 2 + inside / (head / 2)
            }
            Self::Second { rows, from } => row / rows * 2 * rows + 2 * (row % rows) + from,
        }
    }
}

/// n rows of k elements in a file.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) file: Arc<Mapped>,
    pub(crate) layout: Layout,
    pub(crate) order: Order,
    pub(crate) n: usize,
    pub(crate) k: usize,
    /// The bytes of all rows.
    pub(crate) bytes: Range<usize>,
    /// Where their scales are, which may be in another file, where they stand apart.
    pub(crate) scales: Option<(Arc<Mapped>, Range<usize>)>,
    /// The f32 scale of the tensor, where it has one.
    pub(crate) scale: Option<f32>,
}

impl Source {
    pub(crate) fn format(&self) -> Format {
        self.layout.format()
    }
    /// Says that its bytes are not needed for a while.
    pub(crate) fn forget(&self) {
        self.file.forget(&self.bytes);
        if let Some((file, scales)) = &self.scales {
            file.forget(scales);
        }
    }
    /// Rows `rows` in canonical blocks, into as many bytes as they take.
    pub(crate) fn rows(&self, rows: Range<usize>, out: &mut [u8]) {
        let a_row = self.format().bytes(self.k);
        let all = &self.file.bytes()[self.bytes.clone()];
        if let (Layout::Same(_), Order::Same) = (self.layout, self.order) {
            out.copy_from_slice(&all[rows.start * a_row..rows.end * a_row]);
            return;
        }
        let scales = self.scales.as_ref().map_or(&[][..], |(file, scales)| &file.bytes()[scales.clone()]);
        for (row, out) in rows.zip(out.chunks_exact_mut(a_row.max(1))) {
            let at = self.order.at(row);
            match self.layout {
                Layout::Same(_) => out.copy_from_slice(&all[at * a_row..][..a_row]),
                Layout::Halves(Format::Nvfp4) => quads(&all[at * a_row..][..a_row], out),
                Layout::Halves(_) => halves(&all[at * a_row..][..a_row], out),
                Layout::Apart(format) => {
                    let blocks = self.k / format.block();
                    let codes = format.block() / 2;
                    apart(&all[at * blocks * codes..][..blocks * codes], &scales[at * blocks..][..blocks], codes, out);
                }
                Layout::Columns { rows, .. } => {
                    let one = &all[at / rows * rows * a_row..][..rows * a_row];
                    columns(one, (at % rows, rows), a_row / self.k, out);
                }
            }
        }
    }
}

/// Blocks of mxfp4 with elements j and j + 16 in byte j.
fn halves(from: &[u8], out: &mut [u8]) {
    for (from, out) in from.as_chunks::<17>().0.iter().zip(out.as_chunks_mut::<17>().0) {
        out[0] = from[0];
        pairs(&from[1..], &mut out[1..]);
    }
}

/// Elements j and j + len of bytes j into pairs of neighbours.
fn pairs(from: &[u8], out: &mut [u8]) {
    let (low, high) = out.split_at_mut(from.len() / 2);
    for (two, (low, high)) in from.as_chunks::<2>().0.iter().zip(low.iter_mut().zip(high)) {
        *low = two[0] & 15 | two[1] << 4;
        *high = two[0] >> 4 | two[1] & 0xf0;
    }
}

/// Groups of four blocks of nvfp4, their scales first. The scales have no sign, and NaN's pattern stands for 0.
fn quads(from: &[u8], out: &mut [u8]) {
    for (from, out) in from.as_chunks::<36>().0.iter().zip(out.as_chunks_mut::<36>().0) {
        let (scales, codes) = from.split_at(4);
        for ((scale, codes), out) in scales.iter().zip(codes.as_chunks::<8>().0).zip(out.as_chunks_mut::<9>().0) {
            let scale = scale & 0x7f;
            out[0] = if scale == 0x7f { 0 } else { scale };
            pairs(codes, &mut out[1..]);
        }
    }
}

/// Codes of neighbours, `codes` bytes a block, and a byte of scale each.
fn apart(from: &[u8], scales: &[u8], codes: usize, out: &mut [u8]) {
    let blocks = from.chunks_exact(codes).zip(scales);
    for ((from, scale), out) in blocks.zip(out.chunks_exact_mut(codes + 1)) {
        out[0] = *scale;
        out[1..].copy_from_slice(from);
    }
}

/// Row `row` of `rows`, of which the i-th elements stand side by side.
fn columns(all: &[u8], (row, rows): (usize, usize), size: usize, out: &mut [u8]) {
    for (i, out) in out.chunks_exact_mut(size).enumerate() {
        out.copy_from_slice(&all[(i * rows + row) * size..][..size]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_become_neighbours() {
        // Element e of a block of 16 has the code e.
        let from: [u8; 8] = std::array::from_fn(|j| j as u8 | (j as u8 + 8) << 4);
        let mut out = [0; 8];
        pairs(&from, &mut out);
        assert_eq!(out, std::array::from_fn(|j| (2 * j) as u8 | (2 * j as u8 + 1) << 4));
    }

    #[test]
    fn rows_of_a_head_are_found_again() {
        let order = Order::Pairs { head: 8 };
        assert_eq!((8..16).map(|row| order.at(row)).collect::<Vec<_>>(), [8, 10, 12, 14, 9, 11, 13, 15]);
        let second = Order::Second { rows: 3, from: 1 };
        assert_eq!((0..6).map(|row| second.at(row)).collect::<Vec<_>>(), [1, 3, 5, 7, 9, 11]);
    }

    #[test]
    fn nan_among_unsigned_scales_is_nothing() {
        let mut from = [0_u8; 36];
        from[..4].copy_from_slice(&[0x7f, 0x38, 0xb8, 1]);
        let mut out = [0; 36];
        quads(&from, &mut out);
        assert_eq!([out[0], out[9], out[18], out[27]], [0, 0x38, 0x38, 1]);
    }
}
