//! What the machine takes when it does nothing, and energies without it.

use spark_results::conditions::{Energy, NetEnergy};
use spark_results::telemetry::{Header, Sample};

use super::{LARGEST_UNCERTAINTY, found};

/// The watts of one scope at rest.
#[derive(Clone, Debug, PartialEq)]
struct Rest {
    scope: String,
    source: String,
    watts: f64,
    /// How uncertain they are, in watts, and how far they wandered meanwhile.
    half: f64,
}

/// The powers of a machine at rest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Idle(Vec<Rest>);

impl Idle {
    /// What every scope took in `[from_ns, to_ns]`, a time in which this program let the machine rest.
    #[must_use]
    pub fn of(header: &Header, samples: &[Sample], from_ns: u64, to_ns: u64) -> Self {
        let quarter = (to_ns.saturating_sub(from_ns) / 4).max(1);
        let seconds = |ns: u64| ns as f64 * 1e-9;
        let parts: Vec<_> =
            (0..4).map(|i| found(header, samples, &[[from_ns + i * quarter, from_ns + (i + 1) * quarter]])).collect();
        let rest = found(header, samples, &[[from_ns, to_ns]]).into_iter().filter_map(|one| {
            let whole = one.estimate.ok()?;
            let watts = whole.joules / seconds(to_ns - from_ns);
            let part = |p: &Vec<super::Found>| {
                let same = p.iter().find(|o| o.scope == one.scope && o.source == one.source)?;
                Some(same.estimate.as_ref().ok()?.joules / seconds(quarter))
            };
            let parts: Vec<f64> = parts.iter().filter_map(part).collect();
            let (low, high) = parts.iter().fold((watts, watts), |(l, h), w| (l.min(*w), h.max(*w)));
            let half = (whole.half / seconds(to_ns - from_ns)).hypot((high - low) / 2.0);
            Some(Rest { scope: one.scope, source: one.source, watts, half })
        });
        Self(rest.collect())
    }

    /// Adds to each reading what is left of it above the power at rest; where that is less certain than readings have to be, nothing.
    pub fn subtract(&self, energy: &mut Energy) {
        let Energy::Measured { readings, .. } = energy else { return };
        for reading in readings {
            let Some(rest) = self.0.iter().find(|r| r.scope == reading.scope && r.source == reading.source) else {
                continue;
            };
            let seconds = reading.joules / reading.watts;
            let joules = reading.joules - rest.watts * seconds;
            let half = (reading.plus_minus * reading.joules).hypot(rest.half * seconds);
            let plus_minus = half / joules;
            if joules > 0.0 && plus_minus <= LARGEST_UNCERTAINTY {
                reading.net = Some(NetEnergy { joules, plus_minus, idle_watts: rest.watts });
            }
        }
    }
}
