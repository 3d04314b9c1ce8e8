//! The CUDA side without a GPU: doubles of the driver and the compiler run kernels on the CPU behind the unmodified host path.

mod double;
mod experts;
mod faults;
mod link;
mod parity;
mod wrapper_units;
mod wrappers;
