//! The rows of a matrix, made on the host by many hands, where a device wants them.

use spark_kernels::cpu::Cpu;
use spark_kernels::{Buffer, Device, Element, Fault, Placement, Type};
use std::num::NonZero;
use std::sync::Mutex;

/// n rows of `len` elements, which `make` makes by their numbers with some bytes of scratch: by all workers of the device's pool, each its own
/// rows; for a device that has none by as many threads as the host has, in the host's memory first. Errors: no memory left.
pub(crate) fn made<T: Element>(
    of: Type,
    (n, len): (usize, usize),
    device: &dyn Device,
    make: impl Fn(usize, &mut Vec<u8>, &mut [T]) + Sync,
) -> Result<Buffer, Fault> {
    let cpu = Cpu::of(device).ok();
    let mut buffer = match cpu {
        Some(_) => device.alloc(of, n * len, Placement::Fast)?,
        None => Buffer::host(of, n * len, Placement::Fast)?,
    };
    let hosts = || std::thread::available_parallelism().map_or(1, NonZero::get);
    let each = n.div_ceil(cpu.map_or_else(hosts, |cpu| cpu.pool().threads()));
    let parts: Vec<_> = buffer.slice_mut::<T>().chunks_mut((each * len).max(1)).map(Mutex::new).collect();
    let fill = |index: usize| {
        // Each worker has a part of its own, so nobody waits here.
        let Some(Ok(mut part)) = parts.get(index).map(Mutex::lock) else { return };
        let mut bytes = Vec::new();
        for (i, out) in part.chunks_exact_mut(len).enumerate() {
            make(index * each + i, &mut bytes, out);
        }
    };
    match cpu {
        Some(cpu) => cpu.pool().run(&|worker| fill(worker.index)),
        None => std::thread::scope(|scope| {
            let fill = &fill;
            for index in 0..parts.len() {
                scope.spawn(move || fill(index));
            }
        }),
    }
    drop(parts);
    if cpu.is_some() {
        return Ok(buffer);
    }
    let mut there = device.alloc(of, n * len, Placement::Fast)?;
    device.write_bytes(&mut there, 0, buffer.host_bytes())?;
    Ok(there)
}
