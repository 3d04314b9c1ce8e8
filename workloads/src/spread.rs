//! Words on an axis that stand for several values, which ones only the device knows: `doubling` threads, `each` kind of core.

use crate::axis::Request;
use spark_kernels::Device;
use spark_kernels::cpu::Cpu;
use spark_results::AxisValue;

/// Threads from one to all of the device's, each number twice the one before, all of them last.
const DOUBLING: &str = "doubling";
/// Each kind of core alone where there are several; all of them together, the usual, where there is one.
const EACH: &str = "each";

/// `request` with such words replaced by what they mean on `device`.
pub(crate) fn on(request: &Request, device: &dyn Device) -> Request {
    let mut request = request.clone();
    for (axis, word, meant) in [("threads", DOUBLING, doubling(device)), ("cores", EACH, each(device))] {
        if let Some(values) = request.axes.get_mut(axis) {
            let spread = |value: &AxisValue| match value {
                AxisValue::Text(text) if text == word => meant.clone(),
                value => vec![value.clone()],
            };
            *values = values.iter().flat_map(spread).collect();
        }
    }
    request
}

fn doubling(device: &dyn Device) -> Vec<AxisValue> {
    let all = device.threads();
    let powers = std::iter::successors(Some(1), |count| Some(count * 2));
    powers.take_while(|count| *count < all).chain([all]).map(AxisValue::from).collect()
}

fn each(device: &dyn Device) -> Vec<AxisValue> {
    match Cpu::of(device).map_or(1, |cpu| cpu.pool().kinds()) {
        1 => vec![AxisValue::Int(0)],
        kinds => (1..=kinds).map(AxisValue::from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Workload, axis, ops::READ};

    fn ids(device: &Cpu, axes: &[(&str, &str)]) -> Vec<String> {
        let axes = axes.iter().map(|(name, text)| ((*name).to_owned(), axis::list(name, text).unwrap())).collect();
        let ids = READ.cases(&Request { axes, implementation: String::new() }, device).unwrap();
        ids.iter().map(|id| id.to_string().split_once('?').unwrap().1.to_owned()).collect()
    }

    #[test]
    fn doubling_ends_with_all_of_them() {
        let of = |threads: &[u32]| ids(&Cpu::weighted(threads, 0), &[("bytes", "4096"), ("threads", "doubling")]);
        assert_eq!(of(&[1; 1]), ["bytes=4096&threads=1"]);
        assert_eq!(of(&[1; 2]), ["bytes=4096&threads=1", "bytes=4096&threads=2"]);
        let six = of(&[1; 6]);
        assert_eq!(six.len(), 4);
        assert_eq!(six[3], "bytes=4096&threads=6");
    }

    #[test]
    fn each_kind_of_core_stands_alone_and_one_kind_is_all() {
        let of = |weights: &[u32]| ids(&Cpu::weighted(weights, 0), &[("bytes", "4096"), ("cores", "each")]);
        assert_eq!(of(&[5, 2, 2]), ["bytes=4096&cores=1", "bytes=4096&cores=2"]);
        assert_eq!(of(&[1, 1]), ["bytes=4096&threads=2"]);
    }

    #[test]
    fn a_kind_that_is_not_there_is_declined_with_both_numbers() {
        let device: std::sync::Arc<dyn Device> = std::sync::Arc::new(Cpu::weighted(&[1], 1));
        let mut request = Request::default();
        request.axes.insert("cores".into(), vec![AxisValue::Int(2)]);
        request.axes.insert("bytes".into(), vec![AxisValue::Int(4096)]);
        let id = READ.cases(&request, &*device).unwrap().remove(0);
        let why = READ.prepare(&id, &device, 1, u64::MAX).err().unwrap().to_string();
        assert!(why.contains("kind 2") && why.contains("has 1"), "{why}");
    }
}
