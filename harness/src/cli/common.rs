//! Flags that several verbs share, and how a run is opened, done and closed with them.

use super::{Verdict, fresh, stop, ui};
use crate::headroom::{Headroom, Watchdog};
use crate::os::SysRoot;
use crate::plan::Task;
use crate::session::{self, Session};
use crate::telemetry::wall::Meter;
use crate::trial::Live;
use crate::{detect, devices, run};
use anyhow::{Context, bail};
use spark_results::machine::{Absent, Machine};
use spark_results::run::{Build, DeviceInfo, SCHEMA, Settings};
use spark_results::store::{self, Store, StoreError};
use spark_results::{Manifest, Record, Run, baselines};
use spark_workloads::Devices;
use spark_workloads::suite::Policy;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Flags of every verb that measures.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Common {
    /// A device to use: cpu, cuda:0 … (repeatable; all by default)
    #[arg(long, value_name = "ID")]
    pub(super) device: Vec<String>,
    /// Only ids that match; `*` matches everything, `/` included (repeatable)
    #[arg(long, value_name = "GLOB")]
    pub(super) filter: Vec<String>,
    /// The run folder [default: results/runs/TIME-HOST/]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Threads of the CPU device [default: one a CPU that this process may use]
    #[arg(long, short = 't', value_name = "N", allow_negative_numbers = true)]
    pub(super) threads: Option<String>,
    /// Seed of all synthetic data
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true)]
    pub(super) seed: u64,
    /// Wall-clock time for the whole command: 90s, 5m, 1h30m
    #[arg(long, value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
    pub(super) budget: Option<Duration>,
    /// Do not measure the machine's roofs around each task: quicker, and without shares of them
    #[arg(long)]
    pub(super) no_roofs: bool,
    /// Continue a run that was interrupted or killed: what has a record is not measured again
    #[arg(long, value_name = "RUN")]
    pub(super) resume: Option<PathBuf>,
    /// A meter at the wall: a CSV that grows (a column of watts, one of time), or http://… that answers with JSON (Shelly, Tasmota …)
    #[arg(long, value_name = "FILE|URL", value_parser = Meter::parse)]
    pub(super) wall_power: Option<Meter>,
    /// Print the run as one JSON document on stdout
    #[arg(long)]
    pub(super) json: bool,
    /// Say only what is wrong
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// No progress bar
    #[arg(long)]
    pub(super) no_progress: bool,
}

/// `90s`, `5m`, `1h30m`, `2 min`: as people write durations.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration =
        text.parse().map_err(|_| format!("'{text}' is no duration; write 90s, 5m or 1h30m"))?;
    Duration::try_from(span).ok().filter(|d| !d.is_zero()).ok_or_else(|| format!("'{text}' is no time to measure in"))
}

impl Common {
    /// How much is said.
    pub(super) fn voice(&self) -> ui::Voice {
        ui::Voice { quiet: self.quiet, no_progress: self.no_progress }
    }
    /// The manifest of the run to continue, if one is. Errors: it cannot be read; it was made by another build.
    pub(super) fn resumed(&self) -> anyhow::Result<Option<Manifest>> {
        let Some(folder) = &self.resume else { return Ok(None) };
        let manifest = store::read(folder)?.manifest;
        if manifest.build != build() {
            let Build { version, profile, .. } = &manifest.build;
            bail!(
                "{}: that run was made by another build ({version}, {profile}) and one run holds the numbers of one; \
                 continue it with that build, or start a new run with --out",
                folder.display()
            );
        }
        Ok(Some(manifest))
    }
    /// The one number of threads asked for. Errors: a list, or no number.
    pub(super) fn one_thread_count(&self) -> anyhow::Result<Option<usize>> {
        match &self.threads {
            None => Ok(None),
            Some(text) => match text.parse() {
                Ok(count) => Ok(Some(count)),
                Err(_) => bail!("--threads '{text}' cannot be here; give one whole number"),
            },
        }
    }
}

/// A machine, looked at, with its devices.
pub(super) struct Place {
    pub(super) root: SysRoot,
    pub(super) machine: Machine,
    pub(super) devices: Devices,
    pub(super) infos: Vec<DeviceInfo>,
}

