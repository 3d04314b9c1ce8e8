//! In which state a machine was, and how two runs differ in that.

use super::Difference;
use crate::conditions::Throttling;
use crate::machine::{PowerSource, clean};
use crate::stats::median;
use crate::{Measurement, Run};

/// Core clocks that differ by more than this share are different states.
const CLOCK: f64 = 0.10;

/// What differs between the states of the machines of two runs: power, clocks and who governs them, threads, the kernel, the build's
/// profile, throttling. What one of them does not know is no difference.
pub fn states(a: &Run, b: &Run) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |what: &str, of: &dyn Fn(&Run) -> Option<String>| {
        if let (Some(a), Some(b)) = (of(a), of(b))
            && a != b
        {
            found.push(Difference { what: what.to_owned(), a: Some(clean(&a)), b: Some(clean(&b)) });
        }
    };
    compare("power", &|run| run.manifest.machine.power_source.map(power));
    compare("the kernel", &|run| run.manifest.machine.os.kernel.clone());
    compare("turbo", &|run| run.manifest.machine.frequency.turbo.map(|t| t.to_string()));
    compare("the build's profile", &|run| Some(run.manifest.build.profile.clone()));
    compare("the number of threads", &|run| run.manifest.settings.threads.map(|t| t.to_string()));
    compare("the clocks' governor", &governed);
    compare("throttling", &throttled);
    if let (Some(then), Some(now)) = (clock(a), clock(b))
        && ((now / then).ln()).abs() > CLOCK.ln_1p()
    {
        let [a, b] = [then, now].map(|hz| Some(format!("{:.2} GHz", 1e-9 * hz)));
        found.push(Difference { what: "the cores' clock".to_owned(), a, b });
    }
    found
}

fn power(of: PowerSource) -> String {
    format!("{of:?}")
}

fn governed(run: &Run) -> Option<String> {
    let policies = run.manifest.machine.frequency.policies.iter();
    let words: Vec<_> = policies.map(|p| format!("{:?} {:?} {:?}", p.governor, p.driver, p.max_khz)).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// The median core clock of a run, in hertz.
fn clock(run: &Run) -> Option<f64> {
    let readings = measured(run).flat_map(|m| &m.conditions.core_clocks).flat_map(|c| c.hz.iter().copied());
    let readings: Vec<f64> = readings.filter(|hz| *hz > 0.0).collect();
    (!readings.is_empty()).then(|| median(&readings))
}

fn throttled(run: &Run) -> Option<String> {
    let known = measured(run).filter_map(|m| match m.conditions.throttling {
        Throttling::Known { throttled, .. } => Some(throttled),
        Throttling::Unavailable { .. } => None,
    });
    known.reduce(|a, b| a || b).map(|t| if t { "seen" } else { "not seen" }.to_owned())
}

fn measured(run: &Run) -> impl Iterator<Item = &Measurement> {
    run.records.iter().filter_map(crate::Record::measured)
}
