//! Mixture of experts: a router's logits become a few experts a token ([`Route`]), and the projections of all experts are one
//! tensor of which a call multiplies the chosen parts ([`Experts`]).
//!
//! A feed-forward block of experts is a gemm (the router), `route`, `experts` (gate and up), `swiglu`, `experts` (down, which
//! adds up what the experts of a token say, by the router's weights).

pub(crate) mod cuda;
pub mod experts;
pub mod grouping;
mod reference;
pub mod route;
pub mod routing;
pub mod touched;

pub use experts::Experts;
pub use grouping::Grouping;
pub use route::Route;
pub use routing::{Routing, UnknownRouting};
pub use touched::Touched;
