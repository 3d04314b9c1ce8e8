//! What trials on one host class have shown: how often the gate cries wolf and how small a wolf it sees, under each condition apart.

use crate::paired::LOOKS;
use crate::statistics::upper_bound;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Fewest trials of one slowdown that a detection rate may be told from.
const FEWEST: u64 = 40;

/// One gate over two builds of one commit, as it is kept: one object of JSON a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// When it ended.
    pub at: String,
    /// Which benchmark.
    pub id: String,
    /// How much slower the candidate was made, by real work: 1 for not at all.
    pub factor: f64,
    /// The word of the verdict.
    pub verdict: String,
    /// Candidate's time over the baseline's.
    pub ratio: Option<f64>,
    /// Blocks it rests on.
    pub blocks: Option<usize>,
    /// How long it took, confirmation included.
    pub seconds: f64,
    /// Of the order of executions.
    pub seed: u64,
    /// What else the machine did.
    pub note: String,
    /// Which builds, for people: version, revision and a hash of the program. Never a path.
    #[serde(default)]
    pub builds: Vec<String>,
}

impl Trial {
    /// Whether an alarm was possible: a trial whose time was up before the first look could not have told anything.
    fn looked(&self) -> bool {
        matches!(self.verdict.as_str(), "REGRESSION" | "PASS" | "IMPROVEMENT")
            || self.blocks.is_some_and(|blocks| blocks >= LOOKS[0])
    }
}

/// Trials under one condition with one slowdown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// What else the machine did.
    pub note: String,
    /// How much slower the candidate was made: 0.05 for 5 %, 0 for not at all.
    pub share: f64,
    /// Gates over two builds of one commit.
    pub trials: u64,
    /// Of them with blocks enough for a look: only these count for the rate of false alarms.
    pub looked: u64,
    /// Of them REGRESSION: false alarms where nothing was put in, else finds.
    pub regressions: u64,
    /// Of them PASS.
    pub passes: u64,
    /// Of them IMPROVEMENT: it fails nothing, and of equal builds it is as false as an alarm.
    pub improvements: u64,
    /// Of them INCONCLUSIVE.
    pub open: u64,
}

/// All trials of one host class: appended to, never pooled with another class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calibration {
    /// By condition and slowdown, in that order.
    pub cells: Vec<Cell>,
}

/// Why a text is no list of trials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: no trial of a gate ({why}); move the file away or name another --store")]
pub struct BadTrials {
    line: usize,
    why: String,
}

