//! A set of logical processors, written as Linux writes one: `0-4,10-14`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Highest processor number believed: twice what Linux can be built for, and a bound on what a forged list can make us allocate.
const HIGHEST: u32 = 16_383;

/// Logical processors by number, sorted, each once. In JSON it is the text of its `Display`: `"0-4,10-14"`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct CpuSet(Vec<u32>);

/// A text that is no list of processors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a list of processors: {text:?}; expected something like 0-3,8 with numbers up to {HIGHEST}")]
pub struct ParseCpuSetError {
    text: String,
}

impl CpuSet {
    /// How many processors are in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the set has no processor.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether processor `cpu` is in the set.
    #[must_use]
    pub fn contains(&self, cpu: u32) -> bool {
        self.0.binary_search(&cpu).is_ok()
    }

    /// The numbers, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<u32> for CpuSet {
    fn from_iter<T: IntoIterator<Item = u32>>(cpus: T) -> Self {
        let mut cpus: Vec<u32> = cpus.into_iter().collect();
        cpus.sort_unstable();
        cpus.dedup();
        Self(cpus)
    }
}

impl FromStr for CpuSet {
    type Err = ParseCpuSetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseCpuSetError { text: super::clean(text) };
        let number = |s: &str| s.trim().parse::<u32>().ok().filter(|n| *n <= HIGHEST).ok_or_else(wrong);
        let mut cpus = Vec::new();
        for part in text.trim().split(',').filter(|p| !p.trim().is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            // The second bound stops a list that repeats one wide range thousands of times.
            if first > last || cpus.len() > HIGHEST as usize {
                return Err(wrong());
            }
            cpus.extend(first..=last);
        }
        Ok(cpus.into_iter().collect())
    }
}

impl TryFrom<String> for CpuSet {
    type Error = ParseCpuSetError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CpuSet> for String {
    fn from(set: CpuSet) -> Self {
        set.to_string()
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, run) in self.0.chunk_by(|a, b| a.checked_add(1) == Some(*b)).enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            match run {
                [one] => write!(f, "{one}")?,
                [first, .., last] => write!(f, "{first}-{last}")?,
                [] => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_read_back_as_written() {
        for (text, len, back) in
            [("0-3,8", 5, "0-3,8"), ("", 0, ""), ("5", 1, "5"), ("8, 0-1\n", 3, "0-1,8"), ("1-2,2-3", 3, "1-3")]
        {
            let set: CpuSet = text.parse().unwrap();
            assert_eq!((set.len(), set.to_string().as_str()), (len, back), "{text:?}");
        }
    }

    #[test]
    fn lists_that_lie_are_refused() {
        for text in ["3-1", "a", "0-4294967295", "-1", "1-2-3", "0x1"] {
            assert!(text.parse::<CpuSet>().is_err(), "{text:?}");
        }
        let bomb = "0-16383,".repeat(1000);
        assert!(bomb.parse::<CpuSet>().is_err());
    }
}
