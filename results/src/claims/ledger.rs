//! The ledger's files: one claim each, with what it rests on, as data.

use super::expression::Expression;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A file of the ledger that is refused: which, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("claim {file}: {what}")]
pub struct Refused {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub what: String,
}

/// What came of testing a claim. The order is that of how bad it is for the claim, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// This machine is its subject and shows it.
    Confirmed,
    /// The arithmetic allows it; nothing here shows it.
    Consistent,
    /// Nothing here can say; the reason stands beside it.
    #[serde(rename = "not testable here")]
    NotTestable,
    /// The arithmetic makes it unlikely.
    Implausible,
    /// A fact or a measured value says otherwise.
    Refuted,
    /// It is beyond what the arithmetic allows.
    Impossible,
}

impl Verdict {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Consistent => "consistent",
            Self::NotTestable => "not testable here",
            Self::Implausible => "implausible",
            Self::Refuted => "refuted",
            Self::Impossible => "impossible",
        }
    }
}

/// Who said it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speaker {
    /// Title or name.
    pub title: String,
    /// When.
    pub date: String,
}

/// One claim.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Its number.
    pub id: u32,
    /// The machine it was said of, as people call it.
    pub subject: String,
    /// Short names of the published systems that are this machine; a run on one of them decides.
    #[serde(default)]
    pub systems: Vec<String>,
    /// What was said, in other words.
    pub claim: String,
    /// Letters of who said it.
    pub who: Vec<String>,
    /// Under which conditions it was said, or what was left open.
    #[serde(default)]
    pub conditions: String,
    /// How the verdicts of its parts become one.
    #[serde(default)]
    pub readings: Readings,
    /// What it comes to.
    #[serde(rename = "part")]
    pub parts: Vec<Part>,
}

/// How the verdicts of parts become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readings {
    /// All parts were said: the worst counts.
    #[default]
    All,
    /// Parts are ways to read it: the best counts, and its words say which reading that is.
    Any,
}

/// A number that goes into the arithmetic.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Its name in formulas.
    pub name: String,
    /// Its value where nothing is measured.
    pub value: f64,
    /// Its unit.
    #[serde(default)]
    pub unit: String,
    /// Where it comes from.
    pub from: String,
    /// Which roof or reading of a run on the subject takes its place.
    #[serde(default)]
    pub measured: Option<Reading>,
}

/// What of a run takes an input's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// Bytes a second of the largest read of memory.
    Read,
    /// Bytes of memory that the system reports.
    Memory,
    /// Operations a second of the fastest FP4 peak.
    Fp4Peak,
}

/// A step of the arithmetic.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The name of its result.
    pub name: String,
    /// Its formula.
    pub is: String,
    /// The result's unit.
    #[serde(default)]
    pub unit: String,
    /// Which roof or reading of a run takes its result's place.
    #[serde(default)]
    pub measured: Option<Reading>,
}

/// How what is claimed has to stand to what the arithmetic gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// The claimed value may be as large as the bound.
    AtMost,
    /// The claimed value may be as small as the bound.
    AtLeast,
    /// They are the same within [`Part::within`].
    Equal,
    /// A fact, not a number: the verdict stands in [`Part::otherwise`].
    Fact,
    /// Nothing here can say.
    Open,
}

/// What of a record a measured value is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// A glob on ids.
    pub id: String,
    /// `items_per_s`, `bytes_per_s`, `flops_per_s`, `joules_per_item`, or a metric's name.
    pub of: String,
}

/// One statement with its arithmetic.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// What exactly is tested.
    pub says: String,
    /// How.
    pub test: Test,
    /// The claimed value, as a formula.
    #[serde(default)]
    pub claimed: Option<String>,
    /// What it is held against, as a formula of inputs and steps.
    #[serde(default)]
    pub bound: Option<String>,
    /// The unit of both.
    #[serde(default)]
    pub unit: String,
    /// How far they may be apart and still be the same, as a share of the bound.
    #[serde(default)]
    pub within: f64,
    /// The verdict where the test is not met; of a fact, the verdict.
    #[serde(default = "refuted")]
    pub otherwise: Verdict,
    /// Why, or what has to be known beside it.
    #[serde(default)]
    pub because: String,
    /// Numbers that go in.
    #[serde(default)]
    pub inputs: Vec<Input>,
    /// The arithmetic, in order.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// What a run measures of it.
    #[serde(default)]
    pub measured: Option<Probe>,
}

