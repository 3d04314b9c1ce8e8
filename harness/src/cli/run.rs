//! `spark-bench run WHAT…`: workloads by name, or ids by glob, with any axis as a list.

use super::Verdict;
use super::axes::AxisFlags;
use super::common::{self, Common, Place};
use crate::plan::{self, Task};
use anyhow::bail;
use spark_results::AxisValue;
use spark_workloads::axis::list;
use spark_workloads::{Request, Workload, suite};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A workload (gemm, read …) or a glob of ids such as 'gemm*m=1&*'; several share one run
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    what: Vec<String>,
    /// best, all, or a glob on implementation names
    #[arg(long, value_name = "GLOB", default_value = "best")]
    implementation: String,
    /// How hard each is measured: as in this suite
    #[arg(long, default_value = "standard")]
    suite: String,
    #[command(flatten)]
    axes: AxisFlags,
    #[command(flatten)]
    common: Common,
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    let policy = suite::named(&args.suite)?.measure;
    let (place, tasks) = match args.common.resumed()? {
        // A run is continued as it was begun: its devices, its tasks.
        Some(manifest) => {
            let place = common::place_again(&manifest)?;
            let tasks = plan::again(&manifest.planned, &place.devices)?;
            (place, tasks)
        }
        None => asked(args)?,
    };
    let available = place.available();
    let declined: Vec<_> = tasks.iter().filter_map(|t| Some((&t.id, t.declined(available)?))).collect();
    if let [(id, why), others @ ..] = &declined[..]
        && declined.len() == tasks.len()
    {
        let more = if others.is_empty() { String::new() } else { format!(" (and {} more likewise)", others.len()) };
        bail!("{id}: {why}{more}");
    }
    let (verdict, _) = common::measure(&args.common, None, policy, place, &tasks)?;
    Ok(verdict)
}

/// The place and the tasks that the command line asks for.
fn asked(args: &Args) -> anyhow::Result<(Place, Vec<Task>)> {
    // `--threads 1,2` is an axis of what has such an axis; the device then has as many as the largest asked for.
    let threads = match &args.common.threads {
        Some(text) => list("threads", text)?,
        None => Vec::new(),
    };
    let most = threads.iter().map(|t| t.int().filter(|t| *t > 0)).collect::<Option<Vec<_>>>();
    let Some(most) = most else { bail!("--threads counts workers; give whole numbers from 1 up, such as 1,2") };
    let place = common::place(most.iter().max().map(|t| *t as usize), &args.common.device)?;
    let mut tasks = Vec::new();
    for what in &args.what {
        match spark_workloads::find(what) {
            Some(workload) => {
                let request = request(args, workload, &threads, true)?;
                plan::add(&mut tasks, workload, &request, &place.devices, &args.common.filter)?;
            }
            None => globbed(args, what, &threads, &place.devices, &mut tasks)?,
        }
    }
    Ok((place, tasks))
}

/// What is asked of `workload`. Where it was named, an axis it has not is an error; where a glob reached it, it is passed over.
fn request(args: &Args, workload: &dyn Workload, threads: &[AxisValue], named: bool) -> anyhow::Result<Request> {
    let has = |axis: &str| workload.axes().iter().any(|a| a.name == axis);
    let mut request = Request { axes: args.axes.0.clone(), implementation: args.implementation.clone() };
    if !named || args.what.len() > 1 {
        request.axes.retain(|axis, _| has(axis));
    }
    if !threads.is_empty() && has("threads") {
        request.axes.insert("threads".into(), threads.to_vec());
    } else if threads.len() > 1 && named {
        bail!("{} has no axis 'threads'; give --threads one number", workload.name());
    }
    Ok(request)
}

/// Adds every case whose id matches `glob`: of the suites, and of the defaults with the axes given.
fn globbed(
    args: &Args,
    glob: &str,
    threads: &[AxisValue],
    devices: &spark_workloads::Devices,
    tasks: &mut Vec<Task>,
) -> anyhow::Result<()> {
    let mut all = Vec::new();
    for (name, _) in suite::ALL {
        all.extend(plan::tasks(&suite::named(name)?.tasks, devices, &args.common.filter)?);
    }
    for workload in spark_workloads::ALL {
        let request = request(args, *workload, threads, false)?;
        plan::add(&mut all, *workload, &request, devices, &args.common.filter).or_else(|e| {
            // Axes given for one workload may make no sense for another that the glob does not even mean.
            if workload.name().starts_with(glob.split('*').next().unwrap_or(glob)) { Err(e) } else { Ok(()) }
        })?;
    }
    let before = tasks.len();
    for task in all {
        if task.id.matches(glob) && !tasks.iter().any(|t| t.id == task.id) {
            tasks.push(task);
        }
    }
    if tasks.len() == before {
        let glob = spark_results::machine::clean(glob);
        bail!("'{glob}' is no workload and matches no id; `spark-bench list` shows workloads, `spark-bench plan` ids");
    }
    Ok(())
}
