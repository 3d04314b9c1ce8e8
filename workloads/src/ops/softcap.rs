//! `softcap`: the row of the op that bends logits.

use super::{ROWS, axis};
use crate::axis::size;
use crate::micro::Micro;
use spark_kernels::softcap::Softcap;

/// `softcap`.
pub static SOFTCAP: Micro<Softcap> = Micro {
    about: "logits bent to a range by a tanh, in place",
    axes: &[axis("cap", "what no value gets beyond", "30"), ROWS, axis("width", "elements a row", "256000")],
    parse: |axes, _| {
        let cap = super::named(axes, "cap")?;
        Ok(Softcap { rows: size(axes, "rows")?, width: size(axes, "width")?, cap })
    },
    cold: Some(false),
    roof: false,
    instruction: None,
    items: None,
};
