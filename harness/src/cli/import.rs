//! `spark-bench import`: another program's results as a run folder, every number of it marked as reported.

use super::common::build;
use super::{Verdict, ui};
use crate::import::{self, FORMATS, LARGEST, Source};
use crate::run::{now, write};
use anyhow::{Context, bail};
use spark_results::machine::{Absent, Machine};
use spark_results::run::{Ended, Manifest, SCHEMA, Settings};
use spark_results::store::{self, Store};
use spark_results::telemetry::{Header, Line};
use spark_results::{Document, Record};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What another program wrote; - for standard input
    file: PathBuf,
    /// Its format, where it is not told by its look
    #[arg(long, value_name = "FORMAT", long_help = formats())]
    from: Option<String>,
    /// The run folder [default: results/runs/TIME-import/]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the run as one JSON document on stdout
    #[arg(long)]
    json: bool,
    /// Say only what is wrong
    #[arg(long, short)]
    quiet: bool,
}

/// Every format with what writes it.
fn formats() -> String {
    let lines: Vec<_> = FORMATS.iter().map(|format| format!("  {:<20} {}", format.name, format.about)).collect();
    format!("Its format, where it is not told by its look:\n{}", lines.join("\n"))
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    let bytes = bytes(&args.file)?;
    let hash = blake3::hash(&bytes).to_hex().to_string();
    let source = Source::of(&args.file, bytes).map_err(anyhow::Error::msg)?;
    let records = import::read(&source, args.from.as_deref(), &hash).map_err(anyhow::Error::msg)?;
    let at = now();
    let id = format!("{}-import", at.replace(':', "-"));
    let folder = args.out.clone().unwrap_or_else(|| Path::new("results/runs").join(&id));
    let manifest = manifest(id, at, &records);
    let mut store = Store::create(&folder, &manifest)?;
    records.iter().try_for_each(|record| store.append(record))?;
    let header = store::telemetry_line(&Line::Header(Header::default()))?;
    store::telemetry_file(&folder)?
        .write_all(&header)
        .with_context(|| format!("{}: choose a folder you can write to with --out", folder.display()))?;
    drop(store);
    let run = store::read(&folder)?;
    write(&folder, &run)?;
    if args.json {
        ui::line(serde_json::to_string_pretty(&Document::of(&run))?);
    } else if !args.quiet {
        ui::data(&spark_reports::text(&run, ui::coloured()));
    }
    let voice = ui::Voice { quiet: args.quiet, no_progress: true };
    voice.say(format!("report: {}", folder.join(store::REPORT).display()));
    Ok(Verdict::Fine)
}

/// The file, at most as large as a file of results can be.
fn bytes(file: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = file.display();
    let mut bytes = Vec::new();
    let read = |from: &mut dyn Read, to: &mut Vec<u8>| from.take(LARGEST + 1).read_to_end(to);
    let done = if file == Path::new("-") {
        read(&mut std::io::stdin().lock(), &mut bytes)
    } else {
        if file.is_dir() {
            bail!("{shown}: a folder; give the file of results in it");
        }
        std::fs::File::open(file).and_then(|mut open| read(&mut open, &mut bytes))
    };
    if let Err(e) = done {
        bail!("{shown}: {e}; give a file that another program wrote");
    }
    if bytes.len() as u64 > LARGEST {
        bail!("{shown}: more than {} MiB; results are smaller, give the program's own summary", LARGEST >> 20);
    }
    Ok(bytes)
}

/// A manifest that claims nothing of this machine: only what the file says.
fn manifest(id: String, at: String, records: &[Record]) -> Manifest {
    let said = |name: &str| {
        let mut all = records.iter().filter_map(|r| r.reported()?.facts.get(name));
        let first = all.next()?;
        all.all(|other| other == first).then(|| first.clone())
    };
    let mut machine = Machine::default();
    machine.cpu.brand = said("cpu_info");
    machine.host = said("Hostname");
    let why = "these are another program's results, imported: its machine is known as far as the file tells";
    machine.absent.push(Absent::new("machine", why));
    Manifest {
        schema: SCHEMA.into(),
        id,
        started_at: at.clone(),
        ended: Some(Ended { at, complete: true, reason: None }),
        command: ui::words(),
        build: build(),
        settings: Settings::default(),
        machine,
        devices: Vec::new(),
        planned: records.iter().map(|r| r.id.to_string()).collect(),
        telemetry_cost: None,
        canaries: Vec::new(),
        absent: vec![Absent::new("a measurement", why)],
    }
}
