//! Rows of outputs shared among the workers of a pool, without any op writing `unsafe` for it.
#![expect(unsafe_code, reason = "each worker gets its own part of an output")]

use crate::cpu::pool::Pool;
use crate::cpu::split::Split;
use std::ops::Range;

/// Runs `work` with each worker's range of `0 .. items` and with the parts of the two outputs that belong to it: `each.0`
/// and `each.1` elements an item. An output of which nothing is needed is empty, with 0 elements an item.
///
/// Work of at most `grain` items stays on the calling thread: handing it over would cost more than it saves.
pub(crate) fn share<'a, T: Send, U: Send>(
    pool: &Pool,
    (items, grain): (usize, usize),
    outputs: (&'a mut [T], &'a mut [U]),
    each: (usize, usize),
    work: &(dyn Fn(Range<usize>, &'a mut [T], &'a mut [U]) + Sync),
) {
    let (first, second) = (&mut outputs.0[..items * each.0], &mut outputs.1[..items * each.1]);
    if items <= grain || pool.threads() == 1 {
        return work(0..items, first, second);
    }
    let (first, second) = (Split::new(first), Split::new(second));
    pool.run(&|worker| {
        let range = worker.share(items, grain);
        if range.is_empty() {
            return;
        }
        let of = |each: usize| range.start * each..range.end * each;
        // SAFETY: the ranges of different workers are disjoint and each worker runs this closure once a call.
        let first = unsafe { first.part(of(each.0)) };
        // SAFETY: as above.
        let second = unsafe { second.part(of(each.1)) };
        work(range, first, second);
    });
}

/// No second output.
pub(crate) fn nothing<'a>() -> &'a mut [u8] {
    &mut []
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::pool::allowed_cpus;

    #[test]
    fn every_item_is_worked_on_once_with_its_own_parts() {
        let cpus = allowed_cpus();
        for threads in 1..4 {
            let pool = Pool::new(&(0..threads).map(|i| cpus[i % cpus.len()]).collect::<Vec<_>>());
            for items in [0, 1, 2, 5, 17] {
                let (mut a, mut b) = (vec![0; items * 3 + 1], vec![0_u8; items]);
                share(&pool, (items, 1), (&mut a, &mut b), (3, 1), &|range, a, b| {
                    assert_eq!((a.len(), b.len()), (range.len() * 3, range.len()));
                    for (i, item) in range.enumerate() {
                        a[i * 3..][..3].iter_mut().for_each(|a| *a += item + 1);
                        b[i] += 1;
                    }
                });
                assert!((0..items * 3).all(|i| a[i] == i / 3 + 1), "{items} items, {threads} threads");
                assert!(a[items * 3] == 0 && b.iter().all(|&b| b == 1));
            }
        }
    }
}