impl Calibration {
    /// Counts the trials of a file. A line that a kill cut short is left out.
    ///
    /// # Errors
    /// A whole line that is no trial.
    pub fn read(text: &str) -> Result<Self, BadTrials> {
        let whole = text.lines().enumerate().filter(|(_, line)| line.ends_with('}'));
        let trials = whole
            .map(|(at, line)| serde_json::from_str(line).map_err(|e| BadTrials { line: at + 1, why: e.to_string() }));
        Ok(Self::of(&trials.collect::<Result<Vec<_>, _>>()?))
    }
    /// Counts `trials`.
    pub fn of(trials: &[Trial]) -> Self {
        // In tenths of a percent: shares are keys.
        let mut cells: BTreeMap<(&str, u64), Cell> = BTreeMap::new();
        for trial in trials {
            let tenths = (1e3 * (trial.factor - 1.0)).round() as u64;
            let cell = cells.entry((&trial.note, tenths)).or_default();
            (cell.note, cell.share) = (trial.note.clone(), tenths as f64 * 1e-3);
            cell.trials += 1;
            cell.looked += u64::from(trial.looked());
            cell.regressions += u64::from(trial.verdict == "REGRESSION");
            cell.passes += u64::from(trial.verdict == "PASS");
            cell.improvements += u64::from(trial.verdict == "IMPROVEMENT");
            cell.open += u64::from(trial.verdict == "INCONCLUSIVE");
        }
        Self { cells: cells.into_values().collect() }
    }
    /// Trials so far under `note` with a slowdown of `share`.
    pub fn trials(&self, note: &str, share: f64) -> u64 {
        let same = |cell: &&Cell| cell.note == note && (cell.share - share).abs() < 5e-4;
        self.cells.iter().find(same).map_or(0, |cell| cell.trials)
    }
    /// Every condition, once.
    pub fn notes(&self) -> Vec<&str> {
        let mut notes: Vec<&str> = self.cells.iter().map(|cell| cell.note.as_str()).collect();
        notes.dedup();
        notes
    }
    /// False alarms and the trials they could have come in, under `note` or under all conditions together.
    pub fn alarms(&self, note: Option<&str>) -> (u64, u64) {
        let equal = self.cells.iter().filter(|cell| cell.share == 0.0 && note.is_none_or(|note| cell.note == note));
        equal.fold((0, 0), |(alarms, trials), cell| (alarms + cell.regressions, trials + cell.looked))
    }
    /// The smallest slowdown found nine times in ten under `note`, of those tried often enough; a larger one that is not found
    /// so often ends the search.
    pub fn detects(&self, note: &str) -> Option<f64> {
        let tried = self.tried(note).rev().take_while(|cell| 10 * cell.regressions >= 9 * cell.trials);
        tried.last().map(|cell| cell.share)
    }
    /// Slowdowns tried often enough under `note`, ascending.
    fn tried(&self, note: &str) -> impl DoubleEndedIterator<Item = &Cell> {
        self.cells.iter().filter(move |cell| cell.note == note && cell.share > 0.0 && cell.trials >= FEWEST)
    }
    fn finds(&self, note: &str) -> String {
        match (self.detects(note), self.tried(note).next_back()) {
            (Some(share), _) => format!("finds {:.0} % nine times in ten", 100.0 * share),
            (None, Some(Cell { share, trials, regressions, .. })) => {
                format!("finds {:.0} % in {regressions} of {trials}", 100.0 * share)
            }
            (None, None) => format!("what it finds is not calibrated (fewer than {FEWEST} trials)"),
        }
    }
    /// A table for people: a line for each condition and slowdown.
    pub fn table(&self) -> String {
        let width = self.notes().iter().map(|note| note.chars().count()).max().unwrap_or(0).max(9);
        let mut out = format!(
            "{:<width$}  slowed by  trials  looked  REGRESSION            PASS  INCONCLUSIVE  IMPROVEMENT  other\n",
            "condition"
        );
        for cell in &self.cells {
            let share = |count: u64| format!("{:.0} %", 100.0 * count as f64 / cell.trials.max(1) as f64);
            let found = if cell.share == 0.0 {
                format!("{} (≤ {:.1} %)", cell.regressions, 100.0 * upper_bound(cell.regressions, cell.looked))
            } else {
                format!("{} ({})", cell.regressions, share(cell.regressions))
            };
            let slowed = if cell.share == 0.0 { "nothing".to_owned() } else { format!("{:.1} %", 100.0 * cell.share) };
            let other = cell.trials - cell.regressions - cell.passes - cell.open - cell.improvements;
            let _ = writeln!(
                out,
                "{:<width$}  {slowed:>9}  {:>6}  {:>6}  {found:<20}  {:>4}  {:>12}  {:>11}  {other:>5}",
                named(&cell.note),
                cell.trials,
                cell.looked,
                share(cell.passes),
                share(cell.open),
                cell.improvements,
            );
        }
        out
    }
}

fn named(note: &str) -> &str {
    if note.is_empty() { "no note" } else { note }
}

/// `≤ 1.0 % (n = 299)`, and how many were seen if any was.
fn bound((alarms, trials): (u64, u64)) -> String {
    let seen = if alarms > 0 { format!(", {alarms} seen") } else { String::new() };
    format!("≤ {:.1} % (n = {trials}{seen})", 100.0 * upper_bound(alarms, trials))
}

