//! A place in a GGUF file: what is read next, never beyond the end.

use super::super::refused::Refused;

/// Reads little-endian values one after another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
    /// Bytes read so far.
    pub(crate) fn at(&self) -> usize {
        self.at
    }
    /// Bytes that are left.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }
    /// The next `len` bytes. Errors: fewer are left; `what` names them.
    pub(crate) fn take(&mut self, len: u64, what: &str) -> Result<&'a [u8], Refused> {
        let Some(len) = usize::try_from(len).ok().filter(|len| *len <= self.left()) else {
            let (at, left) = (self.at, self.left());
            return Err(Refused::broken(format!("{what} at byte {at} would take {len} bytes, and {left} are left")));
        };
        let taken = &self.bytes[self.at..self.at + len];
        self.at += len;
        Ok(taken)
    }
    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Refused> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N as u64, what)?);
        Ok(out)
    }
    pub(crate) fn u32(&mut self, what: &str) -> Result<u32, Refused> {
        self.array(what).map(u32::from_le_bytes)
    }
    pub(crate) fn u64(&mut self, what: &str) -> Result<u64, Refused> {
        self.array(what).map(u64::from_le_bytes)
    }
    /// A length and as many bytes.
    pub(crate) fn string(&mut self, what: &str) -> Result<&'a [u8], Refused> {
        let len = self.u64(what)?;
        self.take(len, what)
    }
    /// The same, which has to be text.
    pub(crate) fn text(&mut self, what: &str) -> Result<&'a str, Refused> {
        let at = self.at;
        std::str::from_utf8(self.string(what)?)
            .map_err(|_| Refused::broken(format!("{what} at byte {at} is no UTF-8 text")))
    }
}
