//! The ids that a request of a decoder multiplies out to, and those of workloads around one.

use crate::axis::{self, Axis, BadRequest, Request};
use crate::llm::DECODE;
use crate::llm::arguments::{Case, FILE, LEFT_OUT};
use crate::llm::choose::{BEST, choose};
use crate::llm::source;
use crate::workload::Workload;
use spark_kernels::gemm::Gemm;
use spark_kernels::{Device, Op};
use spark_results::{Axes, AxisValue, BenchmarkId, id};

/// Gemm's implementations on `device`, fastest first, each with the reason if it cannot run the widest projection of the model
/// that the axes' defaults name.
pub(crate) fn implementations(known: &[Axis], device: &dyn Device) -> Vec<(String, Option<String>)> {
    let gemm = Case::parse(&Axes::new(), known, BEST).map(|case| case.gemm());
    let here = Gemm::implementations().iter().filter(|i| i.backend() == device.backend());
    here.map(|i| {
        let why = match &gemm {
            Ok(op) => i.supports(op, device).err().map(|u| u.to_string()),
            Err(bad) => Some(bad.to_string()),
        };
        (i.name().to_owned(), why)
    })
    .collect()
}

/// The ids that `request` multiplies out to. `best` becomes the name of the widest projection's best implementation.
pub(crate) fn cases(
    workload: &str,
    known: &[Axis],
    request: &Request,
    device: &dyn Device,
) -> Result<Vec<BenchmarkId>, BadRequest> {
    let mut ids: Vec<BenchmarkId> = Vec::new();
    for mut axes in axis::combinations(workload, known, request)? {
        say_the_file_s_formats(&mut axes);
        let case = Case::parse(&axes, known, BEST)?;
        let names: Vec<&str> = match request.implementation.as_str() {
            // Where nothing can run it, the last in the list stands for it: its record will say why.
            "" | BEST => match choose(&case.gemm(), device, BEST) {
                Ok(implementation) => vec![implementation.name()],
                Err(_) => {
                    let here = Gemm::implementations().iter().rfind(|i| i.backend() == device.backend());
                    here.map(|i| i.name()).into_iter().collect()
                }
            },
            glob => {
                let glob = if glob == "all" { "*" } else { glob };
                let here = Gemm::implementations().iter().filter(|i| i.backend() == device.backend());
                let all: Vec<_> = here.map(|i| i.name()).collect();
                let named: Vec<_> = all.iter().copied().filter(|name| id::matches(glob, name)).collect();
                if named.is_empty() {
                    let glob = spark_results::machine::clean(glob);
                    let text = format!("{workload}: no implementation matches '{glob}'; there are: {}", all.join(", "));
                    return Err(BadRequest(text));
                }
                named
            }
        };
        for name in names {
            let id = axes
                .iter()
                .filter(|(axis, value)| !left_out(axis, value))
                .fold(BenchmarkId::new(workload, device.id(), name), |id, (axis, value)| id.with(axis, value.clone()));
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    Ok(ids)
}

/// The same of a workload around a decoder that has its axes `shared`, and `more` of its own: the decoder's cases say which
/// implementations there are.
pub(crate) fn around_decoding(
    axes: &Axes,
    shared: &[&str],
    more: &[(&str, AxisValue)],
    request: &Request,
    device: &dyn Device,
) -> Result<Vec<(String, Axes)>, BadRequest> {
    let mut inner = Request { implementation: request.implementation.clone(), ..Request::default() };
    let own = axes.iter().filter(|(name, _)| shared.contains(&name.as_str()));
    inner.axes.extend(own.map(|(name, value)| (name.clone(), vec![value.clone()])));
    inner.axes.extend(more.iter().map(|(name, value)| ((*name).to_owned(), vec![value.clone()])));
    let mut named = axes.clone();
    say_the_file_s_formats(&mut named);
    named.retain(|axis, value| !left_out(axis, value));
    Ok(DECODE.cases(&inner, device)?.into_iter().map(|of| (of.implementation, named.clone())).collect())
}

/// The ids of a workload around others: for every combination of its own axes the implementations that `inner` finds, each with the axes
/// that its id names.
pub(crate) fn around(
    workload: &str,
    known: &[Axis],
    request: &Request,
    device: &dyn Device,
    inner: impl Fn(&Axes) -> Result<Vec<(String, Axes)>, BadRequest>,
) -> Result<Vec<BenchmarkId>, BadRequest> {
    let mut ids: Vec<BenchmarkId> = Vec::new();
    for axes in axis::combinations(workload, known, request)? {
        for (implementation, own) in inner(&axes)? {
            let id = BenchmarkId::new(workload, device.id(), &implementation);
            let id = own.into_iter().fold(id, |id, (axis, value)| id.with(&axis, value));
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    Ok(ids)
}

/// What formats a file's weights have is the file's to say: the id names it, whatever was asked for.
fn say_the_file_s_formats(axes: &mut Axes) {
    if matches!(axes.get("model"), Some(AxisValue::Text(model)) if source::has_weights(model)) {
        for axis in ["format", "head"] {
            axes.insert(axis.to_owned(), AxisValue::from(FILE));
        }
    }
}

/// Whether an id leaves `axis` out where it stands at `value`.
fn left_out(axis: &str, value: &AxisValue) -> bool {
    LEFT_OUT.iter().any(|a| a.name == axis && AxisValue::from(a.default) == *value)
}
