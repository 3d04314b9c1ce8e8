//! NVRTC: a `.cu` text in, the code of one real architecture out.
#![expect(unsafe_code, reason = "NVIDIA's compiler is a C library, called through its symbols")]

use super::arch::Arch;
use super::include::HEADERS;
use super::nvrtc_paths::candidates;
use super::source::Unit;
use super::{driver::DOUBLE, library};
use crate::{Fault, Unsupported};
use libloading::Library;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::OnceLock;

type Program = *mut c_void;
type Create = unsafe extern "C" fn(
    *mut Program,
    *const c_char,
    *const c_char,
    c_int,
    *const *const c_char,
    *const *const c_char,
) -> c_int;
type Compile = unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int;
type Size = unsafe extern "C" fn(Program, *mut usize) -> c_int;
type Get = unsafe extern "C" fn(Program, *mut c_char) -> c_int;

/// A compiler that was found, for as long as the process runs.
#[derive(Debug)]
pub struct Compiler {
    create: Create,
    compile: Compile,
    cubin_size: Size,
    cubin: Get,
    log_size: Size,
    log: Get,
    destroy: unsafe extern "C" fn(*mut Program) -> c_int,
    explain: unsafe extern "C" fn(c_int) -> *const c_char,
    /// What it is, for keys of the cache and for people: `nvrtc 13.0`.
    identity: String,
    _library: Library,
}

/// The compiler of this machine, looked for at the first call. Errors: where it was looked for, and which package gives it.
pub fn compiler() -> Result<&'static Compiler, Unsupported> {
    static COMPILER: OnceLock<Result<Compiler, Unsupported>> = OnceLock::new();
    COMPILER.get_or_init(Compiler::find).as_ref().map_err(Clone::clone)
}

