//! cuBLASLt, NVIDIA's library of matrix products: found at run time, its functions and its words.
#![expect(unsafe_code, reason = "NVIDIA's library is C, called through its symbols")]

use super::driver::{DOUBLE, driver};
use super::library;
use super::nvrtc_paths::folders;
use crate::{Fault, Unsupported};
use libloading::Library;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::PathBuf;
use std::sync::OnceLock;

/// Names a library to use in place of the system's.
pub const LIBRARY: &str = "SPARK_BENCH_CUBLASLT";

/// Bare names, newest first.
const NAMES: &[&str] = if cfg!(windows) {
    &["cublasLt64_13.dll", "cublasLt64_12.dll"]
} else {
    &["libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"]
};

pub(super) type Handle = *mut c_void;
pub(super) type Destroy = unsafe extern "C" fn(Handle) -> c_int;
pub(super) type Set = unsafe extern "C" fn(Handle, c_int, *const c_void, usize) -> c_int;

/// `cublasLtMatmulHeuristicResult_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) algorithm: [u64; 8],
    pub(super) workspace: usize,
    pub(super) state: c_int,
    pub(super) waves: f32,
    pub(super) reserved: [c_int; 4],
}
const _: () = assert!(size_of::<Found>() == 96);

type Heuristic = unsafe extern "C" fn(
    Handle,
    Handle,
    Handle,
    Handle,
    Handle,
    Handle,
    Handle,
    c_int,
    *mut Found,
    *mut c_int,
) -> c_int;
type Multiply = unsafe extern "C" fn(
    Handle,
    Handle,
    *const f32,
    u64,
    Handle,
    u64,
    Handle,
    *const f32,
    u64,
    Handle,
    u64,
    Handle,
    *const [u64; 8],
    u64,
    usize,
    *mut c_void,
) -> c_int;

/// The library, for as long as the process runs.
#[derive(Debug)]
pub struct CublasLt {
    pub(super) create: unsafe extern "C" fn(*mut Handle) -> c_int,
    pub(super) destroy: Destroy,
    pub(super) explain: unsafe extern "C" fn(c_int) -> *const c_char,
    pub(super) operation: unsafe extern "C" fn(*mut Handle, c_int, c_int) -> c_int,
    pub(super) operation_set: Set,
    pub(super) operation_destroy: Destroy,
    pub(super) layout: unsafe extern "C" fn(*mut Handle, c_int, u64, u64, i64) -> c_int,
    pub(super) layout_destroy: Destroy,
    pub(super) preference: unsafe extern "C" fn(*mut Handle) -> c_int,
    pub(super) preference_set: Set,
    pub(super) preference_destroy: Destroy,
    pub(super) heuristic: Heuristic,
    pub(super) multiply: Multiply,
    /// As the library tells it: 130000 for 13.0.0, 120904 for 12.9.4.
    version: usize,
    _library: Library,
}

/// The library of this machine, looked for at the first call. Errors: there is none, and which package gives it.
pub fn cublaslt() -> Result<&'static CublasLt, Unsupported> {
    static FOUND: OnceLock<Result<CublasLt, Unsupported>> = OnceLock::new();
    FOUND.get_or_init(CublasLt::find).as_ref().map_err(Clone::clone)
}

