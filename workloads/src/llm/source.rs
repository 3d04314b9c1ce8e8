//! The model that a name means: a preset, a `config.json`, a folder that holds one, or files with weights.

use crate::BadRequest;
use crate::llm::file::{self, Stored};
use crate::llm::{Config, Preset};
use spark_results::machine::clean;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// No `config.json` is larger; a longer file is something else.
const LARGEST_FILE: u64 = 1 << 20;

/// A model by name: its shape, and its weights where files hold them.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its shape.
    pub config: Config,
    /// Its weights; `None` where they are to be made up.
    pub weights: Option<Arc<Stored>>,
}

/// The shape that `name` means. Errors: no preset and no file of that name, or a file that is no config, with the mend.
pub fn find(name: &str) -> Result<Config, BadRequest> {
    open(name).map(|found| found.config)
}

/// The model that `name` means. Errors: as above; files of weights that are broken, or of a model that is not computed.
pub fn open(name: &str) -> Result<Found, BadRequest> {
    let path = Path::new(name);
    let config = match Preset::find(name) {
        Ok(preset) => preset.config(),
        Err(unknown) if !is_path(name) => return Err(BadRequest(unknown.to_string())),
        Err(_) => {
            if let Some(stored) = stored(path)? {
                return Ok(Found { config: stored.config().clone(), weights: Some(Arc::new(stored)) });
            }
            Config::parse(&read(path)?)
        }
    };
    let config = config.map_err(|e| BadRequest(format!("model {}: {e}", clean(name))))?;
    Ok(Found { config, weights: None })
}

/// Whether `name` stands for files with weights.
pub fn has_weights(name: &str) -> bool {
    let path = Path::new(name);
    Preset::find(name).is_err() && is_path(name) && (file::is_gguf(path) || file::is_safetensors(path))
}

/// The weights at `path`, if it holds any.
fn stored(path: &Path) -> Result<Option<Stored>, BadRequest> {
    if file::is_gguf(path) {
        return file::open_gguf(path).map(Some);
    }
    if file::is_safetensors(path) {
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
        let text = read(&folder.join("config.json"))?;
        return file::open_safetensors(path, &text).map(Some);
    }
    Ok(None)
}

/// Whether `name` is meant as a path: it has a separator, ends like a model's file, or stands in this folder.
fn is_path(name: &str) -> bool {
    let ends = [".json", ".gguf", ".safetensors"].iter().any(|end| name.to_ascii_lowercase().ends_with(end));
    name.contains(['/', '\\']) || ends || Path::new(name).exists()
}

fn read(path: &Path) -> Result<String, BadRequest> {
    let inside = path.join("config.json");
    let path = if path.is_dir() { &inside } else { path };
    let bad = |what: String| BadRequest(format!("model {}: {what}", clean(&path.display().to_string())));
    let file = std::fs::File::open(path).map_err(|e| bad(format!("{e}; give a config.json or a folder with one")))?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| bad(format!("{e}; give a readable config.json")))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(bad(format!("is larger than {LARGEST_FILE} bytes; a config.json is a few hundred")));
    }
    String::from_utf8(bytes).map_err(|_| bad("is no text; give a config.json".to_owned()))
}
