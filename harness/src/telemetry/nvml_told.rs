//! What a GPU tells once through NVML, and why some of what it tells is not believed.

use nvml_wrapper::error::NvmlError;
use nvml_wrapper::sys_exports::field_id as id;

use super::nvml_gpu::At;
use super::nvml_sys as raw;

/// A total so near the machine's own memory is the machine's own memory.
const SAME_MEMORY: f64 = 0.9;

/// What GPU `number` told, each with its name; `machine_bytes` is the memory of the machine, if it is known.
pub(super) fn facts(number: u32, at: &At<'_>, machine_bytes: Option<u64>) -> Vec<(String, String)> {
    let (memory, unified) = memory(at, machine_bytes);
    let mut facts = vec![("driver", at.driver.to_owned()), ("memory", memory), ("pcie", pcie(at, unified))];
    let said = |result: Result<String, NvmlError>| result.unwrap_or_else(|e| format!("refused: {e}"));
    facts.push(("addressing mode", said(raw::addressing_mode(at.nvml, at.device).map(str::to_owned))));
    facts.push(("c2c mode", said(raw::c2c(at.nvml, at.device).map(|on| if on { "on" } else { "off" }.to_owned()))));
    facts.push(("c2c links", said(links(at))));
    facts
        .into_iter()
        .map(|(what, text)| (format!("nvml gpu {number} {what}"), spark_results::machine::clean(&text)))
        .collect()
}

/// The GPU's memory as three kinds of driver tell it: not at all, as 0, or as the whole machine's; and whether it is unified.
fn memory(at: &At<'_>, machine_bytes: Option<u64>) -> (String, bool) {
    let size = spark_results::quantity::size;
    let told = at.device.memory_info().map(|m| m.total).or_else(|_| raw::memory(at.nvml, at.device));
    match told {
        Err(e) => (format!("refused: {e}; shared with the processor, or the GPU does not tell"), true),
        Ok(0) => ("0 bytes were told, which means: shared with the processor".to_owned(), true),
        Ok(total) if machine_bytes.is_some_and(|m| total as f64 >= SAME_MEMORY * m as f64) => {
            (format!("{} were told, which is the machine's own memory: shared with the processor", size(total)), true)
        }
        Ok(total) => (size(total), false),
    }
}

/// Generation and width of the bus. A GPU that shares the processor's memory has none, and says generation 1, one lane.
fn pcie(at: &At<'_>, unified: bool) -> String {
    match (at.device.current_pcie_link_gen(), at.device.current_pcie_link_width()) {
        (Ok(1), Ok(1)) if unified => "generation 1 x1 was told, a placeholder: the GPU is no card".to_owned(),
        (Ok(generation), Ok(width)) => format!("generation {generation} x{width}"),
        (Err(e), _) | (_, Err(e)) => format!("refused: {e}"),
    }
}

/// The links between the chips of processor and GPU: how many, and the highest rate of each.
fn links(at: &At<'_>) -> Result<String, NvmlError> {
    let ask = |id, link| raw::field(at.nvml, at.driver, at.device, id, link);
    let count = ask(id::NVML_FI_DEV_C2C_LINK_COUNT, 0)? as u32;
    let rates: Vec<String> = (0..count.min(32))
        .map(|link| match ask(id::NVML_FI_DEV_C2C_LINK_GET_MAX_BW, link) {
            Ok(mb_per_s) => format!("{mb_per_s} MB/s"),
            Err(e) => format!("rate refused: {e}"),
        })
        .collect();
    Ok(if count == 0 { "0".to_owned() } else { format!("{count}: {}", rates.join(", ")) })
}
