//! The machine's roofs against their references: `peak`, `read`, `write`, `copy`, `triad`, `chase`.

mod all;

use spark_kernels::chase::Chase;
use spark_kernels::cpu::Cpu;
use spark_kernels::lines::{Lines, Order};
use spark_kernels::peak::Peak;
use spark_kernels::pingpong::PingPong;
use spark_kernels::read::Read;
use spark_kernels::working_set::WorkingSet;
use spark_kernels::{Arithmetic, Backend, Device, Io, Live, Op, Unsupported, best, named};

#[test]
fn peak() {
    all::implementations_agree::<Peak>();
}

#[test]
fn read() {
    all::implementations_agree::<Read>();
}

#[test]
fn write() {
    all::implementations_agree::<spark_kernels::write::Write>();
}

#[test]
fn copy() {
    all::implementations_agree::<spark_kernels::copy::Copy>();
}

#[test]
fn triad() {
    all::implementations_agree::<spark_kernels::triad::Triad>();
}

#[test]
fn chase() {
    all::implementations_agree::<Chase>();
}

#[test]
fn lines() {
    all::implementations_agree::<Lines>();
}

#[test]
fn pingpong() {
    if spark_kernels::cpu::pool::allowed_cpus().len() < 2 {
        // Two workers on one cpu take turns by the scheduler's clock, which is declined.
        assert!(best(&PingPong { one: 0, other: 1 }, &Cpu::new(Some(2), 0)).is_err());
        return;
    }
    all::implementations_agree::<PingPong>();
}

/// A name in a list that runs nowhere would be a roof nobody looks at.
fn all_run_but_for_want_of_an_instruction<O: Op>() {
    let cpu = Cpu::new(Some(3), 0);
    for implementation in O::implementations().iter().filter(|i| i.backend() == Backend::Cpu) {
        let reasons: Vec<_> = O::nasty().iter().map(|op| implementation.supports(op, &cpu)).collect();
        let lacking = |reason: &Unsupported| reason.0.contains("lacks");
        assert!(
            reasons.iter().any(Result::is_ok) || reasons.iter().all(|r| r.as_ref().is_err_and(lacking)),
            "{} never runs: {reasons:?}",
            implementation.name()
        );
    }
}

#[test]
fn every_implementation_runs_but_for_want_of_an_instruction() {
    all_run_but_for_want_of_an_instruction::<Peak>();
    all_run_but_for_want_of_an_instruction::<Read>();
    all_run_but_for_want_of_an_instruction::<spark_kernels::write::Write>();
    all_run_but_for_want_of_an_instruction::<spark_kernels::copy::Copy>();
    all_run_but_for_want_of_an_instruction::<spark_kernels::triad::Triad>();
    all_run_but_for_want_of_an_instruction::<Chase>();
    all_run_but_for_want_of_an_instruction::<Lines>();
}

#[test]
fn a_walk_over_lines_goes_on_where_it_stopped() {
    let cpu = Cpu::new(Some(2), 0);
    for order in [Order::Random, Order::Stride(4096)] {
        let op = Lines { set: WorkingSet::new((64 << 20) + 64, 2), order };
        let mut example = op.example(3);
        let words = cpu.upload(&example.inputs[0]).unwrap();
        let (mut sum, mut at) = (cpu.upload(&example.outputs[0]).unwrap(), cpu.upload(&example.outputs[1]).unwrap());
        let mut prepared = best(&op, &cpu).unwrap().prepare(&op, &[], &cpu).unwrap();
        let mut seen = Vec::new();
        for _ in 0..2 {
            prepared
                .run(&mut Io { inputs: &[&words], outputs: &mut [&mut sum, &mut at], live: &example.live })
                .unwrap();
            let indices: Vec<_> = (0..2).map(|at| spark_kernels::Index { output: 0, at }).collect();
            let expected: Vec<_> = op.reference(&example, &indices).iter().map(|e| e.value).collect();
            assert_eq!(sum.slice::<u32>().iter().map(|s| f64::from(*s)).collect::<Vec<_>>(), expected);
            example.outputs[1] = at.to_host();
            seen.push(expected);
        }
        assert!(seen[0] != seen[1], "the second run reads other lines");
    }
}

#[test]
fn the_cores_of_one_kind_read_everything_alone() {
    let cpu = Cpu::weighted(&[5, 2, 5], 0);
    for (kind, runs) in [(1, true), (2, true), (3, false)] {
        let op = Read(WorkingSet::new((1 << 20) + 64, 0).on_cores(kind));
        let scalar = named::<Read>("scalar").unwrap();
        assert_eq!(scalar.supports(&op, &cpu).is_ok(), runs, "kind {kind}");
        if runs {
            let check = spark_kernels::parity::check(&op, scalar, &cpu, 1, 16).unwrap();
            assert!(check.passed(), "kind {kind}: {check:?}");
        }
    }
}

#[test]
fn a_chase_goes_on_where_it_stopped_and_comes_round() {
    let op = Chase::new(64 << 10);
    let cpu = Cpu::new(Some(1), 0);
    let example = op.example(3);
    let links = cpu.upload(&example.inputs[0]).unwrap();
    let mut at = cpu.upload(&example.outputs[0]).unwrap();
    let mut prepared = best(&op, &cpu).unwrap().prepare(&op, &[], &cpu).unwrap();
    let mut line = 0;
    for _ in 0..3 {
        prepared.run(&mut Io { inputs: &[&links], outputs: &mut [&mut at], live: &example.live }).unwrap();
        for _ in 0..op.hops() {
            line = example.inputs[0].slice::<u64>()[line * 8] as usize / 8;
        }
        assert_eq!(at.slice::<u32>(), [line as u32]);
    }
}

