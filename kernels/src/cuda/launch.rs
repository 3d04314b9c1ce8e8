//! The one place where a function is launched: its grid and its arguments.
#![expect(unsafe_code, reason = "a kernel is entered with arguments by address")]

use super::module::Function;
use crate::{Buffer, Fault};
use cudarc::driver::{result, sys};
use std::ffi::c_void;
use std::marker::PhantomData;
use std::sync::Arc;

/// Blocks of a launch and threads of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Blocks, x y z.
    pub blocks: [u32; 3],
    /// Threads a block, x y z.
    pub threads: [u32; 3],
}

impl Grid {
    /// `blocks` blocks of `threads` threads, both in x.
    pub fn line(blocks: usize, threads: u32) -> Self {
        Self::of([blocks, 1, 1], threads)
    }
    /// Blocks in three dimensions, threads in x. What a dimension cannot count is refused at the launch.
    pub fn of(blocks: [usize; 3], threads: u32) -> Self {
        Self { blocks: blocks.map(|b| u32::try_from(b).unwrap_or(u32::MAX)), threads: [threads, 1, 1] }
    }
    /// Enough blocks of `threads` threads for one thread an item.
    pub fn covering(items: usize, threads: u32) -> Self {
        Self::line(items.div_ceil(threads as usize), threads)
    }
}

/// Most arguments a launch takes, and the words they may need: a tensor map is 16.
const ARGUMENTS: usize = 32;
const WORDS: usize = 96;

/// The arguments of one launch, in the order of the function's parameters. Operands stay borrowed until it is submitted.
#[derive(Debug)]
pub struct Args<'a> {
    words: [u64; WORDS],
    starts: [usize; ARGUMENTS],
    len: usize,
    used: usize,
    /// The context of the operands so far, by address.
    context: Option<usize>,
    fault: Option<Fault>,
    operands: PhantomData<&'a Buffer>,
}

impl<'a> Args<'a> {
    /// None.
    #[expect(clippy::new_without_default, reason = "a launch without arguments is written as one")]
    pub fn new() -> Self {
        Self {
            words: [0; WORDS],
            starts: [0; ARGUMENTS],
            len: 0,
            used: 0,
            context: None,
            fault: None,
            operands: PhantomData,
        }
    }
    fn push(mut self, words: &[u64]) -> Self {
        if self.len == ARGUMENTS || self.used + words.len() > WORDS {
            let why = format!("a launch with more than {ARGUMENTS} arguments or {WORDS} words of them");
            self.fault.get_or_insert(Fault::Device(why));
            return self;
        }
        self.words[self.used..self.used + words.len()].copy_from_slice(words);
        self.starts[self.len] = self.used;
        (self.len, self.used) = (self.len + 1, self.used + words.len());
        self
    }
    fn operand(mut self, buffer: &Buffer) -> Self {
        match buffer.gpu() {
            Some(memory) => {
                let context = Arc::as_ptr(memory.context()) as usize;
                if *self.context.get_or_insert(context) != context {
                    self.fault.get_or_insert(Fault::Device("operands stand on different GPUs".to_owned()));
                }
                self.push(&[memory.address()])
            }
            None => {
                self.fault.get_or_insert(Fault::Device("an operand stands on the host: upload it".to_owned()));
                self
            }
        }
    }
    /// A pointer to what is read.
    pub fn read(self, buffer: &'a Buffer) -> Self {
        self.operand(buffer)
    }
    /// A pointer to what is written.
    pub fn write(self, buffer: &'a mut Buffer) -> Self {
        self.operand(buffer)
    }
    /// A pointer to what is read, or null.
    pub fn read_or_null(self, buffer: Option<&'a Buffer>) -> Self {
        match buffer {
            Some(buffer) => self.operand(buffer),
            None => self.push(&[0]),
        }
    }
    /// A pointer to what is written, or null.
    pub fn write_or_null(self, buffer: Option<&'a mut Buffer>) -> Self {
        match buffer {
            Some(buffer) => self.operand(buffer),
            None => self.push(&[0]),
        }
    }
    /// An address on the GPU, such as [`Gpu::rows`](super::Gpu::rows) gives.
    pub fn address(self, address: u64) -> Self {
        self.push(&[address])
    }
    /// An `int` or `unsigned` of the kernel. A size beyond 2^31 is refused at the launch.
    pub fn int(mut self, value: usize) -> Self {
        if i32::try_from(value).is_err() {
            self.fault.get_or_insert(Fault::Device(format!("an argument of {value} exceeds 2^31")));
        }
        self.push(&[value as u64])
    }
    /// An `unsigned` of the kernel, bit for bit.
    pub fn bits(self, value: u32) -> Self {
        self.push(&[u64::from(value)])
    }
    /// A `long long` or `unsigned long long` of the kernel.
    pub fn long(self, value: u64) -> Self {
        self.push(&[value])
    }
    /// A `float` of the kernel.
    pub fn float(self, value: f32) -> Self {
        self.push(&[u64::from(value.to_bits())])
    }
    /// A structure of 128 bytes, such as a tensor map (`const __grid_constant__`).
    pub fn block(self, words: &[u64; 16]) -> Self {
        self.push(words)
    }
}

/// Submits one launch. Errors: an argument that cannot be, or the driver's words; what goes wrong on the GPU shows at the next wait.
pub(crate) fn launch(function: &Function, grid: Grid, args: Args<'_>) -> Result<(), Fault> {
    launch_on(function.context().stream(), function, grid, args)
}

/// The same on another stream of the function's context.
pub(crate) fn launch_on(
    stream: sys::CUstream,
    function: &Function,
    grid: Grid,
    mut args: Args<'_>,
) -> Result<(), Fault> {
    // The driver reads an argument of four bytes at the front of its word.
    const { assert!(cfg!(target_endian = "little")) };
    if let Some(fault) = args.fault.take() {
        return Err(fault);
    }
    if grid.blocks.contains(&0) {
        // The driver refuses a launch of nothing.
        return Ok(());
    }
    let context = function.context();
    if args.context.is_some_and(|of| of != Arc::as_ptr(context) as usize) {
        return Err(Fault::Device("operands stand on another GPU than the function".to_owned()));
    }
    context.enter()?;
    let base = args.words.as_mut_ptr();
    let mut pointers = [std::ptr::null_mut::<c_void>(); ARGUMENTS];
    for (pointer, start) in pointers.iter_mut().zip(&args.starts[..args.len]) {
        *pointer = base.wrapping_add(*start).cast();
    }
    let ([bx, by, bz], [tx, ty, tz]) = (grid.blocks, grid.threads);
    // SAFETY: each pointer is to an initialised argument that outlives the call. The functions here are the project's own: they
    // keep to the operands that the implementation beside them gives, as the parity tests and the CPU double under ASan hold.
    let answer = unsafe {
        result::launch_kernel(
            function.raw(),
            (bx, by, bz),
            (tx, ty, tz),
            function.shared(),
            stream,
            &mut pointers[..args.len],
        )
    };
    context.check("cuLaunchKernel", answer)
}
