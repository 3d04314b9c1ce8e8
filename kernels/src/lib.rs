#![doc = include_str!("../README.md")]

pub mod attention;
pub mod buffer;
pub mod chase;
pub mod copy;
pub mod cpu;
pub mod cuda;
pub mod device;
pub mod embed;
pub mod format;
pub mod gather;
pub mod gemm;
pub mod launch;
pub mod lines;
pub mod link;
pub mod math;
pub mod moe;
pub mod op;
pub(crate) mod os;
pub mod parity;
pub mod peak;
pub mod pingpong;
pub mod read;
pub mod rmsnorm;
pub mod rope;
pub mod sample;
pub mod softcap;
pub mod stack;
pub mod swiglu;
pub mod triad;
pub mod working_set;
pub mod write;

pub use buffer::{Buffer, E4m3, Element, Host, Placement, Type};
pub use device::{Backend, Device};
pub use op::{
    Arithmetic, AxisValue, Example, Expected, Fault, Implementation, Index, Invalid, Io, Live, Op, Prepared, Shape,
    Span, Unsupported, best, named,
};
pub use os::{available_memory, last_level_cache};
