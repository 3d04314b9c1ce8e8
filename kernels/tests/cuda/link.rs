//! What lies between host and GPU, on the doubles: every way moves what it says, and what a machine has not is declined by name.

use crate::double::{on, within};
use spark_kernels::copy::Copy;
use spark_kernels::cpu::Cpu;
use spark_kernels::cuda::Gpu;
use spark_kernels::cuda::sharing::Class;
use spark_kernels::link::coherence::{Coherence, Neighbour, Scope, Who};
use spark_kernels::link::faults::Walk;
use spark_kernels::link::peer::Peers;
use spark_kernels::link::transfers::{Direction, Engine, Transfers};
use spark_kernels::link::{Allocator, Region};
use spark_kernels::working_set::WorkingSet;
use spark_kernels::{Device, Fault, Io, Op, Type, best};
use std::time::Duration;

/// Every way there is, verified word by word; returns the allocators that are not to be had, and the kernels that do not reach theirs.
fn all_ways(gpu: &Gpu) -> (Vec<Allocator>, Vec<Allocator>) {
    let (mut absent, mut unreached) = (Vec::new(), Vec::new());
    for allocator in Allocator::ALL {
        let mut transfers = match Transfers::new(gpu, allocator, 4096 + 64, 3, 5) {
            Ok(transfers) => transfers,
            Err(Fault::Unsupported(why)) => {
                assert!(why.0.contains(allocator.name()), "{why}");
                absent.push(allocator);
                continue;
            }
            Err(fault) => panic!("{}: {fault}", allocator.name()),
        };
        for engine in Engine::ALL {
            if transfers.possible(engine).is_err() {
                assert!(transfers.run(engine, Direction::In).is_err(), "{}", allocator.name());
                unreached.push(allocator);
                continue;
            }
            for direction in Direction::ALL {
                let check = transfers.verify(engine, direction).unwrap_or_else(|why| panic!("{allocator:?}: {why}"));
                assert!(check.passed(), "{allocator:?}, {engine:?}, {direction:?}: {check:?}");
                let both = if direction == Direction::Both { 2 } else { 1 };
                assert_eq!(transfers.moved(direction), both * 3 * (4096 + 64));
                assert!(transfers.run(engine, direction).unwrap_or_default() > Duration::ZERO);
            }
        }
    }
    (absent, unreached)
}

#[test]
fn every_way_of_gb10_moves_what_it_says() {
    on("link::every_way_of_gb10_moves_what_it_says", "gb10", |gpu| {
        assert_eq!(gpu.properties().sharing.class(), Class::CoherentUma);
        assert_eq!(all_ways(gpu), (vec![Allocator::Registered], vec![]));
    });
}

#[test]
fn every_way_of_a_card_moves_what_it_says() {
    on("link::every_way_of_a_card_moves_what_it_says", "discrete", |gpu| {
        assert_eq!(gpu.properties().sharing.class(), Class::ManagedFaults);
        assert_eq!(all_ways(gpu), (vec![], vec![Allocator::Pageable]));
    });
}

/// What a machine of `class` declines, and what it does not.
fn shares(gpu: &Gpu, class: Class) {
    assert_eq!(gpu.properties().sharing.class(), class);
    let advised = Region::new(gpu, Allocator::ManagedAdvised, Type::U32, 64);
    assert_eq!(advised.is_err(), class == Class::LegacyManaged);
    let coherent = Coherence::new(gpu, Allocator::Managed);
    assert_eq!(coherent.is_ok(), class == Class::Superchip, "{:?}", coherent.err());
}

macro_rules! classes {
    ($($name:ident, $profile:literal: $class:ident;)*) => {$(
        #[test]
        fn $name() {
            on(concat!("link::", stringify!($name)), $profile, |gpu| shares(gpu, Class::$class));
        }
    )*};
}
classes! {
    a_superchip_is_known, "gh200": Superchip;
    a_card_is_known, "h200": ManagedFaults;
    windows_is_known, "wsl": LegacyManaged;
}

