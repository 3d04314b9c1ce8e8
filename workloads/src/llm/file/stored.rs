//! The weights of a model as its files hold them: every tensor of the engine, found and checked before anything is computed.

use super::pieces::{Piece, in_runs};
use super::refused::Refused;
use super::shelf::Shelf;
use crate::llm::Config;
use crate::llm::sizes::Sizes;
use crate::llm::weights::{Part, Tensor, tensors};
use spark_kernels::format::Format;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// The weights of one model, on disk.
#[derive(Debug)]
pub struct Stored {
    config: Config,
    tensors: HashMap<Tensor, Vec<Piece>>,
}

impl Stored {
    /// Finds every tensor that `config` has with `find`. Errors: as those of `find`, a tensor nobody asked for, experts that cannot be
    /// one product.
    pub(crate) fn new(
        config: Config,
        shelf: &mut Shelf,
        find: impl Fn(&mut Shelf, &Config, Tensor) -> Result<Vec<Piece>, Refused>,
    ) -> Result<Self, Refused> {
        let mut all = HashMap::new();
        // A tied head is the embedding's tensor.
        let head = config.tied.then_some(Tensor::Head);
        for tensor in tensors(&config).into_iter().chain(head) {
            let mut pieces = find(shelf, &config, tensor)?;
            if let Some(rows) = run(&config, tensor).filter(|_| pieces.len() > 1)
                && let Some(piece) = in_runs(&pieces, rows)
            {
                pieces = vec![piece];
            }
            let one = matches!(tensor, Tensor::Embedding | Tensor::Layer(_, Part::ExpertGateUp | Part::ExpertDown));
            if one && pieces.len() != 1 {
                let formats: Vec<_> = pieces.iter().map(|piece| piece.format.name()).collect();
                let what = format!(
                    "{tensor:?} is stored in parts of several formats or scales: {}",
                    formats[..formats.len().min(3)].join(", ")
                );
                return Err(Refused::new(what, "choose a file whose gate and up are stored alike"));
            }
            all.insert(tensor, pieces);
        }
        shelf.all_taken()?;
        Ok(Self { config, tensors: all })
    }
    /// What each run of rows of a projection of experts is multiplied with, where each has an f32 scale of its own.
    pub(crate) fn runs(&self, tensor: Tensor) -> &[f32] {
        self.pieces(tensor).first().map_or(&[], |piece| &piece.runs)
    }
    /// The shape of the model.
    pub fn config(&self) -> &Config {
        &self.config
    }
    pub(crate) fn pieces(&self, tensor: Tensor) -> &[Piece] {
        self.tensors.get(&tensor).map_or(&[], Vec::as_slice)
    }
    /// The values of a norm or a bias.
    pub(crate) fn vector(&self, tensor: Tensor) -> Vec<f32> {
        let mut values = Vec::new();
        for piece in self.pieces(tensor) {
            let (at, mut bytes) = (values.len(), vec![0; piece.n * piece.format.bytes(1)]);
            piece.rows(0..piece.n, &mut bytes);
            values.resize(at + piece.n, 0.0);
            piece.format.dequantize(&bytes, 1.0, &mut values[at..]);
        }
        values
    }
    /// Canonical bytes of rows `rows` of a matrix, all of one piece.
    pub(crate) fn rows(&self, tensor: Tensor, rows: Range<usize>) -> Vec<u8> {
        let mut first = 0;
        for piece in self.pieces(tensor) {
            if rows.start < first + piece.n {
                let mut bytes = vec![0; rows.len() * piece.format.bytes(piece.k)];
                piece.rows(rows.start - first..rows.end - first, &mut bytes);
                return bytes;
            }
            first += piece.n;
        }
        Vec::new()
    }
    /// The formats of the layers' matrices, those with the most bytes first.
    pub fn formats(&self) -> Vec<Format> {
        let mut bytes: BTreeMap<Format, u64> = BTreeMap::new();
        let layers = self.tensors.iter().filter(|(tensor, _)| matches!(tensor, Tensor::Layer(..)));
        for piece in layers.flat_map(|(_, pieces)| pieces).filter(|piece| piece.k > 1) {
            *bytes.entry(piece.format).or_default() += piece.bytes();
        }
        let mut formats: Vec<_> = bytes.into_iter().collect();
        formats.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        formats.into_iter().map(|(format, _)| format).collect()
    }
    /// Bytes of all weights; a tied table counts once.
    pub fn bytes(&self) -> u64 {
        self.sizes().total
    }
    /// The format of the head.
    pub fn head(&self) -> Format {
        self.pieces(Tensor::Head).first().map_or(Format::F32, |piece| piece.format)
    }
    /// Bytes of the largest tensor in canonical form.
    pub(crate) fn largest(&self) -> u64 {
        let bytes = |pieces: &Vec<Piece>| pieces.iter().map(Piece::bytes).max().unwrap_or_default();
        let matrices = self.tensors.iter().filter(|(tensor, _)| **tensor != Tensor::Embedding);
        matrices.map(|(_, pieces)| bytes(pieces)).max().unwrap_or_default()
    }
    /// Bytes of the embedding.
    pub(crate) fn table(&self) -> u64 {
        self.pieces(Tensor::Embedding).iter().map(Piece::bytes).sum()
    }
    /// Bytes of its parts. Norms and biases count 4 bytes a value: so they are held.
    pub(crate) fn sizes(&self) -> Sizes {
        let (mut total, mut layers, mut blocks) = (0, 0, 0);
        for (tensor, pieces) in &self.tensors {
            let bytes: u64 =
                pieces.iter().map(|piece| if piece.k == 1 { 4 * piece.n as u64 } else { piece.bytes() }).sum();
            if *tensor != Tensor::Head || !self.config.tied {
                total += bytes;
            }
            match tensor {
                Tensor::Layer(_, part) if part.of_block() => blocks += bytes,
                Tensor::Layer(..) => layers += bytes,
                _ => {}
            }
        }
        let of = |tensor| self.pieces(tensor).iter().map(Piece::bytes).sum::<u64>();
        let each = self.config.layers as u64 * self.config.blocks().0;
        Sizes {
            total,
            shared: layers,
            block: blocks / each,
            head: of(Tensor::Head) + 4 * self.config.hidden as u64,
            row: self.table() / self.config.vocab as u64,
        }
    }
}

/// Rows that may have a scale of their own: an expert's gate, its up, or its down. `None` where outputs are not multiplied, or get a bias.
fn run(config: &Config, tensor: Tensor) -> Option<usize> {
    config.mixture.filter(|mixture| !mixture.bias)?;
    match tensor {
        Tensor::Layer(_, Part::ExpertGateUp) => Some(config.intermediate),
        Tensor::Layer(_, Part::ExpertDown) => Some(config.hidden),
        _ => None,
    }
}
