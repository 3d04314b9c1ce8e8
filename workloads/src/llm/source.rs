//! The model that a name means: a preset, a `config.json`, or a folder that holds one.

use crate::BadRequest;
use crate::llm::{Config, Preset};
use spark_results::machine::clean;
use std::io::Read;
use std::path::Path;

/// No `config.json` is larger; a longer file is something else.
const LARGEST_FILE: u64 = 1 << 20;

/// The shape that `name` means. Errors: no preset and no file of that name, or a file that is no config, with the mend.
pub fn find(name: &str) -> Result<Config, BadRequest> {
    let config = match Preset::find(name) {
        Ok(preset) => preset.config(),
        Err(unknown) if !is_path(name) => return Err(BadRequest(unknown.to_string())),
        Err(_) => Config::parse(&read(Path::new(name))?),
    };
    config.map_err(|e| BadRequest(format!("model {}: {e}", clean(name))))
}

/// Whether `name` is meant as a path: it has a separator, ends like a config, or stands in this folder.
fn is_path(name: &str) -> bool {
    name.contains(['/', '\\']) || name.ends_with(".json") || Path::new(name).exists()
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