impl std::fmt::Display for Calibration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let notes = self.notes();
        for (at, note) in notes.iter().enumerate() {
            let mark = if at > 0 { "; " } else { "" };
            // Of a single unnamed condition there is nothing to tell apart.
            let name = if notes.len() == 1 && note.is_empty() { String::new() } else { format!("{}: ", named(note)) };
            let alarms = match self.alarms(Some(note)) {
                (_, 0) => "false alarms not counted".to_owned(),
                alarms => format!("false alarms {}", bound(alarms)),
            };
            write!(f, "{mark}{name}{alarms}, {}", self.finds(note))?;
        }
        if notes.iter().filter(|note| self.alarms(Some(note)).1 > 0).count() > 1 {
            write!(f, "; together false alarms {}", bound(self.alarms(None)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(note: &str, factor: f64, verdict: &str) -> String {
        format!(
            r#"{{"at":"t","id":"gemm/cpu/x","factor":{factor:?},"verdict":"{verdict}","ratio":1.0,"blocks":10,"seconds":5.0,"seed":1,"note":"{note}","builds":["./a","./b"]}}"#
        )
    }
    fn many(note: &str, factor: f64, verdicts: &[(&str, usize)]) -> String {
        let lines = verdicts.iter().flat_map(|(verdict, times)| vec![line(note, factor, verdict) + "\n"; *times]);
        lines.collect()
    }
    fn read(text: &str) -> Calibration {
        Calibration::read(text).expect("trials")
    }

    #[test]
    fn it_says_what_it_knows_and_no_more() {
        let few = read(&many("", 1.0, &[("PASS", 60)]));
        assert!(few.to_string().starts_with("false alarms ≤ 4.9 % (n = 60)") && few.detects("").is_none(), "{few}");
        let text = many("quiet", 1.0, &[("PASS", 290), ("INCONCLUSIVE", 9)])
            + &many("quiet", 1.03, &[("REGRESSION", 40), ("INCONCLUSIVE", 20)])
            + &many("quiet", 1.05, &[("REGRESSION", 58), ("INCONCLUSIVE", 2)])
            + &many("quiet", 1.08, &[("REGRESSION", 10)]);
        let quiet = read(&text);
        assert_eq!(quiet.detects("quiet"), Some(0.05));
        assert_eq!(quiet.to_string(), "quiet: false alarms ≤ 1.0 % (n = 299), finds 5 % nine times in ten");
    }

    #[test]
    fn a_loaded_machine_is_told_apart_from_a_quiet_one() {
        let text = many("quiet", 1.0, &[("PASS", 150)])
            + &many("quiet", 1.05, &[("REGRESSION", 39), ("PASS", 1)])
            + &many("two hogs", 1.0, &[("PASS", 60), ("INCONCLUSIVE", 88), ("REGRESSION", 1)])
            + &many("two hogs", 1.05, &[("REGRESSION", 20), ("INCONCLUSIVE", 18), ("IMPROVEMENT", 1), ("BROKEN", 1)]);
        let both = read(&text);
        assert_eq!((both.detects("quiet"), both.detects("two hogs")), (Some(0.05), None));
        assert_eq!((both.alarms(Some("quiet")), both.alarms(None)), ((0, 150), (1, 299)));
        let told = both.to_string();
        assert!(told.contains("quiet: false alarms ≤ 2.0 % (n = 150), finds 5 % nine times in ten; "), "{told}");
        assert!(told.contains("two hogs: false alarms ≤ 3.1 % (n = 149, 1 seen), finds 5 % in 20 of 40; "), "{told}");
        assert!(told.ends_with("together false alarms ≤ 1.6 % (n = 299, 1 seen)"), "{told}");
        let table = both.table();
        assert_eq!(table.lines().count(), 5, "{table}");
        let ends: Vec<&str> = table.lines().filter_map(|l| l.split_whitespace().last()).collect();
        assert_eq!(ends, ["other", "0", "0", "0", "1"], "{table}");
        assert!(
            table.lines().any(|l| l.starts_with("two hogs") && l.contains("nothing") && l.contains("59 %")),
            "{table}"
        );
    }

    #[test]
    fn a_trial_that_never_came_to_a_look_is_no_proof_of_silence() {
        let starved = line("hogs", 1.0, "INCONCLUSIVE").replace(r#""blocks":10"#, r#""blocks":4"#) + "\n";
        let unmeasured = line("hogs", 1.0, "INCONCLUSIVE").replace(r#""blocks":10"#, r#""blocks":null"#) + "\n";
        let known = read(&(many("hogs", 1.0, &[("PASS", 20), ("INCONCLUSIVE", 40)]) + &starved + &unmeasured));
        assert_eq!((known.trials("hogs", 0.0), known.alarms(None)), (62, (0, 60)));
        assert!(known.to_string().contains("≤ 4.9 % (n = 60)"), "{known}");
    }

    #[test]
    fn a_slowdown_below_one_that_is_missed_is_not_what_it_finds() {
        let text = many("", 1.03, &[("REGRESSION", 40)]) + &many("", 1.05, &[("REGRESSION", 30), ("PASS", 10)]);
        assert_eq!(read(&text).detects(""), None);
    }

    #[test]
    fn a_line_cut_short_is_left_out_and_nonsense_is_named() {
        let cut = line("quiet", 1.0, "PASS");
        let known = read(&format!("{cut}\n{}", &cut[..40]));
        assert_eq!(known.trials("quiet", 0.0), 1);
        let error = Calibration::read(&format!("{cut}\n{{}}\n")).expect_err("no trial").to_string();
        assert!(error.starts_with("line 2: ") && error.contains("--store"), "{error}");
        assert_eq!(read(""), Calibration::default());
    }
}