#[test]
fn a_copy_that_did_not_happen_is_an_error_and_leaves_no_stream_behind() {
    // The first launch is the gate, the second the copy.
    let env = [("SPARK_CUDA_DOUBLE_PROFILE", "discrete"), ("SPARK_CUDA_DOUBLE_FAULTS", "launch-failed@2")];
    within("link::a_copy_that_did_not_happen_is_an_error_and_leaves_no_stream_behind", &env, || {
        let gpu = Gpu::open(0).unwrap_or_else(|why| panic!("{why}"));
        let mut transfers = Transfers::new(&gpu, Allocator::Pinned, 64, 1, 5).unwrap_or_else(|why| panic!("{why}"));
        let verified = transfers.verify(Engine::Kernel, Direction::In);
        assert!(matches!(verified, Err(Fault::Lost(_))), "{verified:?}");
    });
}

#[test]
fn ops_of_either_side_run_on_one_buffer() {
    on("link::ops_of_either_side_run_on_one_buffer", "gb10", |gpu| {
        let cpu = Cpu::new(Some(2), 0);
        let (bytes, set) = (3 * 4096 + 64, |device: &dyn Device| WorkingSet::new(3 * 4096 + 64, device.threads()));
        for allocator in [Allocator::Pageable, Allocator::Pinned, Allocator::Managed, Allocator::ManagedAdvised] {
            let region = || Region::new(gpu, allocator, Type::U32, bytes / 4).unwrap_or_else(|why| panic!("{why}"));
            let (mut from, mut to, mut back) = (region(), region(), region());
            from.fill::<u32>(gpu, |at| at as u32 * 7 + 1).unwrap_or_else(|why| panic!("{why}"));
            let run = |device: &dyn Device, from: &mut Region, to: &mut Region| {
                let op = Copy(set(device)).on(device);
                let mut copy = best(&op, device)?.prepare(&op, &[], device)?;
                let on_gpu = device.id() != "cpu";
                let (from, to) = if on_gpu { (from.gpu()?, to.gpu()?) } else { (from.host()?, to.host()?) };
                copy.run(&mut Io { inputs: &[from], outputs: &mut [to], live: &op.live() })?;
                device.wait()
            };
            run(gpu, &mut from, &mut to).unwrap_or_else(|why| panic!("{allocator:?}: {why}"));
            run(&cpu, &mut to, &mut back).unwrap_or_else(|why| panic!("{allocator:?}: {why}"));
            let back = back.host().unwrap_or_else(|why| panic!("{why}"));
            assert!(back.slice::<u32>().iter().enumerate().all(|(at, x)| *x == at as u32 * 7 + 1), "{allocator:?}");
        }
        let mut device = Region::new(gpu, Allocator::Device, Type::U32, 16).unwrap_or_else(|why| panic!("{why}"));
        assert!(device.host().is_err() && device.gpu().is_ok());
    });
}

#[test]
fn a_walk_sees_every_page_the_host_wrote() {
    on("link::a_walk_sees_every_page_the_host_wrote", "discrete", |gpu| {
        let mut region = Region::new(gpu, Allocator::Managed, Type::U32, 4096).unwrap_or_else(|why| panic!("{why}"));
        let mut walk = Walk::new(gpu).unwrap_or_else(|why| panic!("{why}"));
        assert!(walk.run(gpu, &mut region, 4096).is_err(), "nobody wrote there yet");
        assert_eq!(Walk::bring_home(&mut region, 4096), Ok(4));
        assert!(walk.run(gpu, &mut region, 4096).is_ok());
    });
}