#[test]
fn a_large_array_is_read_window_by_window_to_its_end() {
    let op = Read(WorkingSet::new((64 << 20) + 64, 2));
    let cpu = Cpu::new(Some(2), 0);
    let mut example = op.example(5);
    let words = cpu.upload(&example.inputs[0]).unwrap();
    let mut sums = cpu.upload(&example.outputs[0]).unwrap();
    let mut next = cpu.upload(&example.outputs[1]).unwrap();
    let mut prepared = best(&op, &cpu).unwrap().prepare(&op, &[], &cpu).unwrap();
    let mut seen = Vec::new();
    for window in 0..3u32 {
        prepared.run(&mut Io { inputs: &[&words], outputs: &mut [&mut sums, &mut next], live: &example.live }).unwrap();
        example.outputs[1] = vec![window].into();
        let indices: Vec<_> = (0..2).map(|at| spark_kernels::Index { output: 0, at }).collect();
        let expected: Vec<_> = op.reference(&example, &indices).iter().map(|e| e.value).collect();
        assert_eq!(sums.slice::<u32>().iter().map(|s| f64::from(*s)).collect::<Vec<_>>(), expected, "window {window}");
        seen.push(expected);
    }
    assert!(
        seen[0] != seen[1] && seen[0] == seen[2],
        "the second window reaches the last line, the third is the first again"
    );
}

#[test]
fn a_line_left_out_or_changed_is_seen() {
    let op = Read(WorkingSet::new(1 << 16, 1));
    let cpu = Cpu::new(Some(1), 0);
    let example = op.example(3);
    let mut words = cpu.upload(&example.inputs[0]).unwrap();
    words.slice_mut::<u64>()[1 << 12] += 1 << 40;
    let mut sums = cpu.upload(&example.outputs[0]).unwrap();
    let mut next = cpu.upload(&example.outputs[1]).unwrap();
    let mut prepared = best(&op, &cpu).unwrap().prepare(&op, &[], &cpu).unwrap();
    prepared.run(&mut Io { inputs: &[&words], outputs: &mut [&mut sums, &mut next], live: &example.live }).unwrap();
    let indices: Vec<_> = (0..2).map(|at| spark_kernels::Index { output: 0, at }).collect();
    let expected = op.reference(&example, &indices);
    assert!(indices.iter().zip(expected).any(|(i, e)| f64::from(sums.slice::<u32>()[i.at]) != e.value));
}

#[test]
fn more_threads_than_the_device_has_are_declined_with_both_numbers() {
    let op = Read(WorkingSet::new(1 << 16, 4));
    let reason = named::<Read>("scalar").unwrap().supports(&op, &Cpu::new(Some(2), 0)).unwrap_err().to_string();
    assert!(reason.contains('4') && reason.contains('2'), "{reason}");
}

#[test]
fn work_is_counted_as_the_field_counts_it() {
    let live = Live::one(1, 0);
    let set = WorkingSet::new(WorkingSet::MEMORY, 2);
    assert_eq!(Read(set).bytes(&live), 64 << 20);
    assert_eq!(spark_kernels::write::Write(set).bytes(&live), 1 << 30);
    assert_eq!(spark_kernels::copy::Copy(set).bytes(&live), 2 << 30);
    assert_eq!(spark_kernels::triad::Triad(set).bytes(&live), 3 << 30);
    assert_eq!(spark_kernels::triad::Triad(set).flops(&live), 2 << 28);
    assert_eq!(Read(WorkingSet::new(16 << 10, 1)).bytes(&live), 64 << 20);
    for (of, lanes) in [(Arithmetic::F32, 1), (Arithmetic::Bf16, 2), (Arithmetic::Int8, 4)] {
        let op = Peak { threads: 3, partial: true, iterations: 10, ..Peak::new(of, 1) };
        assert_eq!(op.flops(&live), 3 * 10 * 24 * 16 * 2 * lanes);
    }
}

#[test]
fn ids_are_stable() {
    let axes = |axes: Vec<(&str, spark_kernels::AxisValue)>| format!("{axes:?}");
    assert_eq!(axes(Peak::new(Arithmetic::Int8, 2).axes()), r#"[("type", Text("int8"))]"#);
    assert_eq!(axes(Peak::on_some(Arithmetic::F32, 1).axes()), r#"[("threads", Int(1)), ("type", Text("f32"))]"#);
    assert_eq!(axes(Read(WorkingSet::new(4096, 2)).axes()), r#"[("bytes", Int(4096)), ("threads", Int(2))]"#);
    assert_eq!(axes(Chase::new(4096).axes()), r#"[("bytes", Int(4096))]"#);
    let lines = Lines { set: WorkingSet::new(4096, 2), order: Order::Stride(256) };
    let expected = r#"[("bytes", Int(4096)), ("threads", Int(2)), ("order", Text("stride:256"))]"#;
    assert_eq!(axes(lines.axes()), expected);
}
