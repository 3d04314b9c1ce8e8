//! Two builds over several benchmarks: each fought in turn, judged together, and what looks like a change measured once more.

use super::child::{Build, Child, Trouble};
use super::duel::{Duel, Fought, Plan};
use super::instructions;
use super::protocol::Hello;
use crate::os::SysRoot;
use spark_gate::explained::Explanation;
use spark_gate::gate::Row;
use spark_gate::paired::{
    CONFIRMATION, Cycles, Effect, Rules, Side, Standing, confirmed, in_cycles, standing, verdicts,
};
use spark_gate::{Policy, Verdict};
use std::time::{Duration, Instant};

/// Who meets, and by which rules.
pub struct Contest<'a> {
    /// What stood before.
    pub baseline: &'a Build,
    /// What is judged.
    pub candidate: &'a Build,
    /// Floors, α, and seconds a benchmark.
    pub policy: &'a Policy,
    /// Of the order of executions.
    pub seed: u64,
    /// Where the machine's state is read.
    pub root: &'a SysRoot,
    /// Hears how far it is.
    pub say: &'a dyn Fn(String),
    /// Whether to stop.
    pub stop: &'a dyn Fn() -> bool,
    /// What is counted beside the time.
    pub explain: Explain,
}

/// Of which benchmarks instructions are counted, after everything was timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explain {
    /// Of none.
    Nothing,
    /// Of those that changed.
    Changes,
    /// Of all.
    All,
}

impl std::fmt::Debug for Contest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contest")
            .field("baseline", self.baseline)
            .field("candidate", self.candidate)
            .finish_non_exhaustive()
    }
}

/// Both builds' introductions. Errors: one is no build of this program, or their results are of different schemas.
pub fn introduced(baseline: &Build, candidate: &Build) -> Result<[Hello; 2], String> {
    let hello = |build: &Build| Child::start(build).map(|child| child.hello.clone()).map_err(|t| t.to_string());
    let both = [hello(baseline)?, hello(candidate)?];
    let [old, new] = [&both[0].schema, &both[1].schema];
    if old != new {
        return Err(format!(
            "the builds write results of different schemas ({old} and {new}); compare builds of one schema"
        ));
    }
    Ok(both)
}

/// The ids that both builds can run. Errors: there are none.
pub fn in_common([old, new]: &[Hello; 2]) -> Result<Vec<String>, String> {
    let both: Vec<_> = old.benchmarks.iter().filter(|id| new.benchmarks.contains(id)).cloned().collect();
    if both.is_empty() {
        let mend = "loosen --filter or choose another --suite (`spark-bench list suites`)";
        return Err(format!("the builds have no benchmark in common; {mend}"));
    }
    Ok(both)
}

/// Why `id` cannot be judged beside itself, if so: both builds hold what it takes at once, each packed in its own way.
pub fn crowded([old, new]: &[Hello; 2], id: &str, usable: u64) -> Option<String> {
    let both = old.bytes.get(id)?.saturating_add(*new.bytes.get(id)?);
    let size = spark_results::quantity::size;
    (both > usable).then(|| {
        format!(
            "both builds hold it at once and take {}, and {} of memory may be used; choose a smaller shape or model",
            size(both),
            size(usable)
        )
    })
}

