//! Models in files: what a path holds, its shape, and its weights where they are there.

pub mod gguf;
mod map;
mod pieces;
mod refused;
pub mod safetensors;
mod shelf;
mod source;
mod stored;

pub use gguf::Gguf;
pub use map::Mapped;
pub(crate) use pieces::Piece;
pub use refused::Refused;
pub(crate) use refused::shown;
pub use stored::Stored;

use crate::BadRequest;
use crate::llm::Config;
use shelf::{Entry, Shelf};
use std::path::Path;
use std::sync::Arc;

/// Whether `path` is meant as a GGUF file: by its name, or by what it begins with.
pub(crate) fn is_gguf(path: &Path) -> bool {
    let begins = || {
        let mut first = [0; 4];
        let read = std::fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut first));
        read.is_ok() && first == *gguf::MAGIC
    };
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf")) || (path.is_file() && begins())
}

/// Whether `path` is a safetensors file, or a folder with some.
pub(crate) fn is_safetensors(path: &Path) -> bool {
    safetensors::is(path)
}

/// The model in the safetensors files at `path`, whose `config.json` says `text`. Errors: as those of GGUF.
pub(crate) fn open_safetensors(path: &Path, text: &str) -> Result<Stored, BadRequest> {
    let open = || {
        let mut config =
            Config::parse(text).map_err(|e| Refused::new(format!("config.json: {} {}", e.field, e.what), &e.mend))?;
        let mut shelf = Shelf::new(safetensors::entries(path)?, safetensors::ANOTHER_TYPE);
        // Without a head of its own the table is the head, whatever the file leaves out.
        config.tied |= safetensors::names::head(&shelf).is_none();
        for layer in 0..config.layers {
            safetensors::names::ignore_what_is_no_weight(&mut shelf, layer);
        }
        Stored::new(config, &mut shelf, safetensors::names::pieces)
    };
    open().map_err(|refused: Refused| refused.of(path))
}

/// The model in the GGUF file at `path`. Errors: no such file, a broken one, a model that is not computed; with the mend.
pub(crate) fn open_gguf(path: &Path) -> Result<Stored, BadRequest> {
    let open = || {
        let file = Arc::new(Mapped::open(path)?);
        of_gguf(&file)
    };
    open().map_err(|refused: Refused| refused.of(path))
}

/// The model in a mapped GGUF file.
fn of_gguf(file: &Arc<Mapped>) -> Result<Stored, Refused> {
    let gguf = Gguf::parse(file.bytes())?;
    let parts = gguf.fields.get("split.count");
    if parts.is_some_and(|count| !matches!(count, gguf::Value::Whole(0..=1))) {
        return Err(Refused::new("is one part of several", "join them with llama.cpp's gguf-split --merge"));
    }
    let config = gguf::config::config(&gguf, file.bytes())?;
    let entry = |info: &gguf::Info| Entry {
        file: file.clone(),
        shape: info.shape.iter().rev().copied().collect(),
        layout: info.kind.layout.ok_or_else(|| info.kind.name.to_owned()),
        range: info.range.clone(),
    };
    let entries = gguf.tensors.iter().map(|(name, info)| ((*name).to_owned(), entry(info))).collect();
    let mut shelf = Shelf::new(entries, gguf::ANOTHER_TYPE);
    gguf::names::ignore_what_is_no_weight(&mut shelf);
    Stored::new(config, &mut shelf, gguf::names::pieces)
}
