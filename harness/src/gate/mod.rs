//! The gate's side that touches processes: two builds held ready as children, told in turn to run one.

mod child;
mod contest;
mod duel;
mod instructions;
mod lines;
mod protocol;
mod surroundings;
mod worker;

pub use child::{Build, Child, PATIENCE, Ran, Trouble};
pub use contest::{Contest, Explain, crowded, in_common, introduced};
pub use duel::{Duel, Fought, Plan};
pub use lines::append;
pub use protocol::{Answer, Ask, Hello, PROTOCOL};
pub use surroundings::Surroundings;
pub use worker::serve;
