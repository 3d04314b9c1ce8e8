//! Figures that others published: data sheets and measurements, embedded, each with its source.

mod figure;
mod file;
mod machine;
pub mod own;
mod point;
mod side;

pub use figure::{Confidence, Figure, Kind, PowerScope, Sheet};
pub use file::{File, Invalid, Series};
pub use machine::{Named, Said, UnknownMachine, system_of};
pub use point::{Answer, Point, Product, Prompt, Stream};

use std::sync::LazyLock;

macro_rules! embedded {
    ($($path:literal),* $(,)?) => { &[$(($path, include_str!(concat!("../../published/", $path)))),*] };
}

/// Every file: its path below `results/published`, and its text.
pub static FILES: &[(&str, &str)] = embedded![
    "spec/dgx-spark.toml",
    "spec/rtx-spark.toml",
    "spec/m2-ultra.toml",
    "spec/m3-ultra.toml",
    "spec/m4-pro.toml",
    "spec/m4-max.toml",
    "spec/m5.toml",
    "spec/rtx-3090.toml",
    "spec/rtx-4090.toml",
    "spec/rtx-5090.toml",
    "spec/rtx-pro-6000.toml",
    "spec/h100.toml",
    "spec/h200.toml",
    "spec/strix-halo.toml",
    "spec/jetson-thor.toml",
    "measured/dgx-spark.toml",
    "measured/m2-ultra.toml",
    "measured/m3-ultra.toml",
    "measured/m4-pro.toml",
    "measured/m4-max.toml",
    "measured/m5.toml",
    "measured/rtx-3090.toml",
    "measured/rtx-4090.toml",
    "measured/rtx-5090.toml",
    "measured/rtx-pro-6000.toml",
    "measured/h100.toml",
    "measured/h200.toml",
    "measured/strix-halo.toml",
    "measured/jetson-thor.toml",
];

static READ: LazyLock<Result<Vec<File>, Invalid>> =
    LazyLock::new(|| FILES.iter().map(|(name, text)| File::read(name, text)).collect());
static ALL: LazyLock<Vec<Figure>> = LazyLock::new(|| {
    let others = READ.iter().flatten().flat_map(File::figures);
    others.chain(own::figures()).collect()
});

/// Every embedded file. Errors: one of them is refused, which a test holds to be never so.
pub fn files() -> Result<&'static [File], Invalid> {
    READ.as_deref().map_err(Clone::clone)
}

/// Every figure: data sheets first, then what others measured, then what this project did on its own machines. Errors: as [`files`].
pub fn all() -> Result<&'static [Figure], Invalid> {
    files().map(|_| ALL.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_file_loads_and_every_file_there_is_is_embedded() {
        let figures = all().unwrap();
        assert!(figures.len() >= 300, "{}", figures.len());
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("published");
        let there: BTreeSet<String> = ["spec", "measured"]
            .into_iter()
            .flat_map(|sheet| std::fs::read_dir(folder.join(sheet)).unwrap().map(move |e| (sheet, e.unwrap())))
            .map(|(sheet, entry)| format!("{sheet}/{}", entry.file_name().to_string_lossy()))
            .collect();
        assert_eq!(there, FILES.iter().map(|(name, _)| (*name).to_owned()).collect());
        for ((name, _), file) in FILES.iter().zip(files().unwrap()) {
            let sheet = if file.sheet == Sheet::Spec { "spec" } else { "measured" };
            assert_eq!(*name, format!("{sheet}/{}.toml", file.system));
        }
    }

    #[test]
    fn the_pairs_that_a_comparison_rests_on_are_there() {
        let figures = all().unwrap();
        let found = |system: &str, metric: &str, work: &str| {
            let of =
                |f: &&Figure| f.system == system && f.metric == metric && f.work.is_some_and(|w| w.to_string() == work);
            figures.iter().filter(of).map(|f| f.value).collect::<Vec<_>>()
        };
        assert!(found("dgx-spark", "decode_tps", "qwen2.5-7b q8_0 tg32").contains(&29.43));
        assert!(found("m2-ultra", "decode_tps", "gpt-oss-20b mxfp4 tg32 @ d32768").contains(&98.25));
        assert!(found("rtx-4090", "decode_tps", "llama-2-7b q4_0 tg128").contains(&189.0));
        let aggregate = found("dgx-spark", "decode_tps_aggregate", "gpt-oss-20b mxfp4 tg32 @ d512 × 8 sequences");
        assert_eq!(aggregate, [271.79]);
    }

    #[test]
    fn what_stands_under_a_licence_of_its_own_is_marked_and_allowed() {
        for figure in all().unwrap() {
            let atlas = figure.source.contains("inference-atlas");
            assert_eq!(atlas, figure.licence.is_some_and(|licence| licence.starts_with("CC BY 4.0")), "{figure:?}");
            assert!(!figure.source.contains("ML.ENERGY"), "linked, not copied: {figure:?}");
        }
    }
}
