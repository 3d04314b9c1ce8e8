//! `peak`: the row of the roof of compute.

use super::axis;
use crate::axis::{BadRequest, count, name};
use crate::micro::Micro;
use spark_kernels::Arithmetic;
use spark_kernels::peak::Peak;

/// `peak`.
pub static PEAK: Micro<Peak> = Micro {
    about: "the most operations a second that registers alone allow: the roof of compute",
    axes: &[
        axis("type", "f32, bf16 or int8; on a gpu also fp8, mxfp4 or nvfp4", "f32,bf16,int8"),
        axis("threads", "workers; 0 for all", "0"),
        axis("sparse", "no, or yes: two zeros in every four of one operand, counted as work (gpu)", "no"),
    ],
    parse: |axes, threads| {
        let of = match name(axes, "type")?.as_str() {
            "f32" => Arithmetic::F32,
            "bf16" => Arithmetic::Bf16,
            "int8" => Arithmetic::Int8,
            "fp8" => Arithmetic::Fp8,
            "mxfp4" => Arithmetic::Mxfp4,
            "nvfp4" => Arithmetic::Nvfp4,
            other => {
                return Err(BadRequest(format!(
                    "type is '{other}'; it is f32, bf16, int8, on a gpu also fp8, mxfp4, nvfp4"
                )));
            }
        };
        let sparse = match name(axes, "sparse")?.as_str() {
            "no" => false,
            "yes" => true,
            other => return Err(BadRequest(format!("sparse is '{other}'; it is no or yes"))),
        };
        let peak = match count(axes, "threads")? {
            0 => Peak::new(of, threads),
            asked if asked == threads => Peak::new(of, threads),
            asked if asked <= threads => Peak::on_some(of, asked),
            asked => return Err(BadRequest(format!("threads is {asked}; the device has {threads}: raise --threads"))),
        };
        Ok(Peak { sparse, ..peak })
    },
    cold: Some(false),
    roof: true,
    instruction: Some(Peak::per_instruction),
    items: None,
};
