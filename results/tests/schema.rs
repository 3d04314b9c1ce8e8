//! The published schema is the one the types make, and what is exported satisfies it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod made;

use spark_results::{Document, schema};
use std::path::Path;

#[test]
fn the_published_schema_is_the_types_own() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/run-v1.json");
    let own = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if std::env::var_os("UPDATE_SCHEMA").is_some_and(|v| v == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &own).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    assert!(
        published == own,
        "results/schema/run-v1.json is not what the types say: run this test with UPDATE_SCHEMA=1"
    );
}

#[test]
fn a_document_satisfies_the_schema() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let mut document = serde_json::to_value(Document::of(&made::run())).unwrap();
    let errors: Vec<_> = validator.iter_errors(&document).map(|e| format!("{} at {}", e, e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    document["records"][0]["time"]["median_ns"] = "fast".into();
    assert!(!validator.is_valid(&document), "a schema that allows anything says nothing");
}