fn refuted() -> Verdict {
    Verdict::Refuted
}

impl Part {
    fn check(&self) -> Result<(), String> {
        let numbers = matches!(self.test, Test::AtMost | Test::AtLeast | Test::Equal);
        if numbers != (self.claimed.is_some() && self.bound.is_some()) {
            return Err(format!("'{}': a test of numbers has claimed and bound, no other has", self.says));
        }
        if !numbers && self.because.is_empty() {
            return Err(format!("'{}': a fact and an open question say why", self.says));
        }
        let mut known: BTreeMap<&str, f64> = BTreeMap::new();
        for input in &self.inputs {
            if input.from.trim().is_empty() || !input.value.is_finite() {
                return Err(format!("input {}: says where it comes from, and is a number", input.name));
            }
            known.insert(&input.name, input.value);
        }
        let value = |known: &BTreeMap<&str, f64>, formula: &str| {
            Expression::read(formula).and_then(|e| e.value(&|name| known.get(name).copied()))
        };
        for step in &self.steps {
            let result = value(&known, &step.is).map_err(|e| format!("step {}: {e}", step.name))?;
            known.insert(&step.name, result);
        }
        for formula in self.claimed.iter().chain(&self.bound) {
            value(&known, formula)?;
        }
        Ok(())
    }
}

/// Reads one claim. Errors: no TOML, a field unknown or missing, a formula that cannot be computed.
pub fn read(file: &str, text: &str) -> Result<Claim, Refused> {
    let refused = |what: String| Refused { file: file.to_owned(), what };
    let claim: Claim = toml::from_str(text).map_err(|e| refused(e.to_string()))?;
    if claim.parts.is_empty() || claim.who.is_empty() {
        return Err(refused("a claim has a part and somebody who said it".to_owned()));
    }
    claim.parts.iter().try_for_each(Part::check).map_err(refused)?;
    Ok(claim)
}

macro_rules! embedded {
    ($($file:literal),* $(,)?) => { &[$(($file, include_str!(concat!("../../claims/", $file)))),*] };
}

/// Every claim's file, in the order of their numbers.
pub static FILES: &[(&str, &str)] = embedded![
    "01-petaflop.toml",
    "02-cores.toml",
    "03-memory.toml",
    "04-one-copy.toml",
    "05-c2c.toml",
    "06-bandwidth.toml",
    "07-ane.toml",
    "08-discrete.toml",
    "09-models-that-fit.toml",
    "10-sizes.toml",
    "11-million-tokens.toml",
    "12-seventy-billion.toml",
    "13-tokens-an-hour.toml",
    "14-no-marginal-price.toml",
    "15-fp4-is-half.toml",
    "16-twice-as-fast.toml",
    "17-price.toml",
    "18-throttling.toml",
    "19-agent-loops.toml",
    "20-dedicated-block.toml",
    "21-throughput-or-size.toml",
    "22-thirty-two-billion.toml",
    "23-windows-on-arm.toml",
];

static LEDGER: LazyLock<Result<Vec<Claim>, Refused>> =
    LazyLock::new(|| FILES.iter().map(|(file, text)| read(file, text)).collect());
static SPEAKERS: LazyLock<Result<BTreeMap<String, Speaker>, Refused>> = LazyLock::new(|| {
    let text = include_str!("../../claims/speakers.toml");
    toml::from_str(text).map_err(|e| Refused { file: "speakers.toml".to_owned(), what: e.to_string() })
});

/// The ledger. Errors: one of its files is refused, which a test holds to be never so.
pub fn all() -> Result<&'static [Claim], Refused> {
    LEDGER.as_deref().map_err(Clone::clone)
}

/// Who is meant by the letters. Errors: as [`all`].
pub fn speakers() -> Result<&'static BTreeMap<String, Speaker>, Refused> {
    SPEAKERS.as_ref().map_err(Clone::clone)
}
