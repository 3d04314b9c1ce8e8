//! What doctor finds on a machine that one thing is wrong with.

use crate::fixture::{desktop, look};
use spark_bench::detect::{Busy, State, Zone};
use spark_bench::doctor::{self, Severity};
use spark_results::Machine;

/// Spoils one thing.
type Change<T> = fn(&mut T);

/// A state in which nothing is wrong.
fn quiet() -> State {
    State {
        load_1m: Some(0.1),
        steal: Some(0.0),
        available_bytes: Some(30 << 30),
        swap_used_bytes: Some(0),
        on_battery: Some(false),
        power_sensors: vec!["rapl package-0 energy".into()],
        ..State::default()
    }
}

#[test]
fn each_thing_that_spoils_is_found_and_has_a_mend() {
    let desk = look(&desktop());
    let of = |m: &Machine, s: &State| doctor::check(m, s);
    let base: Vec<String> = of(&desk, &quiet()).into_iter().map(|f| f.what).collect();
    assert!(base.len() == 2 && base[0].contains("powersave") && base[1].contains("SMT"), "{base:#?}");

    let states: [(&str, Severity, Change<State>); 10] = [
        ("debug build", Severity::Spoils, |s| s.debug_build = true),
        ("load average", Severity::Warning, |s| s.load_1m = Some(0.6)),
        ("load average", Severity::Spoils, |s| s.load_1m = Some(8.0)),
        ("hypervisor gives 1.0 %", Severity::Warning, |s| {
            s.steal = Some(0.01);
        }),
        ("hypervisor gives 9.0 %", Severity::Spoils, |s| {
            s.steal = Some(0.09);
        }),
        ("other processes are working: chrome (0.9 CPUs)", Severity::Warning, |s| {
            s.processes = vec![Busy { name: "chrome".into(), cpus: 0.9 }];
        }),
        ("1.0 GiB of memory is free", Severity::Warning, |s| {
            s.available_bytes = Some(1 << 30);
        }),
        ("swap", Severity::Warning, |s| {
            s.swap_used_bytes = Some(1 << 30);
        }),
        ("battery", Severity::Spoils, |s| s.on_battery = Some(true)),
        ("acpitz 3 is at 91", Severity::Warning, |s| {
            s.zones = vec![Zone { name: "acpitz 3".into(), celsius: 91.0 }];
        }),
    ];
    for (what, severity, change) in states {
        let mut s = quiet();
        change(&mut s);
        let found = of(&desk, &s);
        let new: Vec<_> = found.iter().filter(|f| !base.contains(&f.what)).collect();
        assert!(new.len() == 1 && new[0].what.contains(what) && new[0].severity == severity, "{what}: {new:#?}");
        assert!(found.is_sorted_by_key(|f| std::cmp::Reverse(f.severity)));
    }
    let machines: [(&str, Change<Machine>); 4] = [
        ("never", |m| {
            m.memory.transparent_huge_pages = Some("never".into());
        }),
        ("virtual machine under KVM", |m| {
            m.virtualisation.virtual_machine = Some(true);
            m.virtualisation.hypervisor = Some("KVM".into());
        }),
        ("turbo", |m| m.frequency.turbo = None),
        ("bounds are unknown", |m| m.frequency.policies.clear()),
    ];
    for (what, change) in machines {
        let mut m = desk.clone();
        change(&mut m);
        let found = of(&m, &quiet());
        assert!(found.iter().any(|f| f.what.contains(what) && !base.contains(&f.what)), "{what}: {found:#?}");
    }
    let nothing = doctor::check(&Machine::default(), &State::default());
    assert!(nothing.iter().any(|f| f.what.contains("no sensor tells power")), "{nothing:#?}");
    assert!(nothing.iter().all(|f| !f.mend.is_empty() && !f.why.is_empty()));
}
