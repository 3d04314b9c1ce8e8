//! What was counted beside the time: instructions, bytes, operations. It explains a change and never decides.

use spark_results::quantity::si;

/// Instructions that differ by less are the same: preparing is not repeated to the last one.
const SAME: f64 = 0.002;

/// What was counted of one benchmark, the baseline's first.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Instructions, or why they were not counted.
    pub instructions: Result<Instructions, String>,
    /// Bytes that an iteration moves at least, as each build's op counts them; `None` where a build does not tell.
    pub bytes: Option<[u64; 2]>,
    /// Operations of an iteration, counted the same way.
    pub flops: Option<[u64; 2]>,
}

/// Instructions of one iteration.
#[derive(Clone, Debug, PartialEq)]
pub struct Instructions {
    /// Of each build.
    pub each: [f64; 2],
    /// The benchmark that was counted: where the counter lacks a processor's newest instructions, another implementation of it.
    pub of: String,
}

impl Explanation {
    /// One sentence for a person, on a benchmark of the name `id`.
    pub fn text(&self, id: &str) -> String {
        let mut parts = Vec::new();
        match &self.instructions {
            Err(why) => parts.push(format!("instructions were not counted: {why}")),
            Ok(Instructions { each: [old, new], of }) => {
                let change = new / old - 1.0;
                let same = change.abs() < SAME;
                let told = if same {
                    "the same instructions".to_owned()
                } else {
                    format!("{:+.1} % instructions", 1e2 * change)
                };
                let there = if of == id { String::new() } else { format!(", counted on {of}") };
                parts.push(format!("{told} ({} → {} an iteration{there})", short(*old), short(*new)));
                if same && of != id {
                    parts.push("code that only newer processors run was not counted".to_owned());
                } else if same {
                    parts.push("what differs is not how much code runs, but how fast".to_owned());
                }
            }
        }
        for (name, counted) in [("bytes", self.bytes), ("operations", self.flops)] {
            parts.push(match counted {
                None => format!("{name} are not told by both builds"),
                Some([old, new]) if old == new => format!("the same {name}"),
                Some([old, new]) => {
                    format!(
                        "{:+.1} % {name} ({} → {})",
                        1e2 * (new as f64 / old as f64 - 1.0),
                        short(old as f64),
                        short(new as f64)
                    )
                }
            });
        }
        parts.join("; ")
    }
}

fn short(count: f64) -> String {
    si(count, "").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "gemm/cpu/avx512-vnni?m=1";

    fn counted(each: [f64; 2], of: &str) -> Explanation {
        let instructions = Ok(Instructions { each, of: of.into() });
        Explanation { instructions, bytes: Some([1000, 1000]), flops: Some([500, 500]) }
    }

    #[test]
    fn more_code_is_told_as_more_code() {
        let told = counted([2.0e6, 2.1e6], ID).text(ID);
        assert_eq!(told, "+5.0 % instructions (2.00 M → 2.10 M an iteration); the same bytes; the same operations");
    }

    #[test]
    fn the_same_code_is_said_to_be_so_only_where_that_code_was_counted() {
        let same = counted([2.0e6, 2.0e6 + 10.0], ID).text(ID);
        assert!(same.contains("the same instructions") && same.contains("how fast"), "{same}");
        let other = counted([2.0e6, 2.0e6], "gemm/cpu/avx2?m=1").text(ID);
        assert!(other.contains("counted on gemm/cpu/avx2?m=1") && other.contains("was not counted"), "{other}");
        assert!(!other.contains("how fast"), "{other}");
    }

    #[test]
    fn what_was_not_counted_says_why_and_shows_no_number() {
        let none = Explanation { instructions: Err("valgrind is not here".into()), bytes: None, flops: Some([8, 16]) };
        let told = none.text(ID);
        assert!(told.contains("not counted: valgrind is not here") && told.contains("bytes are not told"), "{told}");
        assert!(told.contains("+100.0 % operations (8.00 → 16.0)") && !told.contains("NaN"), "{told}");
    }
}
