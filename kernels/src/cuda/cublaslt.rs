//! Products of cuBLASLt of two matrices along k, as values.
#![expect(unsafe_code, reason = "NVIDIA's library is C, called through its symbols")]

use super::Gpu;
pub use super::cublaslt_library::{CublasLt, LIBRARY, cublaslt};
use super::cublaslt_library::{Destroy, Found, Handle};
use crate::{Buffer, Device, Fault, Placement, Type, Unsupported};
use std::collections::BTreeMap;
use std::ffi::c_int;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Bytes of workspace: what NVIDIA advises for Hopper; other architectures take less.
const WORKSPACE: usize = 32 << 20;

/// A handle, given back when dropped.
#[derive(Debug)]
struct Owned {
    raw: Handle,
    destroy: Destroy,
}

// SAFETY: the library's handles may be used by any thread, one at a time, and `&mut` products let one.
unsafe impl Send for Owned {}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: made once, by the function that belongs to `destroy`. A failure here has nobody left to tell.
        let _ = unsafe { (self.destroy)(self.raw) };
    }
}

/// How the elements of both matrices are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operands {
    /// bf16.
    Bf16,
    /// E4M3.
    E4m3,
    /// E2M1, two a byte, with a UE4M3 for each 16 along k, in tiles of 128 rows × 4.
    Nvfp4,
}

/// y\[rows, n\] = x\[rows, k\] · W\[n, k\]ᵀ in f32, rows of both at a pitch of `k` elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How x and W are stored.
    pub of: Operands,
    /// Rows of x.
    pub rows: usize,
    /// Rows of W.
    pub n: usize,
    /// Elements of a row.
    pub k: usize,
}

/// A handle of the library on one GPU, and the workspace that its products take one after another.
#[derive(Debug)]
pub struct Session {
    library: &'static CublasLt,
    handle: Owned,
    workspace: Buffer,
    gpu: Gpu,
}

/// A product of one shape, with the algorithm that the library's heuristic gives for it.
#[derive(Debug)]
pub struct Product {
    operation: Owned,
    /// Of W, x and y.
    layouts: [Owned; 3],
    algorithm: [u64; 8],
    scaled: bool,
}

/// The session of `gpu`, which all that multiply there share while any does: each would hold a workspace of its own. Errors: as [`Session::new`]'s.
pub fn session(gpu: &Gpu) -> Result<Arc<Mutex<Session>>, Fault> {
    static OPEN: Mutex<BTreeMap<String, Weak<Mutex<Session>>>> = Mutex::new(BTreeMap::new());
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(session) = open.get(gpu.id()).and_then(Weak::upgrade) {
        return Ok(session);
    }
    let session = Arc::new(Mutex::new(Session::new(gpu)?));
    open.insert(gpu.id().to_owned(), Arc::downgrade(&session));
    Ok(session)
}

/// The address of a buffer on a GPU.
fn address(buffer: &Buffer) -> Result<u64, Fault> {
    let on_host = || Fault::Device("an operand stands on the host: upload it".to_owned());
    buffer.gpu().map(super::memory::Memory::address).ok_or_else(on_host)
}