impl Contest<'_> {
    /// Fights over `ids`, as many as `budget` reaches, and judges them together. Returns a row each, and the ids left over.
    pub fn over(&self, ids: &[String], budget: Option<Duration>) -> (Vec<Row>, Vec<String>) {
        let (mut fought, mut left_over, began) = (Vec::new(), Vec::new(), Instant::now());
        for (at, id) in ids.iter().enumerate() {
            if (self.stop)() || budget.is_some_and(|all| began.elapsed() >= all) {
                left_over.push(id.clone());
                continue;
            }
            (self.say)(format!("{}/{} {id}", at + 1, ids.len()));
            let seed = self.seed.wrapping_add(at as u64);
            let plan = Plan { rules: self.rules(id, ids.len()), budget_s: self.policy.budget_s, seed };
            fought.push((id, self.duel(id, seed).fight(&plan, self.stop)));
        }
        let standings: Vec<Standing> = fought
            .iter()
            .map(|(id, fought)| fought.standing.unwrap_or_else(|| standing(&[], &self.rules(id, ids.len()))))
            .collect();
        let rows = fought.iter().enumerate().map(|(at, (id, fought))| {
            let rules = self.rules(id, ids.len());
            // Floors differ by benchmark, the family of tests does not.
            let verdict = said(fought).unwrap_or_else(|| verdicts(&standings, &rules).swap_remove(at));
            self.confirmed(row(id, verdict, fought, self.policy), fought, &rules, at as u64)
        });
        let rows: Vec<Row> = rows.collect();
        let explained = rows.into_iter().zip(&fought).map(|(row, (_, fought))| self.explained(row, fought));
        (explained.collect(), left_over)
    }

    /// `row` with what was counted beside the time, where that is asked for.
    fn explained(&self, mut row: Row, fought: &Fought) -> Row {
        let changed = matches!(row.verdict, Verdict::Regression | Verdict::Improvement);
        let wanted = self.explain == Explain::All || self.explain == Explain::Changes && changed;
        // What could not be timed cannot be counted either.
        if !wanted || row.effect.is_none() || (self.stop)() {
            return row;
        }
        (self.say)(format!("{}: its instructions are counted", row.id));
        let [old, new] = &fought.work;
        let both = old.as_ref().zip(new.as_ref());
        row.explanation = Some(Explanation {
            instructions: instructions::counted([self.baseline, self.candidate], &row.id),
            bytes: both.map(|(old, new)| [old.bytes, new.bytes]),
            flops: both.map(|(old, new)| [old.flops, new.flops]),
        });
        row
    }

    fn rules(&self, id: &str, benchmarks: usize) -> Rules {
        Rules { floor: self.policy.floor(id), alpha: self.policy.alpha, benchmarks, seed: self.seed }
    }
    fn duel<'b>(&'b self, id: &'b str, seed: u64) -> Duel<'b> {
        Duel::new(id, self.baseline, self.candidate, seed, self.root)
    }

    /// Measures what looks like a change once more, with new processes and in a new order. What does not come again is not told.
    fn confirmed(&self, mut row: Row, first: &Fought, rules: &Rules, at: u64) -> Row {
        if !matches!(row.verdict, Verdict::Regression | Verdict::Improvement) {
            return row;
        }
        let name = row.verdict.name().to_lowercase();
        (self.say)(format!("{} looks like a case of {name}: measured once more", row.id));
        let second = self.duel(&row.id, self.seed ^ (0x5eed + at)).again(CONFIRMATION, first.block_s, self.stop);
        row.notes.extend(second.notes.iter().map(|note| format!("confirmation: {note}")));
        let whole = second.differences.len() == CONFIRMATION && second.void.is_none();
        if !(whole && confirmed(&second.differences, &row.verdict, rules)) {
            let why = match (&second.trouble, &second.void) {
                (Some((_, trouble)), _) => trouble.to_string(),
                (None, Some(void)) => void.clone(),
                (None, None) => "fresh processes did not show it again".to_owned(),
            };
            row.verdict = Verdict::Inconclusive(format!("a case of {name} that was not confirmed: {why}"));
            return row;
        }
        counted(row, &second, rules)
    }
}

/// `row`, a change that `second` confirmed in time, in cycles of the device's own clock, where both builds told them.
fn counted(mut row: Row, second: &Fought, rules: &Rules) -> Row {
    let told = |effect: Effect| {
        let [low, high] = effect.ci95;
        format!("×{:.3} of the cycles ({low:.3} to {high:.3})", effect.ratio)
    };
    match in_cycles(&second.cycle_differences, second.differences.len(), &row.verdict, rules) {
        Cycles::Untold => {}
        Cycles::Also(effect) => row.notes.push(format!("confirmation: {}", told(effect))),
        Cycles::Not(effect) => {
            let name = row.verdict.name().to_lowercase();
            let why =
                format!("a case of {name} in time only: {}, so that the device ran at another clock", told(effect));
            row.verdict = Verdict::Inconclusive(why);
        }
    }
    row
}

/// What overrules the statistics.
fn said(fought: &Fought) -> Option<Verdict> {
    if let Some((side, trouble)) = &fought.trouble {
        return Some(match (side, trouble) {
            (Side::Candidate, Trouble::Declined { broken: false, .. }) => Verdict::Missing,
            (Side::Baseline, Trouble::Declined { broken: false, .. }) => Verdict::New,
            (Side::Candidate, trouble) => Verdict::Broken(trouble.to_string()),
            (Side::Baseline, trouble) => {
                Verdict::Inconclusive(format!("the baseline could not be measured: {trouble}"))
            }
        });
    }
    fought.void.clone().map(Verdict::Inconclusive)
}

fn row(id: &str, verdict: Verdict, fought: &Fought, policy: &Policy) -> Row {
    let reason = match &fought.trouble {
        Some((_, Trouble::Declined { broken: false, reason })) => vec![reason.clone()],
        _ => Vec::new(),
    };
    Row {
        effect: fought.standing.and_then(|s| s.effect),
        slower_p: fought.standing.map(|s| s.slower_p.min(1.0)),
        notes: reason.into_iter().chain(fought.notes.iter().cloned()).collect(),
        ..Row::bare(id, verdict, policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_twice_is_declined_with_its_sizes() {
        let hello = |bytes: &[(&str, u64)]| Hello {
            protocol: 1,
            schema: String::new(),
            build: String::new(),
            benchmarks: Vec::new(),
            bytes: bytes.iter().map(|(id, bytes)| ((*id).to_owned(), *bytes)).collect(),
        };
        let both = [hello(&[("large", 6 << 30), ("small", 1 << 30)]), hello(&[("large", 6 << 30), ("small", 1 << 30)])];
        let why = crowded(&both, "large", 10 << 30).expect("12 GiB do not fit in 10");
        assert!(why.contains("12 GiB") && why.contains("10 GiB") && why.contains("; choose"), "{why}");
        assert_eq!(crowded(&both, "large", 12 << 30), None);
        assert_eq!(crowded(&both, "small", 10 << 30), None);
        // An older build does not tell: it finds out by itself.
        assert_eq!(crowded(&[both[0].clone(), hello(&[])], "large", 0), None);
    }
}
