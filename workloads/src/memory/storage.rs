//! `storage`: how fast a file of a model's size comes from storage into memory: read, mapped, and past the system's cache.

use super::disk::{self, BLOCK, Known};
use super::full;
use crate::axis::{self, Axis, BadRequest, Request};
use crate::trial::{Beat, Lab, Observed, Ran, Trial};
use crate::workload::{Body, Decline, Footprint, Workload};
use spark_kernels::{Backend, Buffer, Device, Fault};
use spark_results::quantity::size;
use spark_results::record::{Better, Cache, Check, Metric};
use spark_results::{Axes, BenchmarkId, Work, stats, storage};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The workload `storage`.
pub static STORAGE: Storage = Storage;

/// A file read from end to end.
#[derive(Clone, Copy, Debug)]
pub struct Storage;

/// What a made file may take of the room there is: a full disk stops more than this program.
const SHARE_OF_FREE: u64 = 4;
/// How often each way is tried.
const ROUNDS: usize = 3;
/// A guess of a slow disk, by which the time left is told.
const BYTES_PER_S: f64 = 1e9;

const AXES: &[Axis] = &[
    Axis { name: "bytes", about: "size of the file that is made, in bytes", default: "4294967296" },
    Axis {
        name: "file",
        about: "a file that is there to read instead, such as a model; none: one is made",
        default: "none",
    },
    Axis { name: "folder", about: "where one is made: on the storage that is meant", default: "." },
];

fn bytes(axes: &Axes) -> Result<u64, BadRequest> {
    match axis::size(axes, "bytes")? {
        bytes if bytes % 4096 == 0 => Ok(bytes as u64),
        bytes => Err(BadRequest(format!("bytes = {bytes} is no multiple of 4096; round it up"))),
    }
}

/// Whether the file that `axes` ask for can be read or made. Errors: why not.
fn possible(axes: &Axes, device: &dyn Device) -> Result<(), Decline> {
    if device.backend() != Backend::Cpu {
        return Err(Decline::Skip(format!("storage is read by the host, and {} is none", device.id())));
    }
    if axis::name(axes, "file")? != "none" {
        return Ok(());
    }
    let (folder, bytes) = (PathBuf::from(axis::name(axes, "folder")?), bytes(axes)?);
    let here = folder.display();
    if disk::in_memory(&folder) {
        return Err(Decline::Skip(format!("{here} stands in memory and not on storage; give --folder on a disk")));
    }
    match disk::free(&folder) {
        Some(free) if bytes.saturating_mul(SHARE_OF_FREE) > free => Err(Decline::Skip(format!(
            "a file of {} would take more than a quarter of the {} free in {here}; give fewer --bytes or another --folder",
            size(bytes),
            size(free)
        ))),
        _ => Ok(()),
    }
}

impl Workload for Storage {
    fn name(&self) -> &'static str {
        "storage"
    }
    fn about(&self) -> &'static str {
        "a file of a model's size from storage to memory: read and mapped, cold and warm, and read past the system's cache"
    }
    fn axes(&self) -> &'static [Axis] {
        AXES
    }
    fn implementations(&self, device: &dyn Device) -> Vec<(String, Option<String>)> {
        let axes = full(&BenchmarkId::new(self.name(), device.id(), "system"), AXES);
        let why = axes.map_err(Decline::from).and_then(|axes| possible(&axes, device)).err();
        vec![("system".to_owned(), why.map(|why| why.to_string()))]
    }
    fn cases(&self, request: &Request, device: &dyn Device) -> Result<Vec<BenchmarkId>, BadRequest> {
        let mut ids = Vec::new();
        for axes in axis::combinations(self.name(), AXES, request)? {
            bytes(&axes)?;
            let made = axis::name(&axes, "file")? == "none";
            let mut id = BenchmarkId::new(self.name(), device.id(), "system");
            let meant = |name: &str| if made { name != "file" } else { name == "file" };
            let usual = |name: &str, value: &str| (name, value) == ("folder", ".");
            id.axes =
                axes.into_iter().filter(|(name, value)| meant(name) && !usual(name, &value.to_string())).collect();
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(ids)
    }
    fn footprint(&self, id: &BenchmarkId, device: &dyn Device) -> Result<Footprint, Decline> {
        possible(&full(id, AXES)?, device)?;
        Ok(Footprint { bytes: 4 * BLOCK as u64, ..Footprint::default() })
    }
    fn needs_memory_roof(&self, _: &BenchmarkId, _: &dyn Device) -> bool {
        false
    }
    fn lasts(&self, id: &BenchmarkId) -> Option<Duration> {
        let bytes = bytes(&full(id, AXES).ok()?).ok()? as f64;
        // Written once, read in five ways, and brought into the cache for two of them.
        Some(Duration::from_secs_f64(bytes * (3 + Way::ALL.len() * ROUNDS) as f64 / BYTES_PER_S))
    }
    fn prepare(&self, id: &BenchmarkId, device: &Arc<dyn Device>, seed: u64, _: u64) -> Result<Body, Decline> {
        let axes = full(id, AXES)?;
        possible(&axes, &**device)?;
        let file = match axis::name(&axes, "file")?.as_str() {
            "none" => Known::make(Path::new(&axis::name(&axes, "folder")?), bytes(&axes)?, seed)?,
            path => Known::open(Path::new(path))?,
        };
        Ok(Body::Trial(Box::new(Reading { file, into: disk::block()?, stopped: false })))
    }
}

