//! GPUs that the driver lists and that cannot be measured, or that are none.

use super::{Finding, Severity, finding};
use spark_results::run::DeviceInfo;

/// One finding for each GPU that cannot be used, one for a compiler that is not there, one for a double.
pub(super) fn check(devices: &[DeviceInfo], compiler: Option<&str>) -> Vec<Finding> {
    let gpus: Vec<_> = devices.iter().filter(|device| device.id.starts_with("cuda:")).collect();
    let told = |device: &DeviceInfo| match &device.name {
        Some(name) => format!("{} ({name})", device.id),
        None => device.id.clone(),
    };
    let unusable = |device: &&DeviceInfo| {
        let why = device.unavailable.as_ref()?;
        let what = format!("{} cannot be used: {why}", told(device));
        finding(
            Severity::Warning,
            what,
            "nothing is measured on it",
            "see what the driver says; spark-bench list devices",
        )
    };
    let mut findings: Vec<_> = gpus.iter().filter_map(unusable).collect();
    if let (Some(why), true) = (compiler, gpus.iter().any(|device| device.unavailable.is_none())) {
        let mend = "install libnvrtc of the CUDA toolkit, or the Python package nvidia-cuda-nvrtc";
        findings.extend(finding(
            Severity::Warning,
            why,
            "no kernel can be compiled, so nothing is measured on a GPU",
            mend,
        ));
    }
    findings.extend(gpus.iter().filter(|device| device.simulated).filter_map(|device| {
        let what = format!("{} is a test double", told(device));
        finding(Severity::Note, what, "nothing of it is a measurement", "unset SPARK_BENCH_CUDA")
    }));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_is_said_and_nothing_else() {
        let gpu = |unavailable: Option<&str>, simulated| DeviceInfo {
            id: "cuda:0".into(),
            name: Some("GB10".into()),
            unavailable: unavailable.map(Into::into),
            simulated,
        };
        assert!(check(&[gpu(None, false)], None).is_empty());
        let busy = check(&[gpu(Some("another process holds it"), false)], Some("no NVRTC"));
        assert!(busy.len() == 1 && busy[0].what.contains("GB10") && busy[0].what.contains("another process"));
        let bare = check(&[gpu(None, true)], Some("no NVRTC"));
        assert!(bare.len() == 2 && bare[0].what.contains("NVRTC") && bare[1].what.contains("double"));
        let none =
            DeviceInfo { id: "cuda".into(), name: None, unavailable: Some("no driver".into()), simulated: false };
        assert!(check(&[none], Some("no NVRTC")).is_empty(), "a machine without a GPU lacks nothing");
    }
}
