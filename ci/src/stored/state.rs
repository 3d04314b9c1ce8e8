//! In which state a machine was, and how two runs on it differ in that.

use spark_results::conditions::Throttling;
use spark_results::stats::median;
use spark_results::{Outcome, Run};

/// Core clocks that differ by more than this share are different states.
const CLOCK: f64 = 0.10;

/// What differs between the states of two runs on one machine, each in words: power, clocks and who governs them, threads, the
/// kernel, the build's profile, throttling. What neither run knows is no difference.
pub fn differences(old: &Run, new: &Run) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, old: Option<String>, new: Option<String>| {
        if let (Some(old), Some(new)) = (old, new)
            && old != new
        {
            found.push(format!("{what} was {old} and is {new}"));
        }
    };
    let [a, b] = [old, new].map(|run| &run.manifest);
    compare(
        "power",
        a.machine.power_source.map(|p| format!("{p:?}")),
        b.machine.power_source.map(|p| format!("{p:?}")),
    );
    compare("the kernel", a.machine.os.kernel.clone(), b.machine.os.kernel.clone());
    compare(
        "turbo",
        a.machine.frequency.turbo.map(|t| t.to_string()),
        b.machine.frequency.turbo.map(|t| t.to_string()),
    );
    compare("the build's profile", Some(a.build.profile.clone()), Some(b.build.profile.clone()));
    compare(
        "the number of threads",
        a.settings.threads.map(|t| t.to_string()),
        b.settings.threads.map(|t| t.to_string()),
    );
    let governed = |run: &Run| {
        let policies = run.manifest.machine.frequency.policies.iter();
        let words: Vec<_> = policies.map(|p| format!("{:?} {:?} {:?}", p.governor, p.driver, p.max_khz)).collect();
        (!words.is_empty()).then(|| words.join(", "))
    };
    compare("the clocks' governor", governed(old), governed(new));
    compare("throttling", throttled(old), throttled(new));
    if let (Some(then), Some(now)) = (clock(old), clock(new))
        && ((now / then).ln()).abs() > CLOCK.ln_1p()
    {
        found.push(format!("the cores' clock was {:.2} GHz and is {:.2} GHz", 1e-9 * then, 1e-9 * now));
    }
    found
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

fn measured(run: &Run) -> impl Iterator<Item = &spark_results::Measurement> {
    run.records.iter().filter_map(|record| match &record.outcome {
        Outcome::Measured(measurement) => Some(&**measurement),
        _ => None,
    })
}
