//! The architectures that are compiled for, and the macros by which device code knows them.

/// A GPU's architecture, `sm_90a` for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// Major and minor version as one number: 90, 121.
    pub number: u32,
    /// Nothing, `a` (this one exactly) or `f` (its family).
    pub suffix: Option<char>,
}

/// Those of CUDA 13.0, by their numbers; the suffixes that some of them have beside none.
const KNOWN: [(u32, &str); 12] = [
    (75, ""),
    (80, ""),
    (86, ""),
    (87, ""),
    (88, ""),
    (89, ""),
    (90, "a"),
    (100, "af"),
    (103, "af"),
    (110, "af"),
    (120, "af"),
    (121, "af"),
];

impl Architecture {
    /// The one called `sm_…`. Errors: why there is none of that name.
    pub fn named(name: &str) -> Result<Self, String> {
        let unknown = || format!("nvrtc: error: invalid value for --gpu-architecture (-arch): {name}");
        let Some(text) = name.strip_prefix("sm_") else {
            return Err(format!("{}; the double makes objects for exact architectures, sm_…", unknown()));
        };
        let suffix = text.chars().last().filter(|c| !c.is_ascii_digit());
        let number = text.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().map_err(|_| unknown())?;
        let known = KNOWN.iter().find(|(n, _)| *n == number).ok_or_else(unknown)?;
        if suffix.is_some_and(|s| !known.1.contains(s)) {
            return Err(unknown());
        }
        Ok(Self { number, suffix })
    }

    /// Numbers of those without a suffix.
    pub fn numbers() -> Vec<i32> {
        KNOWN.iter().map(|(n, _)| i32::try_from(*n).unwrap_or(0)).collect()
    }

    /// The macros that the compiler sets, as `NAME=VALUE`.
    pub fn macros(self) -> Vec<String> {
        let value = self.number * 10;
        let mut macros = vec![format!("__CUDA_ARCH__={value}")];
        if self.suffix.is_some() {
            macros.push(format!("__CUDA_ARCH_FAMILY_SPECIFIC__={value}"));
        }
        if self.suffix == Some('a') {
            macros.push(format!("__CUDA_ARCH_SPECIFIC__={value}"));
            // CUDA 13.0 knows no such macro for 121.
            if self.number != 121 {
                macros.push(format!("__CUDA_ARCH_FEAT_SM{}_ALL=1", self.number));
            }
        }
        macros
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_macros_and_others_are_refused() {
        let of = |name| Architecture::named(name).map(Architecture::macros);
        assert_eq!(of("sm_80"), Ok(vec!["__CUDA_ARCH__=800".to_owned()]));
        assert!(of("sm_90a").is_ok_and(|m| m.contains(&"__CUDA_ARCH_FEAT_SM90_ALL=1".to_owned())));
        assert!(of("sm_121a").is_ok_and(|m| m.len() == 3));
        assert!(of("sm_120f").is_ok_and(|m| m == ["__CUDA_ARCH__=1200", "__CUDA_ARCH_FAMILY_SPECIFIC__=1200"]));
        for wrong in ["compute_90", "sm_", "sm_70", "sm_80a", "sm_90f", "sm_121x", "gfx1151"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