impl Place {
    /// Bytes of memory that tasks may be planned with; all there is where nobody tells.
    pub(super) fn available(&self) -> u64 {
        let memory = &self.machine.memory;
        let available = memory.available_bytes.or(memory.total_bytes).unwrap_or(u64::MAX);
        Headroom::with(memory.total_bytes, &self.devices).beyond(available)
    }
}

/// Looks at the machine and opens its devices. Errors: a device asked for is not there.
pub(super) fn place(threads: Option<usize>, wanted: &[String]) -> anyhow::Result<Place> {
    let root = SysRoot::from_env();
    let machine = detect::machine(&root);
    let (devices, infos) = devices::open(&machine, threads, wanted).map_err(anyhow::Error::msg)?;
    Ok(Place { root, machine, devices, infos })
}

/// The place of a run that is continued: its devices, with as many threads as it had.
pub(super) fn place_again(manifest: &Manifest) -> anyhow::Result<Place> {
    place(manifest.settings.threads.map(|t| t as usize), &manifest.settings.devices)
}

/// Measures `tasks` into a run folder and tells what came of it.
pub(super) fn measure(
    common: &Common,
    suite: Option<&str>,
    policy: Policy,
    place: Place,
    tasks: &[Task],
) -> anyhow::Result<(Verdict, Run)> {
    let (verdict, run, folder) = measured(common, suite, policy, place, tasks)?;
    if common.json {
        document(&run);
    } else if !common.quiet {
        ui::data(&spark_reports::text(&run, ui::coloured()));
    }
    whereabouts(common, &run, &folder);
    Ok((verdict, run))
}

/// Measures `tasks` into a run folder, whose path stands beside the run. Nothing is told but the progress.
pub(super) fn measured(
    common: &Common,
    suite: Option<&str>,
    policy: Policy,
    place: Place,
    tasks: &[Task],
) -> anyhow::Result<(Verdict, Run, PathBuf)> {
    let voice = common.voice();
    if tasks.is_empty() {
        bail!("nothing to run: no id matches; `spark-bench plan` shows the ids, and in a glob `*` matches everything");
    }
    stop::listen().context("Ctrl-C cannot be listened for")?;
    fresh::die_with_whoever_started_it();
    let (mut session, done) = open(common, suite, policy, place, tasks)?;
    let folder = session.store.folder().to_owned();
    voice.say(format!("run folder: {}", folder.display()));
    let mut bar = ui::Bar::new(voice, tasks.len());
    session.live = Live(Some(bar.live()));
    if common.no_roofs {
        session.leave_out_roofs();
    }
    if suite.is_some() {
        session.canary();
    }
    let dog = Watchdog::start(session.headroom, session::available, Box::new(ui::end_for_memory));
    let stop = || stop::asked() || dog.low();
    let end = run::each(&mut session, tasks, &done, common.budget, &mut bar, &stop, &|| dog.look());
    let end = end.map(|end| if end == run::End::Interrupted && !stop::asked() { run::End::Memory } else { end });
    bar.clear();
    if let Some(why) = dog.said() {
        voice.warn(&why);
        session.manifest.absent.push(Absent::new("the rest of the run", why));
    } else if suite.is_some() && !stop() {
        session.canary();
    }
    drop(dog);
    let run = match end {
        Ok(run::End::Lost) => {
            let run = run::finish(&mut session, run::End::Lost)?;
            drop(session);
            match fresh::go_on(&folder, common, voice) {
                true => store::read(&folder)?,
                false => run,
            }
        }
        Ok(end) => run::finish(&mut session, end)?,
        Err(e) => {
            // What is on disk stays; the sensors end with the session.
            return Err(anyhow::Error::new(e).context(format!("the run in {} ends here", folder.display())));
        }
    };
    let verdict = match end {
        Ok(run::End::Interrupted) => Verdict::Interrupted,
        Ok(run::End::Memory) => Verdict::Inconclusive,
        _ if run.records.iter().any(|r| r.status() == "failed") => Verdict::Broken,
        _ => Verdict::Fine,
    };
    Ok((verdict, run, folder))
}

/// Prints the whole run as one JSON document.
pub(super) fn document(run: &Run) {
    match serde_json::to_string_pretty(&spark_results::Document::of(run)) {
        Ok(text) => ui::line(text),
        Err(e) => ui::error(e),
    }
}

