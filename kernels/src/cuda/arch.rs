//! The architectures that a `.cu` file is compiled for: exact ones, never a virtual one.

use crate::Unsupported;
use std::fmt;

/// A real architecture, such as `sm_121a`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Arch {
    /// Major compute capability.
    pub major: u8,
    /// Minor compute capability.
    pub minor: u8,
    /// Whether it has the instructions that no later architecture is promised to have: the `a` behind the number.
    pub specific: bool,
}

const fn plain(major: u8, minor: u8) -> Arch {
    Arch { major, minor, specific: false }
}
const fn specific(major: u8, minor: u8) -> Arch {
    Arch { major, minor, specific: true }
}

/// Every architecture from Ampere on.
pub const FROM_SM80: &[Arch] = &[
    plain(8, 0),
    plain(8, 6),
    plain(8, 7),
    plain(8, 9),
    plain(9, 0),
    plain(10, 0),
    plain(10, 3),
    plain(11, 0),
    plain(12, 0),
    plain(12, 1),
];
/// Those with FP8 in `mma.sync`: Ada and later.
pub const FROM_SM89: &[Arch] =
    &[plain(8, 9), plain(9, 0), plain(10, 0), plain(10, 3), plain(11, 0), plain(12, 0), plain(12, 1)];
/// Those whose own instruction that is: elsewhere (seen in the SASS of sm_90) it becomes conversions and f16 products.
pub const MMA_FP8: &[Arch] = &[plain(8, 9), plain(12, 0), plain(12, 1)];
/// Hopper with wgmma and TMA.
pub const SM90A: &[Arch] = &[specific(9, 0)];
/// Consumer Blackwell and Spark, with block-scaled FP4 in `mma.sync`.
pub const SM12XA: &[Arch] = &[specific(12, 0), specific(12, 1)];

impl Arch {
    /// The one of `archs` to compile for on a GPU of this compute capability. Errors: those it would take.
    pub fn choose(archs: &[Self], (major, minor): (u8, u8)) -> Result<Self, Unsupported> {
        archs.iter().copied().find(|a| (a.major, a.minor) == (major, minor)).ok_or_else(|| {
            let names: Vec<_> = archs.iter().map(ToString::to_string).collect();
            Unsupported(format!("needs {}, and this GPU is sm_{major}{minor}", names.join(" or ")))
        })
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sm_{}{}{}", self.major, self.minor, if self.specific { "a" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_architecture_is_taken_exactly_or_refused_with_those_there_are() {
        assert_eq!(Arch::choose(FROM_SM80, (12, 1)).unwrap().to_string(), "sm_121");
        assert_eq!(Arch::choose(SM12XA, (12, 1)).unwrap().to_string(), "sm_121a");
        let reason = Arch::choose(SM12XA, (9, 0)).unwrap_err().0;
        assert_eq!(reason, "needs sm_120a or sm_121a, and this GPU is sm_90");
    }
}