#[test]
fn a_line_goes_to_and_fro_and_nothing_of_it_is_lost() {
    on("link::a_line_goes_to_and_fro_and_nothing_of_it_is_lost", "gb10", |gpu| {
        for allocator in [Allocator::Pinned, Allocator::Managed, Allocator::Pageable] {
            let mut line = Coherence::new(gpu, allocator).unwrap_or_else(|why| panic!("{why}"));
            // Each of these fails by itself where a count or a sum is not what it has to be.
            assert!(line.handover(64).unwrap_or_else(|why| panic!("{why}")) > Duration::ZERO);
            for (scope, who) in [(Scope::Gpu, Who::Gpu), (Scope::System, Who::Gpu), (Scope::System, Who::Cpu)] {
                line.atomics(scope, who, 1000).unwrap_or_else(|why| panic!("{scope:?}, {who:?}: {why}"));
            }
            let both = line.atomics(Scope::System, Who::Both, 20_000).unwrap_or_else(|why| panic!("{why}"));
            assert!(both.gpu.times == 20_000 && both.cpu.times > 0, "{both:?}");
            assert!(line.atomics(Scope::Gpu, Who::Both, 10).is_err());
            for beside in [Neighbour::SameLine, Neighbour::OtherLine] {
                for who in [Who::Cpu, Who::Gpu, Who::Both] {
                    let did = line.false_sharing(beside, who, 5000).unwrap_or_else(|why| panic!("{why}"));
                    assert_eq!((did.cpu.times > 0, did.gpu.times > 0), (who != Who::Gpu, who != Who::Cpu), "{who:?}");
                }
            }
            for bytes in [64, 1000, 32 << 10] {
                assert_eq!(line.consume(bytes, 5).unwrap_or_else(|why| panic!("{why}")).len(), 5);
                assert_eq!(line.produce(bytes, 5).unwrap_or_else(|why| panic!("{why}")).len(), 5);
            }
        }
        assert!(Coherence::new(gpu, Allocator::Device).is_err());
    });
}

#[test]
fn two_on_one_word_need_atomics_of_the_system() {
    on("link::two_on_one_word_need_atomics_of_the_system", "discrete", |gpu| {
        let mut line = Coherence::new(gpu, Allocator::Pinned).unwrap_or_else(|why| panic!("{why}"));
        assert!(line.atomics(Scope::System, Who::Both, 10).is_err_and(|why| why.to_string().contains("not atomic")));
        assert!(line.handover(16).is_ok() && line.atomics(Scope::System, Who::Gpu, 10).is_ok());
        assert!(Coherence::new(gpu, Allocator::Pageable).is_err());
        assert!(Peers::new(gpu, gpu, 64, 1, 1).is_err_and(|why| why.to_string().contains("two GPUs")));
    });
}

/// Two cards, opened.
fn two(test: &str, faults: &str, body: impl FnOnce(&Gpu, &Gpu)) {
    let env = [
        ("SPARK_CUDA_DOUBLE_PROFILE", "discrete"),
        ("SPARK_CUDA_DOUBLE_COUNT", "2"),
        ("SPARK_CUDA_DOUBLE_FAULTS", faults),
    ];
    within(test, &env, || {
        let open = |ordinal| Gpu::open(ordinal).unwrap_or_else(|why| panic!("{why}"));
        assert!(Gpu::open(2).is_err_and(|why| why.0.contains("knows 2 CUDA devices")));
        body(&open(0), &open(1));
    });
}

/// Copies between both, verified word by word, in both directions.
fn between(one: &Gpu, other: &Gpu, direct: bool) {
    for (from, to) in [(one, other), (other, one)] {
        let free = |gpu: &Gpu| gpu.free_memory().unwrap_or_default();
        let before = [free(from), free(to)];
        let mut peers = Peers::new(from, to, 4096 + 64, 3, 7).unwrap_or_else(|why| panic!("{why}"));
        for (gpu, before) in [from, to].into_iter().zip(before) {
            assert!(before - free(gpu) >= 3 * (4096 + 64), "{} holds an end of its own", gpu.id());
        }
        assert_eq!((peers.direct(), peers.moved()), (direct, 3 * (4096 + 64)));
        let check = peers.verify().unwrap_or_else(|why| panic!("{why}"));
        assert!(check.passed() && check.compared == 3 * (4096 + 64) / 8, "{check:?}");
        assert!(peers.run().unwrap_or_default() > Duration::ZERO);
    }
}

#[test]
fn two_cards_copy_to_each_other() {
    two("link::two_cards_copy_to_each_other", "", |one, other| between(one, other, true));
}

#[test]
fn two_cards_that_do_not_reach_each_other_copy_through_the_host() {
    let name = "link::two_cards_that_do_not_reach_each_other_copy_through_the_host";
    two(name, "no-peer", |one, other| between(one, other, false));
}
