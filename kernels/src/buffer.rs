//! Typed memory: `Host` values that travel, and `Buffer`s that live where a device works.
#![expect(unsafe_code, reason = "a buffer's bytes are viewed as its elements")]

use crate::cpu::pages::Pages;
use crate::cuda::memory::Memory;
use half::bf16;

/// The element type of a buffer. Block formats (mxfp4, q8_0 …) are `U8`: their bytes mean something only to an op.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// IEEE 754 binary32.
    F32,
    /// bfloat16.
    Bf16,
    /// Signed 8-bit integer.
    I8,
    /// Byte: codes and blocks of a quantised format.
    U8,
    /// Signed 32-bit integer.
    I32,
    /// Unsigned 32-bit integer: token ids, positions.
    U32,
    /// Unsigned 64-bit integer: links of a pointer chase.
    U64,
}

impl Type {
    /// Size of one element, in bytes.
    pub const fn size(self) -> usize {
        match self {
            Type::U64 => 8,
            Type::F32 | Type::I32 | Type::U32 => 4,
            Type::Bf16 => 2,
            Type::I8 | Type::U8 => 1,
        }
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that stands for a [`Type`].
///
/// # Safety
/// Every bit pattern of `size_of::<Self>() == TYPE.size()` bytes is a valid value, and the alignment is at most 64.
pub unsafe trait Element: sealed::Sealed + Copy + Send + Sync + 'static {
    /// The run-time name of this type.
    const TYPE: Type;
}

macro_rules! elements {
    ($($rust:ty = $of:ident),*) => {$(
        impl sealed::Sealed for $rust {}
        // SAFETY: plain numbers: every bit pattern is a value, and none is aligned to more than 8 bytes.
        unsafe impl Element for $rust { const TYPE: Type = Type::$of; }
        impl From<Vec<$rust>> for Host { fn from(values: Vec<$rust>) -> Self { Host::$of(values) } }
    )*};
}

/// A byte that is an E4M3 code, as [`e4m3`](crate::format::e4m3) reads it: the element of an fp8 cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct E4m3(pub u8);

impl sealed::Sealed for E4m3 {}
// SAFETY: a byte by another name: every bit pattern is a value.
unsafe impl Element for E4m3 {
    const TYPE: Type = Type::U8;
}
elements!(f32 = F32, bf16 = Bf16, i8 = I8, u8 = U8, i32 = I32, u32 = U32, u64 = U64);

/// Values in ordinary host memory: what examples are made of and what downloads return.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each variant is the vector of the element type it is named after")]
pub enum Host {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
    I8(Vec<i8>),
    U8(Vec<u8>),
    I32(Vec<i32>),
    U32(Vec<u32>),
    U64(Vec<u64>),
}

macro_rules! each_host {
    ($host:expr, $v:ident => $body:expr) => {
        match $host {
            Host::F32($v) => $body,
            Host::Bf16($v) => $body,
            Host::I8($v) => $body,
            Host::U8($v) => $body,
            Host::I32($v) => $body,
            Host::U32($v) => $body,
            Host::U64($v) => $body,
        }
    };
}

impl Host {
    /// The element type.
    pub fn of(&self) -> Type {
        match self {
            Host::F32(_) => Type::F32,
            Host::Bf16(_) => Type::Bf16,
            Host::I8(_) => Type::I8,
            Host::U8(_) => Type::U8,
            Host::I32(_) => Type::I32,
            Host::U32(_) => Type::U32,
            Host::U64(_) => Type::U64,
        }
    }
    /// Number of elements.
    pub fn len(&self) -> usize {
        each_host!(self, v => v.len())
    }
    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The element at `at`, widened to f64 (exact for every type but U64 beyond 2^53).
    pub fn value(&self, at: usize) -> f64 {
        match self {
            Host::F32(v) => f64::from(v[at]),
            Host::Bf16(v) => f64::from(v[at]),
            Host::I8(v) => f64::from(v[at]),
            Host::U8(v) => f64::from(v[at]),
            Host::I32(v) => f64::from(v[at]),
            Host::U32(v) => f64::from(v[at]),
            Host::U64(v) => v[at] as f64,
        }
    }
    /// The values as a slice of `T`. Panics if the type is another: a programmer's mistake.
    pub fn slice<T: Element>(&self) -> &[T] {
        assert!(T::TYPE == self.of(), "host values are {:?}, asked for as {:?}", self.of(), T::TYPE);
        // SAFETY: the types were just found equal, so this is the vector's own pointer, length and type.
        each_host!(self, v => unsafe { std::slice::from_raw_parts(v.as_ptr().cast(), v.len()) })
    }
    /// `len` zeros of that type.
    pub fn zeros(of: Type, len: usize) -> Self {
        match of {
            Type::F32 => Host::F32(vec![0.0; len]),
            Type::Bf16 => Host::Bf16(vec![bf16::ZERO; len]),
            Type::I8 => Host::I8(vec![0; len]),
            Type::U8 => Host::U8(vec![0; len]),
            Type::I32 => Host::I32(vec![0; len]),
            Type::U32 => Host::U32(vec![0; len]),
            Type::U64 => Host::U64(vec![0; len]),
        }
    }
    /// The values as bytes that can be written, in this machine's byte order.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: any bytes are values of plain numbers, and `&mut self` makes the view unique.
        each_host!(self, v => unsafe { std::slice::from_raw_parts_mut(v.as_mut_ptr().cast(), size_of_val(v.as_slice())) })
    }
    /// The values as bytes, in this machine's byte order.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: any initialised vector of plain numbers may be read as bytes.
        each_host!(self, v => unsafe { std::slice::from_raw_parts(v.as_ptr().cast(), size_of_val(v.as_slice())) })
    }
}

