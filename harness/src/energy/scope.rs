//! What a scope contains: a joule is charged to work only where its scope holds the device that did it.

use std::collections::BTreeSet;

/// Scopes that hold the whole machine.
const WHOLE: &[&str] = &["sys_total", "dc_input", "wall"];

/// Whether `scope`, among all `scopes` that are known of the machine, contains `device`: a GPU's watts are not the processor's, and
/// one socket's are not those of work that ran on two.
pub(super) fn covers(scope: &str, device: &str, scopes: &BTreeSet<&str>) -> bool {
    if WHOLE.contains(&scope) {
        return true;
    }
    let (kind, number) = scope.split_once(' ').map_or((scope, None), |(kind, n)| (kind, Some(n)));
    match (device.split_once(':'), kind) {
        // On a machine that names its package's rails, processor and GPU are one package.
        (_, "soc_pkg") => number.is_none(),
        (Some(("cuda", index)), "gpu" | "module") => number.unwrap_or("0") == index,
        // A module holds a processor and its GPU; of several, none holds all processors.
        (None, "module") => number.is_none() || alone(kind, scopes),
        (None, "cpu") => number.is_none() || alone(kind, scopes),
        _ => false,
    }
}

/// Whether there is one scope of `kind` and a number only.
fn alone(kind: &str, scopes: &BTreeSet<&str>) -> bool {
    scopes.iter().filter(|s| numbered(s, kind).is_some()).count() == 1
}

/// N where `scope` is `KIND N`.
pub(super) fn numbered(scope: &str, kind: &str) -> Option<u32> {
    scope.strip_prefix(kind)?.strip_prefix(' ')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_gpu_does_not_cover_the_cpu() {
        let machine = BTreeSet::from(["cpu", "gpu 0", "cpu/core", "gpu 1", "soc_pkg", "wall"]);
        let is = |scope, device| covers(scope, device, &machine);
        assert!(
            is("cpu", "cpu")
                && is("wall", "cpu")
                && is("wall", "cuda:1")
                && is("gpu 0", "cuda:0")
                && is("gpu 1", "cuda:1")
        );
        assert!(!is("gpu 0", "cpu") && !is("gpu 0", "cuda:1") && !is("cpu", "cuda:0"));
        assert!(
            !is("cpu/core", "cpu") && !is("cpu/p", "cpu") && !is("amdgpu PPT", "cpu") && !is("rail VDD_CPU_CV", "cpu")
        );
        assert!(is("soc_pkg", "cpu") && is("soc_pkg", "cuda:0"));
    }

    #[test]
    fn one_of_two_sockets_does_not_cover_both() {
        let two = BTreeSet::from(["cpu 0", "cpu 1", "cpu", "module 0", "module 1"]);
        assert!(!covers("cpu 0", "cpu", &two) && covers("cpu", "cpu", &two));
        assert!(
            !covers("module 0", "cpu", &two)
                && covers("module 1", "cuda:1", &two)
                && !covers("module 1", "cuda:0", &two)
        );
        let one = BTreeSet::from(["module 0", "gpu 0", "cpu 0/rail"]);
        assert!(
            covers("module 0", "cpu", &one) && covers("module 0", "cuda:0", &one) && !covers("cpu 0/rail", "cpu", &one)
        );
    }
}
