//! The header of a GGUF file: metadata and where each tensor lies, doubted throughout; nothing is allocated that was not checked first.
//!
//! | bytes | what |
//! |---|---|
//! | 4, 4 | `GGUF`, version 2 or 3, little endian |
//! | 8, 8 | tensors, metadata entries |
//! | … | entries: key, kind, value |
//! | … | tensors: name, dimensions (innermost first), type, place behind the header |
//! | from the next multiple of the alignment | data |

pub(crate) mod config;
mod cursor;
mod kind;
pub(crate) mod names;
mod value;

pub use kind::Kind;
pub use value::{List, Value};

use super::refused::{Refused, shown};
use cursor::Cursor;
use std::collections::BTreeMap;
use std::ops::Range;

/// What a GGUF file begins with.
pub(crate) const MAGIC: &[u8; 4] = b"GGUF";
/// More entries or tensors no model has.
const MOST: u64 = 1 << 17;
/// Longer keys and names no model has.
const LONGEST: usize = 1 << 12;

/// The header.
#[derive(Clone, Debug)]
pub struct Gguf<'a> {
    /// Metadata by key.
    pub fields: BTreeMap<&'a str, Value<'a>>,
    /// Tensors by name.
    pub tensors: BTreeMap<&'a str, Info>,
}

/// One tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Info {
    /// Elements along each dimension, the innermost first; at least one.
    pub shape: Vec<u64>,
    /// How it is stored.
    pub kind: Kind,
    /// Its bytes in the file.
    pub range: Range<usize>,
}

impl<'a> Gguf<'a> {
    /// Reads the header at the beginning of `bytes`, the whole file. Errors: what is no GGUF, is cut short, or contradicts itself.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Refused> {
        let mut from = Cursor::new(bytes);
        if bytes.get(..4) != Some(MAGIC) {
            return Err(Refused::new("is no GGUF file: it does not begin with GGUF", "give a .gguf file"));
        }
        from.take(4, "the magic")?;
        let version = from.u32("the version")?;
        if version.swap_bytes() <= 3 && version > 3 {
            return Err(Refused::new("is big endian", "convert it to little endian, as all machines here are"));
        }
        if !(2..=3).contains(&version) {
            return Err(Refused::new(format!("is GGUF version {version}"), "convert it to version 3"));
        }
        let (tensors, entries) = (from.u64("the number of tensors")?, from.u64("the number of entries")?);
        for (what, count) in [("tensors", tensors), ("metadata entries", entries)] {
            if count > MOST {
                return Err(Refused::broken(format!("would have {count} {what}; no model has more than {MOST}")));
            }
        }
        let mut fields = BTreeMap::new();
        for _ in 0..entries {
            let key = name(&mut from, "a key")?;
            let value = Value::read(&mut from, &shown(key))?;
            if fields.insert(key, value).is_some() {
                return Err(Refused::broken(format!("has the key {} twice", shown(key))));
            }
        }
        let mut placed = Vec::new();
        for _ in 0..tensors {
            placed.push(Placed::read(&mut from)?);
        }
        let alignment = match fields.get("general.alignment") {
            None => 32,
            Some(Value::Whole(bytes)) if bytes.is_power_of_two() && (8..=1 << 20).contains(bytes) => *bytes,
            Some(_) => {
                return Err(Refused::broken("general.alignment is no power of two from 8 to 1048576"));
            }
        };
        let data = (from.at() as u64).next_multiple_of(alignment);
        Ok(Self { fields, tensors: lay(placed, data, alignment, bytes.len() as u64)? })
    }
}

/// A key or a name.
fn name<'a>(from: &mut Cursor<'a>, what: &str) -> Result<&'a str, Refused> {
    let name = from.text(what)?;
    if name.is_empty() || name.len() > LONGEST {
        return Err(Refused::broken(format!("{what} has {} bytes; 1 to {LONGEST} are taken", name.len())));
    }
    Ok(name)
}

/// A tensor as the header has it.
struct Placed<'a> {
    name: &'a str,
    shape: Vec<u64>,
    kind: Kind,
    /// Behind the header.
    offset: u64,
    bytes: u64,
}

impl<'a> Placed<'a> {
    fn read(from: &mut Cursor<'a>) -> Result<Self, Refused> {
        let name = name(from, "a tensor's name")?;
        let at = || format!("tensor {}", shown(name));
        let dimensions = from.u32(name)?;
        if !(1..=4).contains(&dimensions) {
            return Err(Refused::broken(format!("{} has {dimensions} dimensions; 1 to 4 are taken", at())));
        }
        let shape = (0..dimensions).map(|_| from.u64(name)).collect::<Result<Vec<_>, _>>()?;
        let id = from.u32(name)?;
        let Some(kind) = Kind::find(id) else {
            return Err(Refused::new(format!("{} is of type {id}, which is not known here", at()), ANOTHER_TYPE));
        };
        let elements = shape.iter().try_fold(1_u64, |all, n| all.checked_mul(*n)).filter(|n| (1..1 << 48).contains(n));
        let Some(elements) = elements else {
            return Err(Refused::broken(format!("{} would be of {shape:?} elements", at())));
        };
        if !shape[0].is_multiple_of(kind.block) {
            let (row, block) = (shape[0], kind.block);
            return Err(Refused::broken(format!(
                "{} has rows of {row} elements, no whole blocks of {block} of {}",
                at(),
                kind.name
            )));
        }
        Ok(Self { name, shape, kind, offset: from.u64(name)?, bytes: elements / kind.block * kind.bytes })
    }
}

/// What helps where a tensor's type is not computed.
pub(crate) const ANOTHER_TYPE: &str =
    "choose a file in F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K, MXFP4 or NVFP4";

/// Where each tensor lies in a file of `len` bytes whose data begin at `data`. Errors: beyond the end, in another, or not aligned.
fn lay(placed: Vec<Placed<'_>>, data: u64, alignment: u64, len: u64) -> Result<BTreeMap<&str, Info>, Refused> {
    let mut tensors = BTreeMap::new();
    let mut ranges = Vec::with_capacity(placed.len());
    for Placed { name, shape, kind, offset, bytes } in placed {
        let start = data.checked_add(offset);
        let Some((start, end)) = start.and_then(|s| Some((s, s.checked_add(bytes)?))).filter(|(_, end)| *end <= len)
        else {
            let what = format!("tensor {} would take {bytes} bytes from {offset} of the data", shown(name));
            return Err(Refused::broken(format!("{what}, beyond the end of the file")));
        };
        if !offset.is_multiple_of(alignment) {
            return Err(Refused::broken(format!(
                "tensor {} lies at {offset}, not aligned to {alignment}",
                shown(name)
            )));
        }
        ranges.push((start, end, name));
        let range = start as usize..end as usize;
        if tensors.insert(name, Info { shape, kind, range }).is_some() {
            return Err(Refused::broken(format!("has two tensors {}", shown(name))));
        }
    }
    ranges.sort_unstable();
    if let Some([(.., first), (.., second)]) = ranges.array_windows::<2>().find(|[a, b]| b.0 < a.1) {
        return Err(Refused::broken(format!("tensors {} and {} overlap", shown(first), shown(second))));
    }
    Ok(tensors)
}
