//! `launch`: what it costs to have a GPU do something, by a kernel that does next to nothing.
//!
//! | operand | type | elements |
//! |---|---|---|
//! | outputs\[0\] launches carried out: read, then added to | U32 | 1 |
//!
//! A rate is in launches: the time of a run ÷ [`Launch::launches`] is that of one, [`Way`] by way.

mod cuda;

use crate::{Arithmetic, AxisValue, Example, Expected, Implementation, Index, Invalid, Live, Op, Shape, Type};
use std::fmt;
use std::str::FromStr;

/// Most launches of one run: a graph of more takes longer to make than anybody waits.
const MOST: usize = 1 << 16;

/// How launches follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// The host waits for each before it submits the next: there and back.
    RoundTrip,
    /// The host submits one after another and never waits: what one costs where many are under way.
    Row,
    /// All of them recorded as the nodes of a graph, and replayed in one submission.
    Graph,
}

impl Way {
    /// Each.
    pub const ALL: &'static [Way] = &[Way::RoundTrip, Way::Row, Way::Graph];
    /// Its name in ids.
    pub const fn name(self) -> &'static str {
        match self {
            Way::RoundTrip => "round-trip",
            Way::Row => "row",
            Way::Graph => "graph",
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Way {
    type Err = Invalid;
    fn from_str(name: &str) -> Result<Self, Invalid> {
        Way::ALL
            .iter()
            .copied()
            .find(|way| way.name() == name)
            .ok_or_else(|| Invalid("no such way; choose round-trip, row or graph".to_owned()))
    }
}

/// Launches of the empty kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launch {
    /// How many a run makes.
    pub launches: usize,
    /// How they follow each other.
    pub way: Way,
}

static IMPLEMENTATIONS: &[&dyn Implementation<Launch>] = &[&cuda::EMPTY];

impl Op for Launch {
    const NAME: &'static str = "launch";
    fn implementations() -> &'static [&'static dyn Implementation<Self>] {
        IMPLEMENTATIONS
    }
    fn validate(&self) -> Result<(), Invalid> {
        if self.launches == 0 || self.launches > MOST {
            return Err(Invalid(format!("launches = {}; choose 1 to {MOST}", self.launches)));
        }
        Ok(())
    }
    fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        vec![("launches", self.launches.into()), ("way", self.way.name().into())]
    }
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::F32
    }
    fn flops(&self, _live: &Live) -> u64 {
        0
    }
    fn bytes(&self, _live: &Live) -> u64 {
        0
    }
    fn outputs(&self) -> Vec<Shape> {
        vec![Shape { of: Type::U32, len: 1 }]
    }
    fn operand_bytes(&self) -> u64 {
        0
    }
    fn live(&self) -> Live {
        Live::one(1, 0)
    }
    fn example(&self, _seed: u64) -> Example {
        Example { weights: Vec::new(), inputs: Vec::new(), outputs: vec![vec![7_u32].into()], live: self.live() }
    }
    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        let before = f64::from(example.outputs[0].slice::<u32>()[0]);
        indices.iter().map(|_| Expected { value: before + self.launches as f64, scale: 1.0 }).collect()
    }
    // Each launch is counted once.
    fn tolerance(&self) -> f64 {
        0.0
    }
    fn nasty() -> Vec<Self> {
        Way::ALL.iter().flat_map(|&way| [1, 2, 33].map(|launches| Self { launches, way })).collect()
    }
}
