//! Models in safetensors files beside a `config.json`: one file, or several with an index.

pub(crate) mod names;
pub(crate) mod quantised;

use super::map::Mapped;
use super::refused::{ANOTHER, Refused, shown};
use super::shelf::Entry;
use super::source::Layout;
use safetensors::{Dtype, SafeTensors};
use spark_kernels::format::Format;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longer headers than this no shard has.
const LONGEST_HEADER: u64 = 1 << 25;
/// What an index is called.
const INDEX: &str = "model.safetensors.index.json";
/// What the weights are called where they are one file.
const SINGLE: &str = "model.safetensors";
/// Larger indices no model has.
const LARGEST_INDEX: u64 = 1 << 26;
/// What helps where a type is not computed.
pub(crate) const ANOTHER_TYPE: &str = "choose a checkpoint in bf16, f16, f32, MXFP4 or NVFP4";

/// Where each tensor of one file stands: shape, type and bytes.
pub type Placed = BTreeMap<String, (Vec<usize>, Dtype, std::ops::Range<usize>)>;

/// Reads the header at the beginning of `bytes`, the whole file. Errors: no safetensors, cut short, or contradicting itself.
pub fn parse(bytes: &[u8]) -> Result<Placed, Refused> {
    let length = bytes.first_chunk::<8>().map(|length| u64::from_le_bytes(*length));
    let Some(length) = length.filter(|length| *length <= bytes.len() as u64 - 8) else {
        return Err(Refused::broken("is no safetensors file: its header would end beyond it"));
    };
    if length > LONGEST_HEADER {
        return Err(Refused::broken(format!("would have a header of {length} bytes; {LONGEST_HEADER} are taken")));
    }
    let (length, header) = SafeTensors::read_metadata(bytes)
        .map_err(|e| Refused::broken(format!("has a header that is wrong: {}", shown(&e.to_string()))))?;
    let data = length + 8;
    let place = |(name, info): (String, &safetensors::tensor::TensorInfo)| {
        let (from, to) = info.data_offsets;
        (name, (info.shape.clone(), info.dtype, data + from..data + to))
    };
    Ok(header.tensors().into_iter().map(place).collect())
}

/// Whether `path` is a safetensors file, or a folder with some.
pub(crate) fn is(path: &Path) -> bool {
    let ends = |path: &Path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors"));
    if !path.is_dir() {
        return ends(path);
    }
    path.join(INDEX).is_file() || std::fs::read_dir(path).into_iter().flatten().flatten().any(|e| ends(&e.path()))
}

/// The files that make up the model at `path`.
fn files(path: &Path) -> Result<Vec<PathBuf>, Refused> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let index = path.join(INDEX);
    if index.is_file() {
        return indexed(path, &index);
    }
    if path.join(SINGLE).is_file() {
        return Ok(vec![path.join(SINGLE)]);
    }
    let entries = std::fs::read_dir(path).map_err(|e| Refused::new(e.to_string(), "give a folder that can be read"))?;
    let mut all: Vec<_> =
        entries.flatten().map(|entry| entry.path()).filter(|path| is(path) && path.is_file()).collect();
    all.sort();
    Ok(all)
}

/// The files that an index names.
fn indexed(folder: &Path, index: &Path) -> Result<Vec<PathBuf>, Refused> {
    let wrong = |what: &str| Refused::broken(format!("{INDEX} {what}"));
    let size = std::fs::metadata(index).map_err(|e| wrong(&e.to_string()))?.len();
    if size > LARGEST_INDEX {
        return Err(wrong(&format!("is larger than {LARGEST_INDEX} bytes")));
    }
    let text = std::fs::read(index).map_err(|e| wrong(&e.to_string()))?;
    let json: serde_json::Value =
        serde_json::from_slice(&text).map_err(|e| wrong(&shown(&format!("is no JSON: {e}"))))?;
    let map = json.get("weight_map").and_then(|map| map.as_object()).ok_or_else(|| wrong("has no weight_map"))?;
    let mut names = BTreeSet::new();
    for name in map.values() {
        match name.as_str() {
            Some(name) if Path::new(name).file_name().is_some_and(|file| file == name) => names.insert(name),
            _ => return Err(wrong("names what is no file of its folder")),
        };
    }
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

/// Every tensor of the model at `path`. Errors: files that are missing or broken, two tensors of one name.
pub(crate) fn entries(path: &Path) -> Result<BTreeMap<String, Entry>, Refused> {
    let mut all = BTreeMap::new();
    for path in files(path)? {
        let named = path.file_name().map(|name| shown(&name.to_string_lossy())).unwrap_or_default();
        let inside = |refused: Refused| Refused { what: format!("{named}: {}", refused.what), ..refused };
        let file = Arc::new(Mapped::open(&path).map_err(inside)?);
        for (name, (shape, kind, range)) in parse(file.bytes()).map_err(inside)? {
            let layout = match kind {
                Dtype::F32 => Ok(Layout::Same(Format::F32)),
                Dtype::F16 => Ok(Layout::Same(Format::F16)),
                Dtype::BF16 => Ok(Layout::Same(Format::Bf16)),
                other => Err(format!("{other:?}")),
            };
            // A single value may have no dimension.
            let shape: Vec<u64> = if shape.is_empty() { vec![1] } else { shape.iter().map(|n| *n as u64).collect() };
            let entry = Entry { file: file.clone(), shape, layout, range };
            if all.insert(name.clone(), entry).is_some() {
                return Err(Refused::broken(format!("has two tensors {}", shown(&name))));
            }
        }
    }
    if all.is_empty() {
        return Err(Refused::new("holds no tensors", ANOTHER));
    }
    Ok(all)
}
