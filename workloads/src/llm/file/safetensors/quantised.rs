//! FP4 in safetensors: codes, scales and the tensor's scale are tensors of their own, called differently by each tool.
//!
//! | | compressed-tensors | ModelOpt | gpt-oss |
//! |---|---|---|---|
//! | codes, neighbours in a byte | `weight_packed` | `weight` | `…_blocks` |
//! | a scale a block: E4M3 of 16, E8M0 of 32 | `weight_scale` | `weight_scale` | `…_scales` |
//! | the tensor's | `weight_global_scale`, divides | `weight_scale_2`, multiplies | – |

use super::super::refused::{Refused, shown};
use super::super::shelf::{Entry, Shelf};
use super::super::source::{Layout, Order, Source};
use super::ANOTHER_TYPE;
use spark_kernels::format::Format;
use std::sync::Arc;

/// The matrix `name` (without `.weight`) of n × k. Errors: it is not there, or of another shape or type.
pub(crate) fn matrix(shelf: &mut Shelf, name: &str, (n, k): (usize, usize)) -> Result<Arc<Source>, Refused> {
    let at = |what: &str| format!("{name}.{what}");
    // What quantised activations would be scaled with, and what stands for a shape.
    for beside in ["input_scale", "input_global_scale", "weight_shape"] {
        shelf.ignore(&at(beside));
    }
    if shelf.has(&at("weight_packed")) {
        let scale = one(shelf, &at("weight_global_scale"))?;
        let scale = scale.map(|scale| 1.0 / scale);
        return apart(shelf, (&at("weight_packed"), &at("weight_scale")), (n, k), scale);
    }
    if shelf.has(&at("weight_scale")) && !has_layout(shelf, &at("weight")) {
        let scale = one(shelf, &at("weight_scale_2"))?;
        return apart(shelf, (&at("weight"), &at("weight_scale")), (n, k), scale);
    }
    shelf.rows(&at("weight"), (n, k), Order::Same)
}

fn has_layout(shelf: &Shelf, name: &str) -> bool {
    shelf.entry(name).is_some_and(|entry| entry.layout.is_ok())
}

/// The one f32 of that name, if it is there. Errors: it is something else, or 0.
fn one(shelf: &mut Shelf, name: &str) -> Result<Option<f32>, Refused> {
    if !shelf.has(name) {
        return Ok(None);
    }
    let source = shelf.values(name, 1, Order::Same)?;
    let (mut bytes, mut value) = (vec![0; source.format().bytes(1)], [0.0]);
    source.rows(0..1, &mut bytes);
    source.format().dequantize(&bytes, 1.0, &mut value);
    if !(value[0].is_finite() && value[0] != 0.0) {
        return Err(Refused::broken(format!("tensor {} is {}", shown(name), value[0])));
    }
    Ok(Some(value[0]))
}

/// Codes and scales in tensors of their own: of MXFP4, or with E4M3 scales of NVFP4. The rows may be spread over several dimensions,
/// and the blocks of a row be one more.
pub(crate) fn apart(
    shelf: &mut Shelf,
    (codes, scales): (&str, &str),
    (n, k): (usize, usize),
    scale: Option<f32>,
) -> Result<Arc<Source>, Refused> {
    let (given, given_scales) = (shelf.find(codes)?, shelf.find(scales)?);
    let named = |entry: &Entry| entry.layout.clone().err().unwrap_or_default();
    let format = match (named(&given).as_str(), named(&given_scales).as_str()) {
        ("U8" | "F4", "F8_E4M3") => Format::Nvfp4,
        ("U8" | "F4", "U8" | "F8_E8M0") => Format::Mxfp4,
        (of, with) => {
            let what = format!("tensor {} is {of} with scales {with}, which is not computed", shown(codes));
            return Err(Refused::new(what, ANOTHER_TYPE));
        }
    };
    let elements = |entry: &Entry| entry.shape.iter().product::<u64>();
    let blocks = n as u64 * (k / format.block()) as u64;
    let whole = k.is_multiple_of(format.block()) && given.range.len() * 2 == n * k;
    if !whole || elements(&given_scales) != blocks || given_scales.range.len() as u64 != blocks {
        let what = format!("tensor {} is {:?}, and the model's sizes make it {n} × {k}", shown(codes), given.shape);
        return Err(Refused::broken(what));
    }
    let layout = Layout::Apart(format);
    let source = Source {
        file: given.file,
        layout,
        order: Order::Same,
        n,
        k,
        bytes: given.range,
        scales: Some((given_scales.file, given_scales.range)),
        scale: scale.or((format == Format::Nvfp4).then_some(1.0)),
    };
    shelf.source(codes, source)
}