impl Session {
    /// Starts the library on `gpu`. Errors: there is none, or it does not start.
    pub fn new(gpu: &Gpu) -> Result<Self, Fault> {
        let library = cublaslt()?;
        gpu.enter()?;
        let mut raw = null_mut();
        // SAFETY: a context is current, and a handle is written.
        library.answer("cublasLtCreate", unsafe { (library.create)(&raw mut raw) })?;
        let handle = Owned { raw, destroy: library.destroy };
        Ok(Self { library, handle, workspace: gpu.alloc(Type::U8, WORKSPACE, Placement::Fast)?, gpu: gpu.clone() })
    }
    /// Asks the library how it would do `problem`. Errors: [`Fault::Unsupported`] where it would not.
    pub fn product(&self, problem: Problem) -> Result<Product, Fault> {
        let Problem { of, rows, n, k } = problem;
        let library = self.library;
        self.gpu.enter()?;
        // CUBLAS_COMPUTE_32F, CUDA_R_32F.
        let (compute, f32_type) = (68, 0);
        let mut raw = null_mut();
        // SAFETY: a handle is written.
        let made = unsafe { (library.operation)(&raw mut raw, compute, f32_type) };
        library.answer("cublasLtMatmulDescCreate", made)?;
        let operation = Owned { raw, destroy: library.operation_destroy };
        let set = |attribute, value: c_int| {
            library.set("cublasLtMatmulDescSetAttribute", library.operation_set, operation.raw, attribute, value)
        };
        // In the library's column-major words: W is k × n and transposed, x is k × rows, y n × rows.
        set(3, 1)?;
        set(4, 0)?;
        let scaled = of == Operands::Nvfp4;
        if scaled {
            // A and B by CUBLASLT_MATMUL_MATRIX_SCALE_VEC16_UE4M3; libraries before 12.8 know no such attribute.
            for attribute in [31, 32] {
                set(attribute, 1).map_err(|why| Unsupported(format!("this cuBLASLt has no block scales: {why}")))?;
            }
            // The heuristic looks at whether there are scales: any aligned address stands for them.
            self.scales(&operation, address(&self.workspace)?, address(&self.workspace)?)?;
        }
        let kind = match of {
            Operands::Bf16 => 14,
            Operands::E4m3 => 28,
            Operands::Nvfp4 => 33,
        };
        let layout = |of: c_int, rows: usize, columns: usize| {
            let mut raw = null_mut();
            // SAFETY: a handle is written.
            let made = unsafe { (library.layout)(&raw mut raw, of, rows as u64, columns as u64, rows as i64) };
            library.answer("cublasLtMatrixLayoutCreate", made)?;
            Ok::<_, Fault>(Owned { raw, destroy: library.layout_destroy })
        };
        let layouts = [layout(kind, k, n)?, layout(kind, k, rows)?, layout(f32_type, n, rows)?];
        let mut raw = null_mut();
        // SAFETY: a handle is written.
        library.answer("cublasLtMatmulPreferenceCreate", unsafe { (library.preference)(&raw mut raw) })?;
        let preference = Owned { raw, destroy: library.preference_destroy };
        // CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES.
        library.set(
            "cublasLtMatmulPreferenceSetAttribute",
            library.preference_set,
            preference.raw,
            1,
            WORKSPACE as u64,
        )?;
        let mut found = Found { algorithm: [0; 8], workspace: 0, state: 0, waves: 0.0, reserved: [0; 4] };
        let mut count = 0;
        let [w, x, y] = &layouts;
        // SAFETY: all handles live, and there is room for the one result asked for.
        let status = unsafe {
            (library.heuristic)(
                self.handle.raw,
                operation.raw,
                w.raw,
                x.raw,
                y.raw,
                y.raw,
                preference.raw,
                1,
                &raw mut found,
                &raw mut count,
            )
        };
        let none = |why: String| Fault::Unsupported(Unsupported(format!("cuBLASLt has no algorithm for it: {why}")));
        library.answer("cublasLtMatmulAlgoGetHeuristic", status).map_err(|why| none(why.to_string()))?;
        if count < 1 || found.state != 0 || found.workspace > WORKSPACE {
            return Err(none(format!("{count} found, state {}", found.state)));
        }
        Ok(Product { operation, layouts, algorithm: found.algorithm, scaled })
    }
    fn scales(&self, of: &Owned, weights: u64, x: u64) -> Result<(), Fault> {
        for (attribute, at) in [(17, weights), (18, x)] {
            let what = "cublasLtMatmulDescSetAttribute";
            self.library.set(what, self.library.operation_set, of.raw, attribute, at)?;
        }
        Ok(())
    }
    /// Submits one product to the GPU's stream: `y = x · Wᵀ`; `scales` are those of W and x, of the operands that have any.
    /// Errors: operands on the host, the library's words.
    pub fn run(
        &mut self,
        product: &mut Product,
        (weights, x): (&Buffer, &Buffer),
        scales: (&Buffer, &Buffer),
        y: &mut Buffer,
    ) -> Result<(), Fault> {
        self.gpu.enter()?;
        if product.scaled {
            self.scales(&product.operation, address(scales.0)?, address(scales.1)?)?;
        }
        let (one, zero) = (1.0_f32, 0.0_f32);
        let (weights, x, y, workspace) = (address(weights)?, address(x)?, address(y)?, address(&self.workspace)?);
        let [w_layout, x_layout, y_layout] = &product.layouts;
        // SAFETY: handles and buffers live, the buffers have the problem's sizes (their makers lay them out by it), the algorithm is the
        // library's own for it and has the workspace that was offered; alpha and beta are read before the call returns.
        let status = unsafe {
            (self.library.multiply)(
                self.handle.raw,
                product.operation.raw,
                &raw const one,
                weights,
                w_layout.raw,
                x,
                x_layout.raw,
                &raw const zero,
                y,
                y_layout.raw,
                y,
                y_layout.raw,
                &raw const product.algorithm,
                workspace,
                WORKSPACE,
                self.gpu.stream().cast(),
            )
        };
        self.library.answer("cublasLtMatmul", status)
    }
}
