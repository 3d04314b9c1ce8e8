//! Embedding by the formats' own decoders.

use super::{Args, Embed};
use crate::cpu::variant::Variant;

pub(super) static SCALAR: Variant<Embed> = Variant::<Embed>::scalar(tokens);

fn tokens(args: &mut Args<'_>) {
    let format = args.format;
    args.each_token(|bytes, scale, x| format.dequantize(bytes, scale, x));
}
