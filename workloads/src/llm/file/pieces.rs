//! A tensor of the engine, put together from rows of a file's tensors: pieces of one format each, their rows one after another.

use super::source::Source;
use spark_kernels::format::Format;
use std::ops::Range;
use std::sync::Arc;

/// Rows of one format and one scale.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) format: Format,
    pub(crate) n: usize,
    pub(crate) k: usize,
    /// The f32 scale beside its bytes, where the format has one.
    pub(crate) scale: Option<f32>,
    /// What further multiplies each of so many equal runs of rows, where those have scales of their own; empty where they have none.
    pub(crate) runs: Vec<f32>,
    segments: Vec<Segment>,
}

/// Some rows of a source.
#[derive(Clone, Debug)]
struct Segment {
    source: Arc<Source>,
    /// The first of them in the source.
    first: usize,
    rows: usize,
    /// Where they begin in the piece.
    at: usize,
}

/// Appends rows `rows` of `source`: to the last piece, where they go with it.
pub(crate) fn push(pieces: &mut Vec<Piece>, source: &Arc<Source>, rows: Range<usize>) {
    let (format, scale) = (source.format(), source.scale.filter(|_| source.format() == Format::Nvfp4));
    let segment = |at| Segment { source: source.clone(), first: rows.start, rows: rows.len(), at };
    match pieces.last_mut() {
        Some(last) if last.format == format && last.scale == scale => {
            last.segments.push(segment(last.n));
            last.n += rows.len();
        }
        _ => pieces.push(Piece {
            format,
            n: rows.len(),
            k: source.k,
            scale,
            runs: Vec::new(),
            segments: vec![segment(0)],
        }),
    }
}

/// NVFP4 whose runs of `rows` rows have scales of their own as one piece with the scale 1, and those beside it. `None`: it is something
/// else, or a run is of several scales.
pub(crate) fn in_runs(pieces: &[Piece], rows: usize) -> Option<Piece> {
    let first = pieces.first()?;
    if pieces.iter().any(|p| p.format != Format::Nvfp4 || p.k != first.k || p.n % rows != 0) {
        return None;
    }
    let mut all = Piece { n: 0, scale: Some(1.0), runs: Vec::new(), segments: Vec::new(), ..first.clone() };
    for piece in pieces {
        all.segments.extend(piece.segments.iter().map(|s| Segment { at: all.n + s.at, ..s.clone() }));
        all.runs.extend(std::iter::repeat_n(piece.scale.unwrap_or(1.0), piece.n / rows));
        all.n += piece.n;
    }
    Some(all)
}

impl Piece {
    /// The f32 scales beside the bytes: one, or none.
    pub(crate) fn scales(&self) -> Vec<f32> {
        if self.format == Format::Nvfp4 { vec![self.scale.unwrap_or(1.0)] } else { Vec::new() }
    }
    /// Rows `rows` in canonical blocks, into as many bytes as they take.
    pub(crate) fn rows(&self, rows: Range<usize>, out: &mut [u8]) {
        let a_row = self.format.bytes(self.k);
        let mut row = rows.start;
        while row < rows.end {
            let segment = &self.segments[self.segments.partition_point(|s| s.at <= row) - 1];
            let some = (segment.at + segment.rows).min(rows.end) - row;
            let first = segment.first + row - segment.at;
            let out = &mut out[(row - rows.start) * a_row..][..some * a_row];
            segment.source.rows(first..first + some, out);
            row += some;
        }
    }
    /// Says that its bytes are not needed for a while: the system may take the memory back.
    pub(crate) fn forget(&self) {
        self.segments.iter().for_each(|segment| segment.source.forget());
    }
    /// Bytes in canonical blocks, with the scale.
    pub(crate) fn bytes(&self) -> u64 {
        (self.n * self.format.bytes(self.k) + 4 * self.scales().len()) as u64
    }
}