struct Reading {
    file: Known,
    into: Buffer,
    stopped: bool,
}

/// A way to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Cold,
    Warm,
    MappedCold,
    MappedWarm,
    Direct,
}

impl Way {
    const ALL: [Way; 5] = [Way::Cold, Way::Warm, Way::MappedCold, Way::MappedWarm, Way::Direct];
    /// Whether it is to find the file in the system's cache.
    const fn warm(self) -> bool {
        matches!(self, Way::Warm | Way::MappedWarm)
    }
    const fn mapped(self) -> bool {
        matches!(self, Way::MappedCold | Way::MappedWarm)
    }
    const fn name(self) -> &'static str {
        match self {
            Way::Cold => storage::COLD,
            Way::Warm => storage::WARM,
            Way::MappedCold => storage::MAPPED_COLD,
            Way::MappedWarm => storage::MAPPED_WARM,
            Way::Direct => storage::DIRECT,
        }
    }
}

impl Reading {
    /// Reads all of the file once. `None`: it was stopped. Errors: why this way is not to be had, or what came was something else.
    fn once(&mut self, way: Way, lab: &mut dyn Lab) -> Result<Result<Option<Ran>, String>, Fault> {
        // Past the cache a file comes from storage only where the cache holds nothing of it.
        if !way.warm()
            && let Err(why) = self.file.chill()
        {
            return Ok(Err(why));
        }
        let opened = if way == Way::Direct { self.file.direct() } else { self.file.buffered() };
        let mut file = match opened {
            Ok(file) => file,
            Err(why) => return Ok(Err(why)),
        };
        let at_ns = lab.now().as_nanos() as u64;
        let (into, mut read) = (self.into.slice_mut::<u8>(), Ok(None));
        // Nobody can look at the lab while it times: a file of a minute is stopped behind its end.
        let took = lab.time(&mut || {
            // Mapping belongs to it, as opening does not: a map costs where a read copies.
            read = if way.mapped() { disk::sum_mapped(&file) } else { disk::read_all(&mut file, into, &|| false) };
            Ok(())
        })?;
        self.stopped |= lab.stopped();
        match read {
            Err(e) => Ok(Err(e.to_string())),
            Ok(None) => Ok(Ok(None)),
            Ok(Some((bytes, sum))) => {
                let known = *self.file.sum.get_or_insert(sum);
                if (bytes, sum) != (self.file.bytes, known) {
                    let of = self.file.bytes;
                    return Err(Fault::Device(format!("{bytes} of {of} bytes came, or others than were written")));
                }
                Ok(Ok(Some(Ran { at_ns, ns: took.as_nanos() as u64 })))
            }
        }
    }
}

impl Trial for Reading {
    fn check(&mut self) -> Result<Option<Check>, Fault> {
        // Every pass is compared with what was written: there is nothing to compare before.
        Ok(None)
    }
    fn run(&mut self, lab: &mut dyn Lab) -> Result<Option<Observed>, Fault> {
        let mut seen = Observed { iterations: 1, ..Observed::default() };
        for way in Way::ALL {
            let mut runs = Vec::new();
            if way.warm() {
                // Brought into the cache by a pass that does not count.
                let _ = self.once(way, lab)?;
            }
            for round in 0..ROUNDS {
                if self.stopped || lab.stopped() {
                    return Ok(None);
                }
                let doing = format!("reading, {}, {} of {ROUNDS}", way.name(), round + 1);
                lab.tell(&Beat { doing, ..Beat::default() });
                match self.once(way, lab)? {
                    Ok(Some(ran)) => runs.push(ran),
                    Ok(None) => return Ok(None),
                    Err(why) => {
                        seen.notes.push(format!("{}: not to be had here: {why}", way.name()));
                        break;
                    }
                }
            }
            let rates: Vec<f64> =
                runs.iter().map(|ran| self.file.bytes as f64 / (ran.ns.max(1) as f64 * 1e-9)).collect();
            if rates.is_empty() {
                continue;
            }
            seen.metrics.push(Metric {
                name: storage::name(way.name()),
                value: stats::median(&rates),
                unit: "B/s".into(),
                better: Better::Higher,
            });
            if seen.samples_ns.is_empty() {
                seen.at_ns = runs.iter().map(|ran| ran.at_ns).collect();
                seen.samples_ns = runs.iter().map(|ran| ran.ns).collect();
            }
        }
        Ok(Some(seen))
    }
    fn work(&self) -> Work {
        Work { bytes: self.file.bytes, ..Work::default() }
    }
    fn cache(&self) -> Cache {
        Cache::Cold
    }
    fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = BTreeMap::new();
        facts.insert("samples".into(), "the first way that could be had".into());
        let said = "one thread, pieces of 4 MiB, or one map of all, unmapped within the time; a word of each page is added up and compared with what was written";
        facts.insert("reading".into(), said.into());
        facts
    }
}
