//! `results.csv`: one flat row a record, for spreadsheets.

use crate::document::{Document, Entry};

const COLUMNS: &[&str] = &[
    "id",
    "workload",
    "device",
    "implementation",
    "status",
    "reason",
    "simulated",
    "median_ns",
    "ci95_low_ns",
    "ci95_high_ns",
    "samples",
    "flops_per_s",
    "bytes_per_s",
    "items_per_s",
    "item",
    "roof_bound",
    "roof_of",
    "roof_fraction",
    "energy_status",
    "energy_scope",
    "energy_joules",
    "items_per_joule",
    "max_error",
    "tolerance",
];

/// The run as CSV; a missing value is an empty cell. Errors: as the CSV writer gives them.
pub fn csv(document: &Document) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for entry in &document.records {
        writer.write_record(row(entry))?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn row(e: &Entry) -> Vec<String> {
    use crate::conditions::Energy;
    let number = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let (time, rates, roof) = (e.time.as_ref(), e.rates.as_ref(), e.roof.as_ref());
    let energy = e.energy.as_ref().and_then(|energy| match energy {
        // What a test double said is in the document, marked; a flat table has no room for the mark.
        Energy::Measured { readings, .. } => {
            let real = || readings.iter().filter(|r| !r.simulated);
            real().find(|r| r.covers_device).or_else(|| real().next())
        }
        Energy::Unavailable { .. } => None,
    });
    vec![
        e.id.clone(),
        e.workload.clone(),
        e.device.clone(),
        e.implementation.clone(),
        e.status.clone(),
        text(e.reason.as_deref()),
        e.simulated.to_string(),
        number(time.map(|t| t.median_ns)),
        number(time.and_then(|t| Some(t.ci95_ns?[0]))),
        number(time.and_then(|t| Some(t.ci95_ns?[1]))),
        time.map(|t| t.samples.to_string()).unwrap_or_default(),
        number(rates.and_then(|r| r.flops_per_s)),
        number(rates.and_then(|r| r.bytes_per_s)),
        number(rates.and_then(|r| r.items_per_s)),
        text(e.work.as_ref().map(|w| w.item.as_str())),
        text(roof.map(|r| r.bound.name())),
        text(roof.map(|r| r.of.as_str())),
        number(roof.map(|r| r.fraction)),
        text(e.energy.as_ref().map(|energy| match energy {
            Energy::Measured { readings, .. } if readings.iter().all(|r| r.simulated) => "simulated",
            Energy::Measured { .. } => "measured",
            Energy::Unavailable { .. } => "unavailable",
        })),
        text(energy.map(|r| r.scope.as_str())),
        number(energy.map(|r| r.joules)),
        number(e.efficiency.first().map(|x| x.items_per_joule)),
        number(e.max_error),
        number(e.tolerance),
    ]
}