/// The bytes of `values`, in this machine's byte order.
pub fn bytes_of<T: Element>(values: &[T]) -> &[u8] {
    // SAFETY: any initialised slice of plain numbers may be read as bytes.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// The same, to be written.
pub(crate) fn bytes_of_mut<T: Element>(values: &mut [T]) -> &mut [u8] {
    // SAFETY: any bytes are values of an element, and `&mut` makes the view unique.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
}

/// What kind of memory a buffer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Placement {
    /// The device's best for kernels: on a CPU, huge pages where the system grants them.
    #[default]
    Fast,
    /// Base pages only, to show what huge pages are worth.
    SmallPages,
}

/// `len` elements of one type in a device's memory.
#[derive(Debug)]
pub struct Buffer {
    of: Type,
    len: usize,
    home: Home,
}

/// Where the elements are.
#[derive(Debug)]
enum Home {
    Host(Pages),
    Cuda(Memory),
}

impl Buffer {
    /// Zeroed memory on the host. Errors: the operating system has none left.
    pub fn host(of: Type, len: usize, placement: Placement) -> Result<Self, crate::Fault> {
        let bytes = len.checked_mul(of.size()).ok_or(crate::Fault::OutOfMemory { bytes: u64::MAX })?;
        Ok(Self { of, len, home: Home::Host(Pages::zeroed(bytes, placement)?) })
    }
    /// `len` elements in `pages`. Panics if they are more than they have room for.
    pub(crate) fn in_pages(of: Type, len: usize, pages: Pages) -> Self {
        assert!(len * of.size() <= pages.bytes(), "{len} × {of:?} <= {} bytes of pages", pages.bytes());
        Self { of, len, home: Home::Host(pages) }
    }
    /// `len` elements that a GPU holds in `memory`. Panics if they are more than it has room for.
    pub(crate) fn on_gpu(of: Type, len: usize, memory: Memory) -> Self {
        assert!(len * of.size() <= memory.bytes(), "{len} × {of:?} <= {} bytes of memory", memory.bytes());
        Self { of, len, home: Home::Cuda(memory) }
    }
    /// Takes its bytes for elements of another type, as many as fit.
    pub(crate) fn retype(&mut self, of: Type) {
        self.len = self.bytes() / of.size();
        self.of = of;
    }
    /// The element type.
    pub fn of(&self) -> Type {
        self.of
    }
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }
    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// Size in bytes.
    pub fn bytes(&self) -> usize {
        self.len * self.of.size()
    }
    /// The pages behind it, and which kind they really are; `None` where a GPU holds it.
    pub fn pages(&self) -> Option<&Pages> {
        match &self.home {
            Home::Host(pages) => Some(pages),
            Home::Cuda(_) => None,
        }
    }
    /// The GPU's memory behind it; `None` where the host holds it.
    pub fn gpu(&self) -> Option<&Memory> {
        match &self.home {
            Home::Host(_) => None,
            Home::Cuda(memory) => Some(memory),
        }
    }
    pub(crate) fn gpu_mut(&mut self) -> Option<&mut Memory> {
        match &mut self.home {
            Home::Host(_) => None,
            Home::Cuda(memory) => Some(memory),
        }
    }
    /// The elements as a slice of `T`. Panics if the type is another, or if a GPU holds them: a programmer's mistake.
    pub fn slice<T: Element>(&self) -> &[T] {
        self.demand(T::TYPE);
        // SAFETY: the pages hold `len` initialised elements of `T`, aligned to 64 bytes, and are borrowed with self.
        unsafe { std::slice::from_raw_parts(self.on_host().as_ptr().cast(), self.len) }
    }
    /// The elements as a mutable slice of `T`. Panics if the type is another, or if a GPU holds them.
    pub fn slice_mut<T: Element>(&mut self) -> &mut [T] {
        self.demand(T::TYPE);
        let len = self.len;
        // SAFETY: as in `slice`, and `&mut self` makes the view unique.
        unsafe { std::slice::from_raw_parts_mut(self.on_host_mut().as_mut_ptr().cast(), len) }
    }
    fn on_host(&self) -> &Pages {
        match &self.home {
            Home::Host(pages) => pages,
            Home::Cuda(_) => panic!("a GPU holds this buffer: download it"),
        }
    }
    fn on_host_mut(&mut self) -> &mut Pages {
        match &mut self.home {
            Home::Host(pages) => pages,
            Home::Cuda(_) => panic!("a GPU holds this buffer: write it through its device"),
        }
    }
    /// The elements as bytes, in this machine's byte order. Panics if a GPU holds them.
    pub fn host_bytes(&self) -> &[u8] {
        // SAFETY: the pages hold so many initialised bytes, and are borrowed with self.
        unsafe { std::slice::from_raw_parts(self.on_host().as_ptr(), self.bytes()) }
    }
    /// Copies `host` in. Panics if type or length differ, or if a GPU holds it.
    pub fn fill(&mut self, host: &Host) {
        assert!(
            host.of() == self.of && host.len() == self.len,
            "a buffer is filled from values of its own type and length"
        );
        self.bytes_mut().copy_from_slice(host.bytes());
    }
    /// The elements as bytes. Panics if a GPU holds them.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let bytes = self.bytes();
        // SAFETY: the pages hold `bytes` bytes and `&mut self` makes the view unique.
        unsafe { std::slice::from_raw_parts_mut(self.on_host_mut().as_mut_ptr(), bytes) }
    }
    /// Copies the elements out. Panics if a GPU holds them.
    pub fn to_host(&self) -> Host {
        match self.of {
            Type::F32 => self.slice::<f32>().to_vec().into(),
            Type::Bf16 => self.slice::<bf16>().to_vec().into(),
            Type::I8 => self.slice::<i8>().to_vec().into(),
            Type::U8 => self.slice::<u8>().to_vec().into(),
            Type::I32 => self.slice::<i32>().to_vec().into(),
            Type::U32 => self.slice::<u32>().to_vec().into(),
            Type::U64 => self.slice::<u64>().to_vec().into(),
        }
    }
    fn demand(&self, of: Type) {
        assert!(of == self.of, "buffer holds {:?}, asked for as {of:?}", self.of);
    }
}
