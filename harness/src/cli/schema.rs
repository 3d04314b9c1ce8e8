//! `spark-bench schema`: the JSON Schema of an exported run.

use super::{Verdict, ui};

pub(super) fn act() -> anyhow::Result<Verdict> {
    ui::line(serde_json::to_string_pretty(&spark_results::schema())?);
    Ok(Verdict::Fine)
}
