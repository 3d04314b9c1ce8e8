//! The gate's side that touches processes: two builds held ready as children, told in turn to run one.

mod child;
mod contest;
mod duel;
mod protocol;
mod surroundings;
mod worker;

pub use child::{Build, Child, Trouble};
pub use contest::{Contest, in_common, introduced};
pub use duel::{Duel, Fought, Plan};
pub use protocol::{Answer, Ask, Hello, PROTOCOL};
pub use surroundings::Surroundings;
pub use worker::serve;
