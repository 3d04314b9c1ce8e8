//! Embedding by the formats' own decoders.

use super::{Args, Embed};
use crate::cpu::kernel::Kernel;
use crate::cpu::variant::{Variant, portable};

#[derive(Debug)]
pub(super) struct Scalar;

impl Variant<Embed> for Scalar {
    const NAME: &'static str = "scalar";
    fn kernel<'a>() -> Kernel<Args<'a>> {
        portable(tokens)
    }
}

fn tokens(args: &mut Args<'_>) {
    let format = args.format;
    args.each_token(|bytes, scale, x| format.dequantize(bytes, scale, x));
}
