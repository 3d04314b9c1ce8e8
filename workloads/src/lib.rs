#![doc = include_str!("../README.md")]

pub mod agent;
pub mod axis;
pub mod devices;
pub mod llm;
pub mod memory;
pub mod micro;
pub mod ops;
pub mod peer;
pub mod soak;
pub(crate) mod spread;
pub mod suite;
pub mod trial;
pub mod workload;

pub use axis::{Axis, BadRequest, Request};
pub use devices::Devices;
pub use trial::{Beat, Lab, Observed, Ran, Side, Trial};
pub use workload::{Body, Decline, Footprint, Step, Workload};

/// Every workload, in the order a report tells them.
pub static ALL: &[&dyn Workload] = &[
    &ops::PEAK,
    &ops::READ,
    &ops::WRITE,
    &ops::COPY,
    &ops::TRIAD,
    &ops::LINES,
    &ops::CHASE,
    &ops::LAUNCH,
    &memory::LOADED,
    &memory::PINGPONG,
    &ops::GEMM,
    &ops::ATTENTION,
    &ops::RMSNORM,
    &ops::ROPE,
    &ops::SWIGLU,
    &ops::ROUTE,
    &ops::EXPERTS,
    &ops::EMBED,
    &ops::SAMPLE,
    &ops::SOFTCAP,
    &llm::PREFILL,
    &llm::DECODE,
    &llm::SPECULATE,
    &memory::CONTENTION,
    &memory::STORAGE,
    &memory::TRANSFER,
    &memory::UNIFIED,
    &memory::COHERENCE,
    &soak::SOAK,
    &agent::AGENT,
];

/// The workload of that name.
pub fn find(name: &str) -> Option<&'static dyn Workload> {
    ALL.iter().copied().find(|w| w.name() == name)
}
