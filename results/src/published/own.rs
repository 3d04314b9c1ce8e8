//! The committed runs of this project's own machines, as figures beside those of others: measured, and not reported.

use super::{Confidence, Figure, Kind, Point, Sheet};
use crate::Run;
use crate::baselines;
use crate::compare::sides_of;
use crate::machine::clean;

/// The figures of every committed run. They live as long as the program.
pub(super) fn figures() -> Vec<Figure> {
    baselines::all().unwrap_or_default().iter().flat_map(|baseline| of(baseline.name, &baseline.run)).collect()
}

/// The figures of a run named `name`: of what others publish figures of, too.
pub fn of(name: &str, run: &Run) -> Vec<Figure> {
    let m = &run.manifest;
    let machine = leak(clean(m.machine.cpu.brand.as_deref().unwrap_or("an unnamed machine")));
    let revision = m.build.revision.as_deref().map(|r| format!(" {r}")).unwrap_or_default();
    let (software, settings) = (
        leak(clean(&format!("spark-bench {}{revision}", m.build.version))),
        leak(clean(&m.settings.suite.as_ref().map(|suite| format!("suite {suite}")).unwrap_or_default())),
    );
    let date = leak(clean(m.started_at.split('T').next().filter(|day| !day.is_empty()).unwrap_or("unknown")));
    let (system, reference) = (leak(m.machine.fingerprint()), leak(format!("results/baselines/{}", clean(name))));
    let measured = sides_of(run).sides.into_iter().filter(|side| side.unfit.is_none());
    let figures = measured.filter_map(|side| {
        let work = Point::of_side(&side)?;
        let (unit, scale) = match side.unit.as_str() {
            "tok/s" => ("tok/s", 1.0),
            "B/s" => ("GB/s", 1e9),
            "FLOP/s" => ("TFLOPS", 1e12),
            _ => return None,
        };
        let spread = side.interval.map(|[low, high]| (side.value - low).max(high - side.value) / scale);
        let work: &'static Point = Box::leak(Box::new(work));
        Some(Figure {
            system,
            name: machine,
            kind: Kind::Own,
            sheet: Sheet::Measured,
            machine,
            metric: work.metric(),
            workload: leak(work.to_string()),
            work: Some(work),
            value: side.value / scale,
            unit,
            plus_minus: spread.filter(|by| by.is_finite()),
            power_scope: None,
            software,
            settings,
            source: "this project",
            reference,
            licence: None,
            date,
            confidence: Confidence::MeasuredByThisProject,
            note: "",
        })
    });
    figures.collect()
}

/// A text of a figure, which like those of the embedded files is never dropped.
fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}
