//! The machine as it looked from inside, and what it would not tell.

use super::Section;
use crate::page::Page;
use crate::shown::{Shown, Status, Unit, mark};
use maud::{Markup, html};
use spark_results::Machine;
use spark_results::machine::{CacheKind, Limit, PowerSource};

/// Processor, memory, system, limits.
#[derive(Debug)]
pub(crate) struct TheMachine;

impl Section for TheMachine {
    fn title(&self) -> &'static str {
        "The machine"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let machine = &page.subject.run.manifest.machine;
        let rows: Vec<(&str, Option<Markup>)> = vec![
            ("Processor", processor(machine)),
            ("Cores", cores(machine)),
            ("Core types", core_types(machine)),
            ("Caches", caches(machine)),
            ("Memory", memory(machine)),
            ("Clocks", clocks(machine)),
            ("NUMA nodes", (machine.numa.len() > 1).then(|| reported(machine.numa.len() as f64, Unit::Count("nodes")))),
            ("System", system(machine)),
            ("Virtualisation", virtualisation(machine)),
            ("Limits of this process", limits(machine)),
            (
                "Power",
                machine.power_source.map(|p| html! { (if p == PowerSource::Mains { "mains" } else { "battery" }) }),
            ),
            ("Fingerprint", Some(html! { code { (machine.fingerprint()) } })),
            ("Instruction sets", isa(machine)),
        ];
        Some(html! {
            p { "Everything here is what the system reports " (mark(Status::Reported)) "." }
            dl.facts { @for (name, value) in rows { @if let Some(value) = value { dt { (name) } dd { (value) } } } }
            @if !machine.absent.is_empty() {
                details { summary { "What this machine does not tell (" (machine.absent.len()) ")" }
                    dl.reasons { @for a in &machine.absent { dt { (a.what) } dd { (a.why) } } }
                }
            }
        })
    }
}

fn reported(value: f64, unit: Unit) -> Markup {
    Shown::new(value, unit, Status::Reported).inline()
}

/// The parts there are, with commas; nothing if there is none.
fn list(parts: impl IntoIterator<Item = Option<Markup>>) -> Option<Markup> {
    let parts: Vec<Markup> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| html! { @for (i, part) in parts.iter().enumerate() { @if i > 0 { ", " } (part) } })
}

fn processor(m: &Machine) -> Option<Markup> {
    let cpu = &m.cpu;
    let text = |t: &Option<String>| t.as_ref().map(|t| html! { (t) });
    let part = |name: &str, n: Option<u32>| n.map(|n| html! { (name) " " (n) });
    list([
        text(&cpu.brand),
        text(&cpu.vendor),
        text(&m.architecture),
        part("family", cpu.family),
        part("model", cpu.model),
        part("stepping", cpu.stepping),
        cpu.microcode.as_ref().map(|c| html! { "microcode " (c) }),
    ])
}

fn cores(m: &Machine) -> Option<Markup> {
    let count = |n: Option<u32>, unit| n.map(|n| reported(f64::from(n), Unit::Count(unit)));
    list([
        count(m.cpu.logical, "logical"),
        count(m.cpu.physical, "physical"),
        count(m.cpu.packages, if m.cpu.packages == Some(1) { "socket" } else { "sockets" }),
        m.cpu.smt.map(|smt| html! { (if smt { "several threads a core" } else { "one thread a core" }) }),
    ])
}

fn core_types(m: &Machine) -> Option<Markup> {
    list(m.cpu.core_types.iter().map(|t| {
        Some(html! {
            (t.name) " on " (t.cpus.to_string())
            @if let Some(max) = t.max_khz { " up to " (reported(max.high as f64 * 1e3, Unit::Si("Hz"))) }
        })
    }))
}

fn caches(m: &Machine) -> Option<Markup> {
    list(m.cpu.caches.iter().map(|c| {
        let kind = match c.kind {
            CacheKind::Data => "d",
            CacheKind::Instruction => "i",
            CacheKind::Unified => "",
        };
        Some(html! { "L" (c.level) (kind) " " (c.count) " × " (reported(c.size_bytes as f64, Unit::Size)) })
    }))
}

fn memory(m: &Machine) -> Option<Markup> {
    let size = |v: Option<u64>, after: &str| v.map(|v| html! { (reported(v as f64, Unit::Size)) " " (after) });
    list([
        size(m.memory.total_bytes, "in all"),
        size(m.memory.available_bytes, "available at the start"),
        size(m.memory.page_bytes, "pages"),
        m.memory.transparent_huge_pages.as_ref().map(|t| html! { "transparent huge pages: " (t) }),
        size(m.memory.swap_used_bytes.filter(|b| *b > 0), "of swap in use"),
    ])
}

fn clocks(m: &Machine) -> Option<Markup> {
    let policies = m.frequency.policies.iter().map(|p| {
        list([
            Some(html! { "CPUs " (p.cpus.to_string()) }),
            p.governor.as_ref().map(|g| html! { "governor " (g) }),
            p.driver.as_ref().map(|d| html! { (d) }),
            p.max_khz.map(|k| html! { "up to " (reported(k as f64 * 1e3, Unit::Si("Hz"))) }),
        ])
    });
    let turbo = m.frequency.turbo.map(|t| html! { (if t { "turbo allowed" } else { "turbo off" }) });
    list(policies.chain([turbo]))
}

fn system(m: &Machine) -> Option<Markup> {
    let os = [&m.os.name, &m.os.version].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
    let product =
        m.product.as_ref().map(|p| [&p.vendor, &p.name].into_iter().flatten().cloned().collect::<Vec<_>>().join(" "));
    list([
        Some(os).filter(|t| !t.is_empty()).map(|t| html! { (t) }),
        m.os.kernel.as_ref().map(|k| html! { "kernel " (k) }),
        product.filter(|t| !t.is_empty()).map(|t| html! { (t) }),
    ])
}

fn virtualisation(m: &Machine) -> Option<Markup> {
    let v = &m.virtualisation;
    list([
        v.virtual_machine.map(|vm| html! { (if vm { "a virtual machine" } else { "bare metal" }) }),
        v.hypervisor.as_ref().map(|h| html! { (h) }),
        v.container.as_ref().map(|c| html! { "in a container: " (c) }),
    ])
}

fn limits(m: &Machine) -> Option<Markup> {
    let l = &m.limits;
    list([
        l.cpu_quota.map(|q| match q {
            Limit::Unlimited => html! { "no CPU quota" },
            Limit::At(cpus) => reported(cpus, Unit::Plain("CPUs of quota")),
        }),
        l.memory_bytes.map(|b| match b {
            Limit::Unlimited => html! { "no memory limit" },
            Limit::At(bytes) => html! { (reported(bytes as f64, Unit::Size)) " of memory" },
        }),
        l.affinity.as_ref().map(|a| html! { "may run on CPUs " (a.to_string()) }),
    ])
}

fn isa(m: &Machine) -> Option<Markup> {
    (!m.cpu.isa.is_empty()).then(|| html! { span.isa { (m.cpu.isa.join(" ")) } })
}