impl CublasLt {
    fn find() -> Result<Self, Unsupported> {
        let candidates: Vec<PathBuf> = match std::env::var_os(LIBRARY).filter(|path| !path.is_empty()) {
            Some(path) => vec![path.into()],
            None => {
                let inside = folders(&["cu13/lib", "cublas/lib"]);
                let inside = inside.iter().flat_map(|folder| NAMES.iter().map(move |name| folder.join(name)));
                NAMES.iter().map(PathBuf::from).chain(inside.filter(|path| path.is_file())).collect()
            }
        };
        let mut refused = Vec::new();
        for path in candidates {
            match library::open(&path).and_then(Self::of) {
                Ok(found) => return Ok(found),
                // A bare name that the loader does not know is no news.
                Err(why) if path.is_file() => refused.push(format!("{}: {why}", path.display())),
                Err(_) => {}
            }
        }
        let refused = if refused.is_empty() { String::new() } else { format!(" ({})", refused.join("; ")) };
        Err(Unsupported(format!(
            "no cuBLASLt{refused}; install the CUDA toolkit's libcublas or the Python package nvidia-cublas, or name the \
             library in {LIBRARY}"
        )))
    }
    fn of(library: Library) -> Result<Self, String> {
        /// Copies one function's address.
        ///
        /// # Safety
        /// `T` has to be the type of the function of that name.
        unsafe fn symbol<T: Copy>(library: &Library, name: &str) -> Result<T, String> {
            // SAFETY: the caller vouches for the type; the library is kept for the life of the process.
            unsafe { library.get::<T>(name) }.map(|symbol| *symbol).map_err(|e| e.to_string())
        }
        // SAFETY: the symbol is only looked for.
        let double = unsafe { library.get::<*const ()>(DOUBLE) }.is_ok();
        // The one would read the other's memory by its addresses.
        if driver().is_ok_and(|driver| driver.simulated != double) {
            return Err("of library and driver one is a test double".to_owned());
        }
        // SAFETY: types as in cublasLt.h.
        let version: unsafe extern "C" fn() -> usize = unsafe { symbol(&library, "cublasLtGetVersion") }?;
        Ok(Self {
            // SAFETY: takes nothing, gives a number.
            version: unsafe { version() },
            // SAFETY: types as in cublasLt.h, here and below.
            create: unsafe { symbol(&library, "cublasLtCreate") }?,
            // SAFETY: as above.
            destroy: unsafe { symbol(&library, "cublasLtDestroy") }?,
            // SAFETY: as above.
            explain: unsafe { symbol(&library, "cublasLtGetStatusString") }?,
            // SAFETY: as above.
            operation: unsafe { symbol(&library, "cublasLtMatmulDescCreate") }?,
            // SAFETY: as above.
            operation_set: unsafe { symbol(&library, "cublasLtMatmulDescSetAttribute") }?,
            // SAFETY: as above.
            operation_destroy: unsafe { symbol(&library, "cublasLtMatmulDescDestroy") }?,
            // SAFETY: as above.
            layout: unsafe { symbol(&library, "cublasLtMatrixLayoutCreate") }?,
            // SAFETY: as above.
            layout_destroy: unsafe { symbol(&library, "cublasLtMatrixLayoutDestroy") }?,
            // SAFETY: as above.
            preference: unsafe { symbol(&library, "cublasLtMatmulPreferenceCreate") }?,
            // SAFETY: as above.
            preference_set: unsafe { symbol(&library, "cublasLtMatmulPreferenceSetAttribute") }?,
            // SAFETY: as above.
            preference_destroy: unsafe { symbol(&library, "cublasLtMatmulPreferenceDestroy") }?,
            // SAFETY: as above.
            heuristic: unsafe { symbol(&library, "cublasLtMatmulAlgoGetHeuristic") }?,
            // SAFETY: as above.
            multiply: unsafe { symbol(&library, "cublasLtMatmul") }?,
            _library: library,
        })
    }
    /// As the library tells it: 130000 for 13.0.0, 120904 for 12.9.4.
    pub fn version(&self) -> usize {
        self.version
    }
    /// The library's answer as a value.
    pub(super) fn answer(&self, what: &str, status: c_int) -> Result<(), Fault> {
        if status == 0 {
            return Ok(());
        }
        // SAFETY: returns a static string for any status.
        let text = unsafe { (self.explain)(status) };
        let text = if text.is_null() {
            format!("status {status}")
        } else {
            // SAFETY: a static string that ends in a zero.
            unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
        };
        Err(Fault::Device(format!("{what}: {text}")))
    }
    /// Sets one attribute.
    pub(super) fn set<T>(&self, what: &str, with: Set, of: Handle, attribute: c_int, value: T) -> Result<(), Fault> {
        // SAFETY: the handle lives, and the value has the size given; the library copies it.
        let status = unsafe { with(of, attribute, (&raw const value).cast(), size_of::<T>()) };
        self.answer(what, status)
    }
}