/// Says what was left undone, and where everything lies.
pub(super) fn whereabouts(common: &Common, run: &Run, folder: &Path) {
    let voice = common.voice();
    let unfinished = run.unfinished().len();
    if unfinished > 0 {
        let why = run.manifest.ended.as_ref().and_then(|e| e.reason.clone()).unwrap_or_default();
        voice
            .warn(format!("{unfinished} tasks were not measured ({why}); continue with --resume {}", folder.display()));
    }
    voice.say(format!("report: {}", folder.join(store::REPORT).display()));
}

/// A session in a new folder, or in the one to resume.
pub(super) fn open(
    common: &Common,
    suite: Option<&str>,
    policy: Policy,
    place: Place,
    tasks: &[Task],
) -> anyhow::Result<(Session, Vec<Record>)> {
    if let Some(folder) = &common.resume {
        let (store, run) = Store::resume(folder)?;
        let mut manifest = run.manifest;
        if manifest.machine.fingerprint() != place.machine.fingerprint() {
            bail!("{}: that run was made on another machine; start a new one without --resume", folder.display());
        }
        manifest.ended = None;
        manifest.telemetry_cost = None;
        // What was absent before is found again by this process.
        manifest.absent.retain(|absent| !absent.what.starts_with("roofs.") && !absent.what.starts_with("telemetry"));
        let before =
            run.records.iter().rev().filter_map(Record::measured).find_map(|m| m.conditions.after.boot_id.clone());
        let now = place.root.line("/proc/sys/kernel/random/boot_id").ok();
        if let (Some(before), Some(now)) = (before, now)
            && before != now
        {
            let why = "the machine was restarted between its records: those before and after are of different states";
            manifest.absent.push(Absent::new("one state", why));
        }
        let elapsed = run.records.iter().map(|r| r.ended_ns).max().unwrap_or(0);
        let meter = common.wall_power.as_ref();
        let mut session = Session::start_with(store, manifest, place.devices, policy, &place.root, elapsed, meter)?;
        session.rest();
        return Ok((session, run.records));
    }
    let started_at = run::now();
    let host = place.machine.host.as_deref().unwrap_or("host");
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
    let id = format!("{}-{host}", started_at.replace(':', "-"));
    let folder = common.out.clone().unwrap_or_else(|| Path::new("results/runs").join(&id));
    let manifest = Manifest {
        schema: SCHEMA.into(),
        id,
        started_at,
        ended: None,
        command: ui::words(),
        build: build(),
        settings: Settings {
            suite: suite.map(str::to_owned),
            seed: common.seed,
            threads: place.devices.get("cpu").map(|d| d.threads() as u64),
            devices: common.device.clone(),
            filters: common.filter.clone(),
            budget_s: common.budget.map(|b| b.as_secs_f64()),
        },
        absent: place.infos.iter().filter_map(missing).collect(),
        devices: place.infos,
        machine: place.machine,
        planned: tasks.iter().map(|t| t.id.to_string()).collect(),
        telemetry_cost: None,
        canaries: Vec::new(),
    };
    let store = Store::create(&folder, &manifest)?;
    let meter = common.wall_power.as_ref();
    let mut session = Session::start_with(store, manifest, place.devices, policy, &place.root, 0, meter)?;
    session.rest();
    Ok((session, Vec::new()))
}

fn missing(device: &DeviceInfo) -> Option<Absent> {
    device.unavailable.as_ref().map(|why| Absent::new(format!("devices.{}", device.id), why))
}

/// The run in `folder`, or where that is none, the committed run of that name. Errors: it is neither.
pub(super) fn stored(folder: &Path) -> Result<Run, StoreError> {
    let named = || baselines::find(folder.to_str()?).map(|of| of.run.clone());
    if folder.exists() { store::read(folder) } else { named().map_or_else(|| store::read(folder), Ok) }
}

/// The program that runs, as far as it knows itself.
pub(super) fn build() -> Build {
    Build {
        version: env!("CARGO_PKG_VERSION").into(),
        revision: option_env!("SPARK_BENCH_REVISION").map(str::to_owned),
        profile: if cfg!(debug_assertions) { "debug" } else { "release" }.into(),
        target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
    }
}
