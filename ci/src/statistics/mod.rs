//! What the verdicts rest on: each statistic a pure function in a file of its own.

mod clopper_pearson;
mod hodges_lehmann;
mod holm;
mod sign_flip;
mod student;

pub use clopper_pearson::upper_bound;
pub use hodges_lehmann::{Shift, shift};
pub use holm::holm;
pub use sign_flip::{EXACT, p_value, p_value_sampled};
pub use student::surprise;
