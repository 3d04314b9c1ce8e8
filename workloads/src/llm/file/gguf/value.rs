//! The values of a GGUF file's metadata. Lists stay where they are: their bytes are checked and looked at when they are asked for.

use super::super::refused::Refused;
use super::cursor::Cursor;

/// One value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A whole number from 0.
    Whole(u64),
    /// A whole number below 0.
    Negative(i64),
    /// A number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// A text.
    Text(&'a str),
    /// Values of one kind, none of them a list.
    List(List<'a>),
}

/// A list, read when it is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct List<'a> {
    kind: u32,
    len: usize,
    bytes: &'a [u8],
}

const TEXT: u32 = 8;
const LIST: u32 = 9;

/// Bytes of a value of the kinds that have a fixed size: u8 i8 u16 i16 u32 i32 f32 bool – – u64 i64 f64.
const fn size(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

fn whole(number: i64) -> Value<'static> {
    u64::try_from(number).map_or(Value::Negative(number), Value::Whole)
}

/// A value of a kind with a fixed size, of as many bytes.
fn fixed(kind: u32, bytes: &[u8]) -> Value<'static> {
    let mut eight = [0; 8];
    eight[..bytes.len()].copy_from_slice(bytes);
    let (bits, four) = (u64::from_le_bytes(eight), u32::from_le_bytes([eight[0], eight[1], eight[2], eight[3]]));
    match kind {
        1 => whole(i64::from(bits as i8)),
        3 => whole(i64::from(bits as i16)),
        5 => whole(i64::from(four.cast_signed())),
        6 => Value::Number(f64::from(f32::from_bits(four))),
        7 => Value::Flag(bits != 0),
        11 => whole(bits.cast_signed()),
        12 => Value::Number(f64::from_bits(bits)),
        _ => Value::Whole(bits),
    }
}

impl<'a> Value<'a> {
    /// Reads a kind and its value. Errors: no such kind, a list in a list, or fewer bytes than it says.
    pub(crate) fn read(from: &mut Cursor<'a>, key: &str) -> Result<Self, Refused> {
        let kind = from.u32(key)?;
        match (kind, size(kind)) {
            (_, Some(size)) => Ok(fixed(kind, from.take(size, key)?)),
            (TEXT, _) => from.text(key).map(Self::Text),
            (LIST, _) => List::read(from, key).map(Self::List),
            _ => Err(Refused::broken(format!("{key} has values of kind {kind}, which GGUF does not have"))),
        }
    }
}

impl<'a> List<'a> {
    fn read(from: &mut Cursor<'a>, key: &str) -> Result<Self, Refused> {
        let (kind, len) = (from.u32(key)?, from.u64(key)?);
        let lies = || Refused::broken(format!("{key} would have {len} entries, more than the file has room for"));
        let (mut end, start) = (*from, from.at());
        match size(kind) {
            Some(size) => {
                end.take(len.checked_mul(size).ok_or_else(lies)?, key)?;
            }
            None if kind == TEXT => {
                // Each text has a length of 8 bytes: a count that lies is seen before anything is walked.
                if len.checked_mul(8).is_none_or(|bytes| bytes > end.left() as u64) {
                    return Err(lies());
                }
                for _ in 0..len {
                    end.string(key)?;
                }
            }
            None if kind == LIST => {
                return Err(Refused::broken(format!("{key} is a list of lists, which no reader of GGUF takes")));
            }
            None => {
                return Err(Refused::broken(format!("{key} lists values of kind {kind}, which GGUF does not have")));
            }
        }
        let bytes = from.take((end.at() - start) as u64, key)?;
        Ok(Self { kind, len: len as usize, bytes })
    }
    /// Entries.
    pub fn len(&self) -> usize {
        self.len
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// The entries as bytes, where they are texts; else nothing.
    pub fn texts(&self) -> impl Iterator<Item = &'a [u8]> {
        let (mut from, len) = (Cursor::new(self.bytes), if self.kind == TEXT { self.len } else { 0 });
        (0..len).map_while(move |_| from.string("").ok())
    }
    /// The entries that are no texts.
    pub fn values(&self) -> impl Iterator<Item = Value<'static>> {
        let (kind, size) = (self.kind, size(self.kind).unwrap_or_default() as usize);
        self.bytes.chunks_exact(size.max(1)).take(if size > 0 { self.len } else { 0 }).map(move |b| fixed(kind, b))
    }
}
