//! Modules: the shared objects that the compiler's double makes, loaded, and the kernels in them.
#![expect(unsafe_code, reason = "an object is read by its own header, loaded, and its functions are taken by name")]

use crate::code::{self, Code};
use crate::launch::Launch;
use crate::profile::Profile;
use crate::state::{lock, tell};
use libloading::Library;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;

/// What an object says of a kernel; its twin is in the compiler's double.
#[repr(C)]
#[derive(Debug)]
struct About {
    max_threads: u32,
    shared_bytes: u32,
    parameters: u32,
    with_host: u32,
    sizes: *const u32,
}

/// A kernel.
#[derive(Debug)]
pub struct Function {
    pub(crate) name: String,
    pub(crate) run: unsafe extern "C" fn(*const Launch) -> Code,
    pub(crate) max_threads: u32,
    pub(crate) shared_bytes: u32,
    /// Whether it waits for the host, and so runs beside its caller.
    pub(crate) with_host: bool,
    /// Bytes of each argument.
    pub(crate) sizes: Vec<usize>,
    /// Bytes of dynamic shared memory that were allowed.
    pub(crate) max_dynamic: AtomicU32,
}

/// A loaded object. Its functions are handed out by address, so they stay where they are.
#[derive(Debug)]
pub struct Module {
    functions: Mutex<HashMap<String, Box<Function>>>,
    library: Library,
}

/// Bytes of the object at `image`, by its own header: the linker puts the table of sections last.
///
/// # Safety
/// `image` is an object of 64 bits, whole.
unsafe fn length(image: *const u8) -> usize {
    let number = |at: usize, bytes: usize| {
        (0..bytes).rev().fold(0_usize, |n, i| {
            // SAFETY: within the header's 64 bytes.
            let byte = unsafe { image.add(at + i) };
            // SAFETY: as above.
            n << 8 | usize::from(unsafe { byte.read() })
        })
    };
    number(0x28, 8) + number(0x3a, 2) * number(0x3c, 2)
}

impl Module {
    /// Loads the object at `image` for a machine. Errors: it is none, or not for that machine.
    ///
    /// # Safety
    /// `image` is a whole image, or a text that ends with 0.
    pub(crate) unsafe fn load(image: *const u8, profile: &Profile) -> Result<Self, Code> {
        for (i, byte) in b"\x7fELF\x02".iter().enumerate() {
            // SAFETY: an image has that many bytes, and reading stops at the first that differs, such as a text's end.
            let at = unsafe { image.add(i) };
            // SAFETY: as above.
            if unsafe { at.read() } != *byte {
                return Err(if i == 0 { code::UNSUPPORTED_PTX_VERSION } else { code::INVALID_IMAGE });
            }
        }
        // SAFETY: an object of 64 bits.
        let machine = unsafe { image.add(18) };
        // SAFETY: within its header.
        if unsafe { machine.read() } == 190 {
            tell("this is code for a GPU; name the double of the compiler too");
            return Err(code::NO_BINARY_FOR_GPU);
        }
        // SAFETY: an object of 64 bits, whole, as the caller says.
        let bytes = unsafe { length(image) };
        // SAFETY: as above.
        let object = unsafe { std::slice::from_raw_parts(image, bytes) };
        let library = Self::open(object).map_err(|why| {
            tell(&format!("an object cannot be loaded: {why}"));
            code::INVALID_IMAGE
        })?;
        // SAFETY: the compiler's double exports this number under this name.
        let made_for = unsafe { library.get::<*const u32>(b"spark_architecture") }.map_err(|_| code::INVALID_IMAGE)?;
        // SAFETY: as above.
        if runs(unsafe { made_for.read() }, profile) {
            Ok(Self { functions: Mutex::default(), library })
        } else {
            Err(code::NO_BINARY_FOR_GPU)
        }
    }

    fn open(object: &[u8]) -> Result<Library, String> {
        let mut file =
            tempfile::Builder::new().prefix("spark-cuda-double").suffix(".so").tempfile().map_err(|e| e.to_string())?;
        std::io::Write::write_all(&mut file, object).map_err(|e| e.to_string())?;
        let path = file.into_temp_path();
        // SAFETY: an object of the compiler's double, whose initialisers set tables of its own.
        let library = unsafe { Library::new(&*path) }.map_err(|e| e.to_string())?;
        if std::env::var_os("SPARK_CUDA_DOUBLE_CXXFLAGS").is_some() {
            // A sanitizer reads the file again when it names a line.
            path.keep().map_err(|e| e.to_string())?;
        }
        Ok(library)
    }

    /// The kernel of that name. Errors: there is none.
    pub(crate) fn function(&self, name: &str) -> Result<*const Function, Code> {
        let mut functions = lock(&self.functions);
        if let Some(function) = functions.get(name) {
            return Ok(&raw const **function);
        }
        let found = (|| {
            let symbol = format!("spark_about_{name}");
            // SAFETY: the compiler's double gives what is called so this type.
            let about = unsafe { self.library.get::<unsafe extern "C" fn(*mut About)>(symbol.as_bytes()) }.ok()?;
            let symbol = format!("spark_entry_{name}");
            // SAFETY: as above; it is called only while the library is loaded.
            let run =
                *unsafe { self.library.get::<unsafe extern "C" fn(*const Launch) -> Code>(symbol.as_bytes()) }.ok()?;
            let mut said =
                About { max_threads: 0, shared_bytes: 0, parameters: 0, with_host: 0, sizes: std::ptr::null() };
            // SAFETY: it writes one value of this type.
            unsafe { about(&raw mut said) };
            // SAFETY: a table in the object, of as many numbers as there are parameters.
            let sizes = unsafe { std::slice::from_raw_parts(said.sizes, said.parameters as usize) };
            Some(Function {
                name: name.to_owned(),
                run,
                max_threads: said.max_threads,
                shared_bytes: said.shared_bytes,
                with_host: said.with_host != 0,
                sizes: sizes.iter().map(|size| *size as usize).collect(),
                max_dynamic: AtomicU32::new((48_u32 << 10).saturating_sub(said.shared_bytes)),
            })
        })();
        let function = Box::new(found.ok_or(code::NOT_FOUND)?);
        let at = &raw const *function;
        functions.insert(name.to_owned(), function);
        Ok(at)
    }
}

/// Whether code for an architecture (its number, times 256, and its suffix) runs: the same major version and no later minor one;
/// with a suffix `a` this version only, with `f` any of the family.
fn runs(made_for: u32, profile: &Profile) -> bool {
    let (number, suffix) = (made_for / 256, made_for % 256);
    let own = profile.capability.0 as u32 * 10 + profile.capability.1 as u32;
    number / 10 == own / 10 && if suffix == u32::from(b'a') { number == own } else { number <= own }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_runs_where_its_architecture_says() {
        let on = |number: u32, suffix: u8, key| {
            runs(number * 256 + u32::from(suffix), &Profile::named(key).expect("a profile of that name"))
        };
        assert!(on(121, b'a', "gb10") && on(120, b'f', "gb10") && on(120, 0, "gb10"));
        assert!(!on(120, b'a', "gb10") && !on(90, 0, "gb10") && !on(100, 0, "gb10"));
        assert!(on(80, 0, "discrete") && on(89, 0, "discrete") && !on(80, 0, "h200") && on(90, b'a', "h200"));
    }
}
