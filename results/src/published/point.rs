//! Which work a figure is of, typed, so that a published figure and a record can be known to be of the same work.

use crate::id::{Axes, AxisValue};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One piece of work, at the defaults of everything that it does not name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Point {
    /// Prompts read, llama-bench's `pp`.
    Prefill(Prompt),
    /// Tokens generated, llama-bench's `tg`.
    Decode(Answer),
    /// One matrix product.
    Gemm(Product),
    /// A stream through memory, past every cache.
    Stream(Stream),
}

/// A prompt that is read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// The model by the name of its preset, where one has its shape.
    pub model: String,
    /// How the layers' weights are stored.
    pub format: String,
    /// Tokens of each prompt.
    pub n_prompt: u64,
    /// Tokens that stand before it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub depth: u64,
    /// Prompts read together.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub batch: u64,
}

/// Tokens that are generated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The model by the name of its preset, where one has its shape.
    pub model: String,
    /// How the layers' weights are stored.
    pub format: String,
    /// Tokens generated of each sequence.
    pub n_gen: u64,
    /// Tokens that stand before the first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub depth: u64,
    /// Sequences decoded together; rates are of all of them.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub batch: u64,
}

/// m × k activations times n × k weights.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// How the weights are stored.
    pub format: String,
    /// What the activations are.
    pub activations: String,
    /// Rows of activations.
    pub m: u64,
    /// Outputs.
    pub n: u64,
    /// The reduction.
    pub k: u64,
}

/// A stream through memory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// `read`, `write`, `copy` or `triad`.
    pub op: String,
}

/// From this size on an array counts as past every cache.
const PAST_CACHES: u64 = 1 << 30;
/// Axes beside those of a point that change how a thing is done, not what is done.
const HOW: &[&str] = &["threads", "pages"];

fn one() -> u64 {
    1
}
fn is_one(value: &u64) -> bool {
    *value == 1
}
fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl Point {
    /// The work of a record with these axes. `None` where an axis says that it is another work than anybody publishes: another
    /// head, rounding of activations, cache type or routing than the default, a prompt within the answer.
    pub fn of(workload: &str, axes: &Axes) -> Option<Self> {
        let text = |axis: &str| axes.get(axis).map(ToString::to_string);
        let int = |axis: &str| axes.get(axis).and_then(AxisValue::int);
        let only =
            |known: &[&str]| axes.keys().all(|axis| known.contains(&axis.as_str()) || HOW.contains(&axis.as_str()));
        let (depth, batch) = (int("depth").unwrap_or(0), int("batch").unwrap_or(1));
        match workload {
            "prefill" if only(&["model", "format", "n_prompt", "depth", "batch"]) => Some(Self::Prefill(Prompt {
                model: text("model")?,
                format: text("format")?,
                n_prompt: int("n_prompt")?,
                depth,
                batch,
            })),
            "decode" if only(&["model", "format", "n_gen", "depth", "batch"]) => Some(Self::Decode(Answer {
                model: text("model")?,
                format: text("format")?,
                n_gen: int("n_gen")?,
                depth,
                batch,
            })),
            "gemm" if only(&["format", "activations", "m", "n", "k"]) => Some(Self::Gemm(Product {
                format: text("format")?,
                activations: text("activations")?,
                m: int("m")?,
                n: int("n")?,
                k: int("k")?,
            })),
            "read" | "write" | "copy" | "triad" if int("bytes")? >= PAST_CACHES => {
                Some(Self::Stream(Stream { op: workload.to_owned() }))
            }
            _ => None,
        }
    }
    /// The workload whose records are of this work.
    pub fn workload(&self) -> &str {
        match self {
            Self::Prefill(_) => "prefill",
            Self::Decode(_) => "decode",
            Self::Gemm(_) => "gemm",
            Self::Stream(stream) => &stream.op,
        }
    }
    /// The metric under which figures of this work are published.
    pub fn metric(&self) -> &'static str {
        match self {
            Self::Prefill(of) if of.batch > 1 => "prefill_tps_aggregate",
            Self::Prefill(_) => "prefill_tps",
            Self::Decode(of) if of.batch > 1 => "decode_tps_aggregate",
            Self::Decode(_) => "decode_tps",
            Self::Gemm(_) => "gemm_tflops_measured",
            Self::Stream(_) => "mem_bw_measured",
        }
    }
    /// The model, where there is one.
    pub fn model(&self) -> Option<&str> {
        match self {
            Self::Prefill(of) => Some(&of.model),
            Self::Decode(of) => Some(&of.model),
            Self::Gemm(_) | Self::Stream(_) => None,
        }
    }
    /// How weights are stored, where there are any.
    pub fn format(&self) -> Option<&str> {
        match self {
            Self::Prefill(of) => Some(&of.format),
            Self::Decode(of) => Some(&of.format),
            Self::Gemm(of) => Some(&of.format),
            Self::Stream(_) => None,
        }
    }
}

impl fmt::Display for Point {
    /// In the field's words: `llama-2-7b q4_0 tg128 @ d4096 × 8 sequences`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (depth, batch) = match self {
            Self::Prefill(of) => {
                write!(f, "{} {} pp{}", of.model, of.format, of.n_prompt)?;
                (of.depth, of.batch)
            }
            Self::Decode(of) => {
                write!(f, "{} {} tg{}", of.model, of.format, of.n_gen)?;
                (of.depth, of.batch)
            }
            Self::Gemm(of) => {
                return write!(f, "gemm {} × {} {} × {} × {}", of.format, of.activations, of.m, of.n, of.k);
            }
            Self::Stream(of) => return write!(f, "{} of memory", of.op),
        };
        if depth > 0 {
            write!(f, " @ d{depth}")?;
        }
        if batch > 1 {
            write!(f, " × {batch} sequences")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BenchmarkId;

    fn of(id: &str) -> Option<Point> {
        let id: BenchmarkId = id.parse().unwrap();
        Point::of(&id.workload, &id.axes)
    }

    #[test]
    fn records_of_the_same_work_have_the_same_point_whatever_ran_them() {
        let here = of("decode/cpu/avx512-vnni?depth=0&format=q4_0&model=llama-2-7b&n_gen=128&threads=2");
        let there = of("decode/cuda:0/mma?batch=1&format=q4_0&model=llama-2-7b&n_gen=128");
        assert_eq!(here, there);
        assert_eq!(here.unwrap().to_string(), "llama-2-7b q4_0 tg128");
        let deep = of("decode/cpu/x?batch=8&depth=4096&format=q8_0&model=m&n_gen=32").unwrap();
        assert_eq!(deep.to_string(), "m q8_0 tg32 @ d4096 × 8 sequences");
    }

    #[test]
    fn other_work_is_none_that_anybody_published() {
        for id in [
            "decode/cpu/x?format=q4_0&head=bf16&model=m&n_gen=32",
            "decode/cpu/x?format=q4_0&kv=int8&model=m&n_gen=32",
            "decode/cpu/x?format=q4_0&model=m&n_gen=32&n_prompt=512",
            "decode/cpu/x?batch=8&depth=99&depths=ragged&format=q4_0&model=m&n_gen=32",
            "read/cpu/x?bytes=32768",
            "rmsnorm/cpu/x?rows=1",
        ] {
            assert_eq!(of(id), None, "{id}");
        }
        assert!(of("read/cpu/x?bytes=1073741824&threads=2").is_some());
    }
}
