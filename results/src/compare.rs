//! Two sides beside each other: the same work on both, or a refusal that says what differs.
//!
//! A [`Side`] is one quantity of one piece of work on one machine, measured here or published elsewhere. What describes it falls into
//! three kinds. *Must* match: what the work is, in which unit and scope (a sparse rate is no dense one, a GPU's watts are not the
//! wall's). *May* differ and is named: device, implementation, threads, since the same work by another machine is what a comparison
//! is for. *Noted*: what bears on trust, such as page use, where weights came from, or which sensor spoke.
//!
//! Nothing is averaged over runs or machines, and a ratio's interval tells how well each run knows its own median, not how far runs
//! of one machine lie apart: whether a build is slower is what the gate judges.

mod key;
mod of_run;
mod others;
mod pair;
mod side;
mod state;

pub use key::{Key, Kind};
pub use of_run::{Unmeasured, sides_of};
pub use others::{figures, published};
pub use pair::{Compared, Nearest, Refused, Sides, Which, beside};
pub use side::{Better, Difference, Provenance, Side};
pub use state::states;

use crate::Run;
use crate::machine::clean;
use serde::Serialize;

/// One party to a comparison of runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Party {
    /// The run's name.
    pub run: String,
    /// When it started.
    pub started_at: String,
    /// What the machine calls itself.
    pub machine: String,
    /// The machine's fingerprint.
    pub fingerprint: String,
    /// The program: version and profile.
    pub build: String,
}

impl Party {
    /// Of a run; every text cleaned.
    pub fn of(run: &Run) -> Self {
        let m = &run.manifest;
        Self {
            run: clean(&m.id),
            started_at: clean(&m.started_at),
            machine: clean(m.machine.cpu.brand.as_deref().unwrap_or("unnamed machine")),
            fingerprint: m.machine.fingerprint(),
            build: clean(&match &m.build.revision {
                Some(revision) => format!("{} {revision} {}", m.build.version, m.build.profile),
                None => format!("{} {}", m.build.version, m.build.profile),
            }),
        }
    }
}

/// Two runs side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The first run, A.
    pub a: Party,
    /// The second, B.
    pub b: Party,
    /// Whether both ran on machines of one fingerprint.
    pub same_machine: bool,
    /// How the machines' states differ: power, clocks, governor, kernel, throttling.
    pub states: Vec<Difference>,
    /// What was compared, in A's order.
    pub compared: Vec<Compared>,
    /// What was not, and why: A's in its order, then B's.
    pub refused: Vec<Refused>,
}

/// Lays `b` beside `a`: what is the same work in both is compared, everything else is refused with its reason.
pub fn runs(a: &Run, b: &Run) -> Comparison {
    let (compared, refused) = beside(&sides_of(a), &sides_of(b));
    let (of_a, of_b) = (Party::of(a), Party::of(b));
    Comparison {
        same_machine: of_a.fingerprint == of_b.fingerprint,
        a: of_a,
        b: of_b,
        states: states(a, b),
        compared,
        refused,
    }
}