impl Compiler {
    fn find() -> Result<Self, Unsupported> {
        let mut refused = Vec::new();
        for candidate in candidates() {
            // The library finds this one by name only, and so only if it is there already.
            let builtins: Vec<_> = candidate.builtins.iter().filter_map(|path| library::open(path).ok()).collect();
            match library::open(&candidate.path) {
                Ok(library) => match Self::of(library) {
                    Ok(compiler) => {
                        builtins.into_iter().for_each(std::mem::forget);
                        return Ok(compiler);
                    }
                    Err(why) => refused.push(format!("{}: {why}", candidate.path.display())),
                },
                // A bare name that the loader does not know is no news; a file that is there and does not load is.
                Err(why) if candidate.path.is_file() => refused.push(format!("{}: {why}", candidate.path.display())),
                Err(_) => {}
            }
        }
        let refused = if refused.is_empty() { String::new() } else { format!(" ({})", refused.join("; ")) };
        Err(Unsupported(format!(
            "no NVRTC, CUDA's run-time compiler{refused}; install the CUDA toolkit's libnvrtc or the Python package \
             nvidia-cuda-nvrtc, or name its folder in {}",
            super::nvrtc_paths::LIBRARY
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
        // SAFETY: types as in nvrtc.h.
        let version: unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int =
            unsafe { symbol(&library, "nvrtcVersion") }?;
        let (mut major, mut minor) = (0, 0);
        // SAFETY: writes two ints.
        let code = unsafe { version(&raw mut major, &raw mut minor) };
        if code != 0 {
            return Err(format!("it does not tell its version: error {code}"));
        }
        // SAFETY: a double's mark takes nothing and returns a number, which differs with what its objects are made of.
        let double = unsafe { symbol::<unsafe extern "C" fn() -> c_int>(&library, DOUBLE) };
        // SAFETY: as above.
        let double = double.map_or_else(|_| String::new(), |mark| format!(" (test double {})", unsafe { mark() }));
        Ok(Self {
            // SAFETY: types as in nvrtc.h, here and below.
            create: unsafe { symbol(&library, "nvrtcCreateProgram") }?,
            // SAFETY: as above.
            compile: unsafe { symbol(&library, "nvrtcCompileProgram") }?,
            // SAFETY: as above.
            cubin_size: unsafe { symbol(&library, "nvrtcGetCUBINSize") }?,
            // SAFETY: as above.
            cubin: unsafe { symbol(&library, "nvrtcGetCUBIN") }?,
            // SAFETY: as above.
            log_size: unsafe { symbol(&library, "nvrtcGetProgramLogSize") }?,
            // SAFETY: as above.
            log: unsafe { symbol(&library, "nvrtcGetProgramLog") }?,
            // SAFETY: as above.
            destroy: unsafe { symbol(&library, "nvrtcDestroyProgram") }?,
            // SAFETY: as above.
            explain: unsafe { symbol(&library, "nvrtcGetErrorString") }?,
            identity: format!("nvrtc {major}.{minor}{double}"),
            _library: library,
        })
    }
    /// What it is: `nvrtc 13.0`.
    pub fn identity(&self) -> &str {
        &self.identity
    }
    /// Compiles `unit` for `arch`. Errors: the compiler's own words.
    pub fn compile(&self, unit: &Unit, arch: Arch) -> Result<Vec<u8>, Fault> {
        self.compile_aloud(unit, arch).map(|(code, _)| code)
    }
    /// The same with what the compiler says of code that it takes: warnings, and what will make it slow.
    pub fn compile_aloud(&self, unit: &Unit, arch: Arch) -> Result<(Vec<u8>, String), Fault> {
        let options: Vec<_> =
            [format!("--gpu-architecture={arch}")].into_iter().chain(unit.options()).map(c_string).collect();
        let names: Vec<_> = HEADERS.iter().map(|(name, _)| c_string((*name).to_owned())).collect();
        let texts: Vec<_> = HEADERS.iter().map(|(_, text)| c_string((*text).to_owned())).collect();
        let pointers = |all: &[CString]| all.iter().map(|s| s.as_ptr()).collect::<Vec<_>>();
        let (option_list, name_list, text_list) = (pointers(&options), pointers(&names), pointers(&texts));
        let (text, path) = (c_string(unit.source.text.to_owned()), c_string(unit.source.path.to_owned()));
        let mut program: Program = std::ptr::null_mut();
        // SAFETY: all strings end in a zero and outlive the call; the lists have the length given.
        let code = unsafe {
            (self.create)(
                &raw mut program,
                text.as_ptr(),
                path.as_ptr(),
                names.len() as c_int,
                text_list.as_ptr(),
                name_list.as_ptr(),
            )
        };
        self.worked(code, unit, arch, "is no program", None)?;
        let program = Guard { compiler: self, program };
        // SAFETY: the program was just made, and the list has the length given.
        let code = unsafe { (self.compile)(program.program, options.len() as c_int, option_list.as_ptr()) };
        self.worked(code, unit, arch, "does not compile", Some(&program))?;
        let code = program.bytes(self.cubin_size, self.cubin);
        let none = || Fault::Device(format!("{} for {arch}: the compiler gave no code", unit.source.path));
        Ok((code.ok_or_else(none)?, program.words()))
    }
    fn worked(
        &self,
        code: c_int,
        unit: &Unit,
        arch: Arch,
        what: &str,
        program: Option<&Guard<'_>>,
    ) -> Result<(), Fault> {
        if code == 0 {
            return Ok(());
        }
        // SAFETY: returns a static string for any code.
        let name = unsafe { (self.explain)(code) };
        let name = if name.is_null() {
            format!("error {code}")
        } else {
            // SAFETY: a static string that ends in a zero.
            unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned()
        };
        let log = program.map(Guard::words).unwrap_or_default();
        let defines: Vec<_> = unit.defines.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let with = if defines.is_empty() { String::new() } else { format!(" with {}", defines.join(" ")) };
        Err(Fault::Device(format!("{}{with} {what} for {arch} by {}: {name}\n{log}", unit.source.path, self.identity)))
    }
}

/// Destroys a program whichever way its compilation ends.
struct Guard<'a> {
    compiler: &'a Compiler,
    program: Program,
}

impl Guard<'_> {
    /// The compiler's own words.
    fn words(&self) -> String {
        let log = self.bytes(self.compiler.log_size, self.compiler.log).unwrap_or_default();
        String::from_utf8_lossy(&log).trim_end_matches('\0').trim().to_owned()
    }
    fn bytes(&self, size: Size, get: Get) -> Option<Vec<u8>> {
        let mut len = 0;
        // SAFETY: the program lives, and a size is written.
        let code = unsafe { size(self.program, &raw mut len) };
        if code != 0 || len == 0 {
            return None;
        }
        let mut bytes = vec![0_u8; len];
        // SAFETY: the program lives, and `bytes` has room for what it said.
        let code = unsafe { get(self.program, bytes.as_mut_ptr().cast()) };
        (code == 0).then_some(bytes)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `create` and destroyed once. A failure here has nobody left to tell.
        let _ = unsafe { (self.compiler.destroy)(&raw mut self.program) };
    }
}

fn c_string(text: String) -> CString {
    // Our own texts hold no zero; one that does ends there, and the compiler says what is missing.
    CString::new(text).unwrap_or_else(|e| {
        let at = e.nul_position();
        CString::new(&e.into_vec()[..at]).unwrap_or_default()
    })
}
