//! The named faults of GB10, by what they look like from outside. Most of them raise no flag: the work's clock and power tell.
//!
//! Signatures as owners reported them: forum threads 361294, 366590 and 376039 (stuck in low power), spark-gpu-throttle-check (the
//! limits below), Avarok-Cybersecurity/atlas#569 (heat), tonyd2wild's fleet notes (the hidden slow state).

use super::evidence::Evidence;
use super::{Finding, Severity, finding};
use crate::throttled;
use spark_results::canary::Canary;
use spark_results::quantity::{digits, percent, si};

/// An SM clock below this under load is no clock a GB10 chooses: it runs at 2.2 to 2.5 GHz.
const LOW_HZ: f64 = 1.4e9;
/// Of the highest clock, where that is known: other GPUs have other clocks.
const LOW_SHARE: f64 = 0.6;
/// Busy by less than this, a low clock may be idleness.
pub(super) const BUSY: f64 = 0.8;
/// A whole machine that takes no more than this under load is held at the 30 W that an unproven supply may give.
const SAFETY_W: f64 = 32.0;
/// Zones of a throttling GB10 stood at 82 to 89 °C, of a healthy one at 59 to 65.
const HOT_C: f64 = 85.0;
/// The wedge lasts five to ten minutes; a shorter dip is something else.
const WEDGED_S: f64 = 60.0;
const WEDGED_HZ: f64 = 0.85e9;

type Fault = fn(&Evidence) -> Option<Finding>;

/// In the order in which they explain each other: what stands first makes those behind it a consequence.
const FAULTS: &[Fault] = &[thermal, safety_mode, wedge, stuck, waiting];

/// The first fault that explains `evidence`.
pub(super) fn of(evidence: &Evidence) -> Option<Finding> {
    FAULTS.iter().find_map(|fault| fault(evidence))
}

impl Evidence {
    fn low(&self) -> bool {
        let limit = self.max_clock_hz.map_or(LOW_HZ, |max| LOW_SHARE * max);
        self.clock_hz.is_some_and(|hz| hz < limit)
    }
    fn held_back(&self) -> u64 {
        self.reasons.unwrap_or(0) & (throttled::HELD_BACK | throttled::POWER_CAP)
    }
    /// Clock, power and load in words.
    fn seen(&self) -> String {
        let mut said = Vec::new();
        said.extend(self.clock_hz.map(|hz| si(hz, "Hz")));
        said.extend(self.watts.map(|w| format!("{} W", digits(w))));
        said.extend(self.busy.map(|b| format!("{} busy", percent(b))));
        said.extend(self.hottest_c.map(|c| format!("{c:.0} °C")));
        format!("{} {}: {}", self.scope, self.when, said.join(", "))
    }
}

fn thermal(e: &Evidence) -> Option<Finding> {
    let bits = e.held_back() & (0x20 | 0x40);
    if bits == 0 && !e.heat_counted && e.hottest_c.is_none_or(|c| c < HOT_C) {
        return None;
    }
    let why = match (bits, e.heat_counted) {
        (0, false) => format!("above {HOT_C:.0} °C"),
        (0, true) => "its counter of time held back by heat grew".into(),
        (bits, _) => throttled::reasons(bits).join(" and "),
    };
    finding(
        Severity::Spoils,
        format!("thermal: {}, {why}", e.seen()),
        "a hot GB10 was seen 56 % slower than one of the same kind with zones at 60 degrees",
        "let it cool and give it air; as root, nvidia-smi -lgc 0,2100 keeps it below its limit at a known cost",
    )
}

fn safety_mode(e: &Evidence) -> Option<Finding> {
    let system = e.system_watts.filter(|w| *w <= SAFETY_W)?;
    (e.working() && e.low()).then_some(())?;
    finding(
        Severity::Spoils,
        format!("30 W mode: the whole machine takes {} W under load; {}", digits(system), e.seen()),
        "a supply or cable that the machine has not agreed with gives 30 W, and everything runs at a fraction of its speed",
        "use the supply and the cable that came with it; where that does not help the board has to be exchanged",
    )
}

fn wedge(e: &Evidence) -> Option<Finding> {
    let slow: f64 = e.levels.iter().filter(|l| l.1 < WEDGED_HZ).map(|l| l.0).sum();
    let fast = e.levels.iter().filter(|l| l.1 >= LOW_HZ).map(|l| l.1).reduce(f64::max)?;
    (slow >= WEDGED_S && e.working() && e.held_back() == 0).then_some(())?;
    finding(
        Severity::Spoils,
        format!(
            "power delivery wedge: {} {} ran below {} for {} s and at {} otherwise, and no reason is given",
            e.scope,
            e.when,
            si(WEDGED_HZ, "Hz"),
            digits(slow),
            si(fast, "Hz")
        ),
        "the firmware of the power delivery falls back for minutes, every half hour or so: rows of both states are no average of anything",
        "update the firmware; until then shut down and take the supply off for a minute, and measure again",
    )
}

fn stuck(e: &Evidence) -> Option<Finding> {
    (e.working() && e.low() && e.reasons.is_some() && e.held_back() == 0).then_some(())?;
    finding(
        Severity::Spoils,
        format!("stuck in low power: {}, and no reason is given", e.seen()),
        "a GB10 in this state computes at 40 % of its rate and no flag says so",
        "shut down, take the supply off the wall and the machine for a minute, start again; a reboot does not help",
    )
}

/// The same look without a known kernel: a program that waits by spinning keeps a GPU busy at a low power, too.
fn waiting(e: &Evidence) -> Option<Finding> {
    let busy = e.busy.is_some_and(|b| b >= BUSY);
    (busy && !e.known_load && e.low()).then_some(())?;
    finding(
        Severity::Note,
        format!("{}, by work that is not ours", e.seen()),
        "that is how a GB10 stuck in low power looks, and also one whose program waits by spinning: from outside they cannot be told apart",
        "end that program, measure something known (spark-bench soak --load gemm), and give the run to spark-bench doctor",
    )
}

/// The state in which a matrix times a vector is three times slower and copies, clocks and flags are as ever.
pub(super) fn hidden(canary: &Canary) -> Option<Finding> {
    let slow = canary.slow()?;
    finding(
        Severity::Spoils,
        format!("hidden slow state: {slow}"),
        "decode is bound by exactly what is slow now, while clocks, flags and copies look healthy",
        "update firmware and driver (not seen on GB10 from BIOS ...ACUM027 with driver 580.173.02 on); restart, and measure again",
    )
}
