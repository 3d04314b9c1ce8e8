//! The arrows between the crates: `cargo metadata` against the table of the architecture, so that a new arrow is a decision.

use std::collections::BTreeSet;

use cargo_metadata::{Metadata, MetadataCommand};

/// Each package with what it may import from this workspace; normal, build and dev dependencies count alike.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("spark-results", &[]),
    // Doubles are loaded by tests alone.
    ("spark-kernels", &["spark-cublaslt-double", "spark-cuda-double", "spark-nvrtc-double"]),
    ("spark-workloads", &["spark-kernels", "spark-results", "spark-cuda-double", "spark-nvrtc-double"]),
    ("spark-reports", &["spark-results"]),
    ("spark-gate", &["spark-results"]),
    (
        "spark-bench",
        &[
            "spark-results",
            "spark-kernels",
            "spark-workloads",
            "spark-reports",
            "spark-gate",
            "spark-nvml-double",
            "spark-cuda-double",
            "spark-nvrtc-double",
        ],
    ),
    ("spark-nvml-double", &[]),
    ("spark-cublaslt-double", &[]),
    ("spark-cuda-double", &[]),
    ("spark-nvrtc-double", &[]),
];

/// An arrow from the package that imports to the package imported.
type Arrow = (String, String);

/// The workspace as cargo sees it, without the network.
fn workspace() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .expect("cargo metadata reads this workspace")
}

/// Every dependency of a member that is itself a member, under its true name even where it is renamed.
fn arrows(workspace: &Metadata) -> BTreeSet<Arrow> {
    let members: BTreeSet<&str> = workspace.packages.iter().map(|package| package.name.as_str()).collect();
    workspace
        .packages
        .iter()
        .flat_map(|package| package.dependencies.iter().map(|to| (package.name.to_string(), to.name.clone())))
        .filter(|(_, to)| members.contains(to.as_str()))
        .collect()
}

/// The arrows that the table does not grant.
fn forbidden(arrows: &BTreeSet<Arrow>) -> Vec<&Arrow> {
    let granted = |from: &str, to: &str| MAY_IMPORT.iter().any(|(name, may)| *name == from && may.contains(&to));
    arrows.iter().filter(|(from, to)| !granted(from, to)).collect()
}

#[test]
fn every_arrow_is_in_the_table() {
    let arrows = arrows(&workspace());
    let forbidden = forbidden(&arrows);
    assert!(
        forbidden.is_empty(),
        "these imports are not in MAY_IMPORT: {forbidden:?}; move the code, or change the architecture first"
    );
}

#[test]
fn every_member_is_in_the_table() {
    let members: BTreeSet<String> = workspace().packages.iter().map(|package| package.name.to_string()).collect();
    let table: BTreeSet<String> = MAY_IMPORT.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(members, table, "the workspace's members and the table of layers differ");
}

#[test]
fn the_program_reaches_every_crate() {
    // An empty graph would pass the first test: so this one proves that the arrows are really read.
    let arrows = arrows(&workspace());
    // The double of cuBLASLt serves the kernels' own tests.
    let others = MAY_IMPORT.iter().filter(|(name, _)| !["spark-bench", "spark-cublaslt-double"].contains(name));
    for (name, _) in others {
        assert!(arrows.contains(&("spark-bench".to_owned(), (*name).to_owned())), "spark-bench does not import {name}");
    }
}

#[test]
fn an_arrow_the_wrong_way_is_refused() {
    let wrong = BTreeSet::from([("spark-results".to_owned(), "spark-kernels".to_owned())]);
    assert_eq!(forbidden(&wrong), wrong.iter().collect::<Vec<_>>());
}
