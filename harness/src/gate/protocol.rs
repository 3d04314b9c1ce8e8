//! What parent and child of a gate say to each other: one JSON object a line, the child's on stdout, the parent's on stdin.
//!
//! A child says `hello` first, with the ids it can run. Then it answers each line: `run` with `ran` or `declined`, `bye` by
//! ending. Fields that a later build adds are ignored by an older one, so that a build of an older commit can be the baseline.

use serde::{Deserialize, Serialize};
use spark_results::Work;
use std::collections::BTreeMap;

/// The version of this protocol. It changes only where an older child would misunderstand.
pub const PROTOCOL: u32 = 1;

/// What the parent asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Run a benchmark once more. The first time it is prepared and checked against its reference.
    Run {
        /// Which.
        id: String,
        /// How many iterations, timed as one; 0 only prepares.
        iterations: u64,
    },
    /// End.
    Bye,
}

/// What the child answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// First of all.
    Hello(Hello),
    /// It ran.
    Ran {
        /// Nanoseconds of all iterations together.
        ns: u64,
        /// Iterations that really ran: those that belong together are not torn apart.
        iterations: u64,
        /// Clock of each core of the device right behind, in hertz, where it can be known.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        clocks_hz: Vec<f64>,
        /// Cycles of the device's own clock in all iterations together, where it stamps them around its work, as a GPU does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cycles: Option<f64>,
        /// What one iteration does, as the build counts it; a build that does not count leaves it out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        work: Option<Work>,
    },
    /// It cannot run.
    Declined {
        /// Whether something is broken, rather than absent here.
        broken: bool,
        /// Why.
        reason: String,
    },
}

/// Who a child is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// See [`PROTOCOL`].
    pub protocol: u32,
    /// The schema of its results.
    pub schema: String,
    /// Its version, revision and profile, in words.
    pub build: String,
    /// The ids it can run, of those it was asked for.
    pub benchmarks: Vec<String>,
    /// Bytes of memory that each of them takes, where the build knows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bytes: BTreeMap<String, u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_an_older_build_wrote_them() {
        let ask: Ask = serde_json::from_str(r#"{"run":{"id":"a/b/c","iterations":3}}"#).unwrap();
        assert_eq!(ask, Ask::Run { id: "a/b/c".into(), iterations: 3 });
        assert_eq!(serde_json::to_string(&Ask::Bye).unwrap(), r#""bye""#);
        let hello = r#"{"hello":{"protocol":1,"schema":"s","build":"b","benchmarks":["a/b/c"]}}"#;
        let hello: Answer = serde_json::from_str(hello).unwrap();
        assert!(matches!(hello, Answer::Hello(Hello { bytes, .. }) if bytes.is_empty()));
        let ran: Answer = serde_json::from_str(r#"{"ran":{"ns":5,"iterations":1,"later":true}}"#).unwrap();
        assert_eq!(ran, Answer::Ran { ns: 5, iterations: 1, clocks_hz: Vec::new(), cycles: None, work: None });
    }
}
