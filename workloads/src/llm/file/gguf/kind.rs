//! The types that tensors of a GGUF file have: their blocks, and which of them the engine computes.

use super::super::source::Layout;
use spark_kernels::format::Format;

/// A type of tensors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kind {
    pub(crate) id: u32,
    /// Its name in llama.cpp's files.
    pub name: &'static str,
    /// Elements a block.
    pub(crate) block: u64,
    /// Bytes a block.
    pub(crate) bytes: u64,
    /// How its rows become the engine's; `None` where it is not computed.
    pub(crate) layout: Option<Layout>,
}

const fn known(id: u32, name: &'static str, layout: Layout, block: u64, bytes: u64) -> Kind {
    Kind { id, name, block, bytes, layout: Some(layout) }
}
const fn other(id: u32, name: &'static str, block: u64, bytes: u64) -> Kind {
    Kind { id, name, block, bytes, layout: None }
}

/// Every type with its number, after the public description of the format.
static KINDS: &[Kind] = &[
    known(0, "F32", Layout::Same(Format::F32), 1, 4),
    known(1, "F16", Layout::Same(Format::F16), 1, 2),
    known(2, "Q4_0", Layout::Same(Format::Q4_0), 32, 18),
    known(3, "Q4_1", Layout::Same(Format::Q4_1), 32, 20),
    known(6, "Q5_0", Layout::Same(Format::Q5_0), 32, 22),
    known(7, "Q5_1", Layout::Same(Format::Q5_1), 32, 24),
    known(8, "Q8_0", Layout::Same(Format::Q8_0), 32, 34),
    other(9, "Q8_1", 32, 36),
    other(10, "Q2_K", 256, 84),
    other(11, "Q3_K", 256, 110),
    known(12, "Q4_K", Layout::Same(Format::Q4K), 256, 144),
    known(13, "Q5_K", Layout::Same(Format::Q5K), 256, 176),
    known(14, "Q6_K", Layout::Same(Format::Q6K), 256, 210),
    other(15, "Q8_K", 256, 292),
    other(16, "IQ2_XXS", 256, 66),
    other(17, "IQ2_XS", 256, 74),
    other(18, "IQ3_XXS", 256, 98),
    other(19, "IQ1_S", 256, 50),
    other(20, "IQ4_NL", 32, 18),
    other(21, "IQ3_S", 256, 110),
    other(22, "IQ2_S", 256, 82),
    other(23, "IQ4_XS", 256, 136),
    other(24, "I8", 1, 1),
    other(25, "I16", 1, 2),
    other(26, "I32", 1, 4),
    other(27, "I64", 1, 8),
    other(28, "F64", 1, 8),
    other(29, "IQ1_M", 256, 56),
    known(30, "BF16", Layout::Same(Format::Bf16), 1, 2),
    other(34, "TQ1_0", 256, 54),
    other(35, "TQ2_0", 256, 66),
    known(39, "MXFP4", Layout::Halves(Format::Mxfp4), 32, 17),
    known(40, "NVFP4", Layout::Halves(Format::Nvfp4), 64, 36),
];

impl Kind {
    /// The type of that number.
    pub(crate) fn find(id: u32) -> Option<Self> {
        KINDS.iter().find(|kind| kind.id == id).copied()
    }
}
