//! Compiled code loaded on a GPU, and the functions in it.
#![expect(unsafe_code, reason = "the driver loads code from memory and hands out its functions")]

use super::context::Context;
use super::driver::fault;
use crate::Fault;
use cudarc::driver::{result, sys};
use std::ffi::CString;
use std::sync::Arc;

/// Loaded code.
#[derive(Debug)]
pub struct Module {
    raw: sys::CUmodule,
    path: &'static str,
    context: Arc<Context>,
}

// SAFETY: the driver's handles may be used by any thread.
unsafe impl Send for Module {}
// SAFETY: as above.
unsafe impl Sync for Module {}

impl Module {
    /// Loads `code`, compiled from the file at `path`. Errors: the driver's words.
    pub(crate) fn load(context: &Arc<Context>, path: &'static str, code: &[u8]) -> Result<Arc<Self>, Fault> {
        context.enter()?;
        // SAFETY: a whole image for this architecture, from the compiler or checked against its hash; a context is current.
        let raw = unsafe { result::module::load_data(code.as_ptr().cast()) };
        let raw = context.check(&format!("cuModuleLoadData of {path}"), raw)?;
        Ok(Arc::new(Self { raw, path, context: context.clone() }))
    }
    /// The function of that name. Errors: there is none.
    pub fn function(self: &Arc<Self>, name: &str) -> Result<Function, Fault> {
        self.context.enter()?;
        let c_name = CString::new(name).map_err(|_| Fault::Device(format!("'{name}' is no name of a function")))?;
        // SAFETY: the module is loaded, and lives as long as the function made here.
        let raw = unsafe { result::module::get_function(self.raw, c_name) };
        let raw = raw.map_err(|e| fault(&format!("cuModuleGetFunction {name} of {}", self.path), e))?;
        Ok(Function { raw, shared: 0, module: self.clone() })
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        if self.context.enter().is_ok() {
            // SAFETY: loaded once; functions hold the module alive. A failure here has nobody left to tell.
            let _ = unsafe { result::module::unload(self.raw) };
        }
    }
}

/// A function that can be launched.
#[derive(Clone, Debug)]
pub struct Function {
    raw: sys::CUfunction,
    /// Bytes of dynamic shared memory a launch gives it.
    shared: u32,
    module: Arc<Module>,
}

// SAFETY: the driver's handles may be used by any thread.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

impl Function {
    /// The same with `bytes` of dynamic shared memory at every launch. Errors: the GPU has not so much for a block.
    pub fn with_shared(mut self, bytes: usize) -> Result<Self, Fault> {
        /// What a block may have without being asked for.
        const FREE: usize = 48 << 10;
        let too_much = || Fault::Device(format!("{bytes} bytes of shared memory a block cannot be had"));
        self.shared = u32::try_from(bytes).map_err(|_| too_much())?;
        if bytes > FREE {
            let attribute = sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            self.module.context.enter()?;
            // SAFETY: the function's module is loaded.
            let set =
                unsafe { result::function::set_function_attribute(self.raw, attribute, self.shared.cast_signed()) };
            self.module.context.check(&format!("{bytes} bytes of shared memory for {}", self.module.path), set)?;
        }
        Ok(self)
    }
    /// How many blocks of so many threads fit on one SM together.
    pub fn blocks_an_sm(&self, threads: u32) -> Result<u32, Fault> {
        self.module.context.enter()?;
        // SAFETY: the function's module is loaded.
        let blocks = unsafe {
            result::occupancy::max_active_block_per_multiprocessor(
                self.raw,
                threads.cast_signed(),
                self.shared as usize,
            )
        };
        let blocks = self.module.context.check("cuOccupancyMaxActiveBlocksPerMultiprocessor", blocks)?;
        Ok(u32::try_from(blocks).unwrap_or(0))
    }
    pub(crate) fn raw(&self) -> sys::CUfunction {
        self.raw
    }
    pub(crate) fn shared(&self) -> u32 {
        self.shared
    }
    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.module.context
    }
}
