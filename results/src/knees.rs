//! Where a curve over working sets bends: levels of one value each, the knees between them, and the caches they belong to.
//!
//! Levels are the stretches of the cheapest piecewise-constant fit to the logarithm of the values (dynamic programming; a stretch costs
//! as much as `PRICE` of squared error). A single size between two levels is on the way from one to the other and is no level of its
//! own, unless it lies well inside a cache that the system tells of. A knee is where the curve crosses the geometric mean of the levels
//! beside it, found between two sizes on straight lines in both logarithms.

use crate::machine::{Cache, CacheKind, Cpu};

/// Squared error, in natural logarithms, that is worth a level more: two sizes off by a quarter of their value.
const PRICE: f64 = 0.06;
/// Levels nearer to each other than this are one.
const SAME: f64 = 0.12;
/// A knee this many octaves or less from a told capacity is that cache's.
const NEAR: f64 = 1.3;
/// How far past the last cache a set has to be to come from memory: its lines are then found in the cache at most half of the time.
const PAST: f64 = 1.9;

/// A cache as a curve may meet it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// `L1`, `L2`, `L3`.
    pub name: String,
    /// Bytes of it that the threads of the curve have together.
    pub bytes: u64,
}

/// One stretch of a curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// The cache it is, or `DRAM`; `None` where no told cache ends near its knee.
    pub name: Option<String>,
    /// The smallest and the largest size measured in it, in bytes.
    pub sizes: [u64; 2],
    /// The median of its values.
    pub value: f64,
    /// Bytes at which the curve leaves it; `None` for the last.
    pub knee_bytes: Option<f64>,
    /// Bytes of that cache as the system tells them.
    pub told_bytes: Option<u64>,
}

/// The caches that `threads` of a machine's threads have together, level 1 first. Each level's size times its share of instances.
pub fn caches(cpu: &Cpu, threads: u64) -> Vec<Known> {
    let mut data: Vec<&Cache> = cpu.caches.iter().filter(|c| c.kind != CacheKind::Instruction).collect();
    data.sort_by_key(|c| c.level);
    let all = u64::from(cpu.logical.unwrap_or(1)).max(1);
    let mut known: Vec<Known> = Vec::new();
    for cache in data {
        let of = (u64::from(cache.count) * threads.min(all)).div_ceil(all).max(1);
        let (name, bytes) = (format!("L{}", cache.level), cache.size_bytes.saturating_mul(of));
        match known.iter_mut().find(|k| k.name == name) {
            // Kinds of core with different caches of one level: together where all take part, the largest where not all can be meant.
            Some(k) if threads >= all => k.bytes = k.bytes.saturating_add(bytes),
            Some(k) => k.bytes = k.bytes.max(bytes),
            None => known.push(Known { name, bytes }),
        }
    }
    known
}

/// The levels of a curve of (bytes, value), sorted by bytes, values positive. None of fewer than three points.
pub fn levels(points: &[(u64, f64)], caches: &[Known]) -> Vec<Level> {
    if points.len() < 3 {
        return Vec::new();
    }
    let logs: Vec<f64> = points.iter().map(|(_, value)| value.ln()).collect();
    let mut stretches = fit(&logs);
    let median = |(from, to): (usize, usize)| crate::stats::median(&logs[from..to]);
    // What is on the way between two levels is none.
    let inner = |i: usize| i > 0 && i + 1 < stretches.len();
    let on_the_way = |i: usize| {
        let (at, before, behind) = (median(stretches[i]), median(stretches[i - 1]), median(stretches[i + 1]));
        (before < at) == (at < behind)
    };
    let single = |(from, to): (usize, usize)| to - from == 1 && !well_inside(points[from].0, caches);
    let keep: Vec<bool> = (0..stretches.len()).map(|i| !(inner(i) && single(stretches[i]) && on_the_way(i))).collect();
    let mut kept = keep.iter();
    stretches.retain(|_| kept.next().copied().unwrap_or(true));
    let mut i = 1;
    while i < stretches.len() {
        if (median(stretches[i]) - median(stretches[i - 1])).abs() < SAME {
            stretches[i - 1].1 = stretches.remove(i).1;
        } else {
            i += 1;
        }
    }
    let mut levels: Vec<Level> = stretches
        .iter()
        .map(|&(from, to)| Level {
            name: None,
            sizes: [points[from].0, points[to - 1].0],
            value: median((from, to)).exp(),
            knee_bytes: None,
            told_bytes: None,
        })
        .collect();
    for i in 1..levels.len() {
        let middle = (levels[i - 1].value * levels[i].value).sqrt().ln();
        levels[i - 1].knee_bytes = crossing(points, &logs, stretches[i - 1].1 - 1, stretches[i].0, middle);
    }
    named(&mut levels, caches);
    levels
}

/// Whether `bytes` is past the cache before and fits into a told one with room to spare.
fn well_inside(bytes: u64, caches: &[Known]) -> bool {
    let mut before = 0;
    caches.iter().any(|cache| {
        let inside = bytes as f64 >= 1.5 * before as f64 && bytes as f64 <= 0.75 * cache.bytes as f64;
        before = cache.bytes;
        inside
    })
}

/// Stretches `[from, to)` of the cheapest piecewise-constant fit.
fn fit(logs: &[f64]) -> Vec<(usize, usize)> {
    // Running sums of the values and of their squares, around the mean of all: the squared error of a stretch is Σv² − (Σv)² ÷ n.
    let mean = logs.iter().sum::<f64>() / logs.len() as f64;
    let mut sums = vec![(0.0, 0.0)];
    for v in logs.iter().map(|v| v - mean) {
        let (sum, squares) = sums[sums.len() - 1];
        sums.push((sum + v, squares + v * v));
    }
    let error = |from: usize, to: usize| {
        let (sum, squares) = (sums[to].0 - sums[from].0, sums[to].1 - sums[from].1);
        (squares - sum * sum / (to - from) as f64).max(0.0)
    };
    // best[to]: the cheapest fit of the first `to` points, and where its last stretch begins.
    let mut best = vec![(0.0, 0)];
    for to in 1..=logs.len() {
        let cost = |from: usize| best[from].0 + PRICE + error(from, to);
        let cheapest = (0..to).map(|from| (cost(from), from)).min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((0.0, 0));
        best.push(cheapest);
    }
    let (mut stretches, mut to) = (Vec::new(), logs.len());
    while to > 0 {
        stretches.push((best[to].1, to));
        to = best[to].1;
    }
    stretches.reverse();
    stretches
}

/// Bytes at which the curve crosses `middle` between two of its points.
fn crossing(points: &[(u64, f64)], logs: &[f64], from: usize, to: usize, middle: f64) -> Option<f64> {
    (from..to).find_map(|i| {
        let (a, b) = (logs[i] - middle, logs[i + 1] - middle);
        if (a > 0.0) == (b > 0.0) {
            return None;
        }
        let (x, y) = ((points[i].0 as f64).ln(), (points[i + 1].0 as f64).ln());
        Some((x + (y - x) * a / (a - b)).exp())
    })
}

/// Names each level by the told cache whose capacity its knee is nearest to, in order; what is past all of them is DRAM.
fn named(levels: &mut [Level], caches: &[Known]) {
    let mut next = 0;
    let last = levels.len() - 1;
    for level in &mut *levels {
        let Some(knee) = level.knee_bytes else { continue };
        let far = |cache: &Known| (knee / cache.bytes as f64).log2().abs();
        let left = caches.iter().enumerate().skip(next).filter(|(_, c)| far(c) <= NEAR);
        if let Some((at, cache)) = left.min_by(|a, b| far(a.1).total_cmp(&far(b.1))) {
            (level.name, level.told_bytes) = (Some(cache.name.clone()), Some(cache.bytes));
            next = at + 1;
        }
    }
    let end = &mut levels[last];
    let past = caches.last().is_none_or(|cache| end.sizes[1] as f64 >= PAST * cache.bytes as f64);
    if past {
        end.name = (!caches.is_empty()).then(|| "DRAM".to_owned());
    } else if let Some(cache) = caches.iter().skip(next).find(|cache| end.sizes[1] <= cache.bytes) {
        // The curve ends inside a cache.
        (end.name, end.told_bytes) = (Some(cache.name.clone()), Some(cache.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;

    fn known() -> Vec<Known> {
        let known = |name: &str, bytes| Known { name: name.into(), bytes };
        vec![known("L1", 48 * KIB), known("L2", 2 * MIB), known("L3", 32 * MIB)]
    }

    /// A curve over powers of two whose value at a size is what `at` says, with a ripple of 3 %.
    fn curve(from: u64, to: u64, at: impl Fn(u64) -> f64) -> Vec<(u64, f64)> {
        let sizes = std::iter::successors(Some(from), |bytes| Some(bytes * 2)).take_while(|bytes| *bytes <= to);
        sizes
            .enumerate()
            .map(|(i, bytes)| (bytes, at(bytes) * (1.0 + 0.03 * f64::from((i * 7 % 5) as u32 % 2))))
            .collect()
    }

    fn latency(bytes: u64) -> f64 {
        match bytes {
            b if b <= 32 * KIB => 1.3,
            b if b <= MIB => 4.2,
            b if b <= 2 * MIB => 6.0,
            b if b <= 16 * MIB => 21.0,
            b if b <= 32 * MIB => 45.0,
            b if b <= 64 * MIB => 80.0,
            _ => 110.0,
        }
    }

    #[test]
    fn the_levels_of_a_latency_curve_are_its_caches() {
        let levels = levels(&curve(16 * KIB, 1 << 30, latency), &known());
        let names: Vec<_> = levels.iter().map(|l| l.name.as_deref().unwrap_or("?")).collect();
        assert_eq!(names, ["L1", "L2", "L3", "DRAM"], "{levels:#?}");
        for (level, value) in levels.iter().zip([1.3, 4.2, 21.0, 110.0]) {
            assert!((level.value / value - 1.0).abs() < 0.05, "{level:?}");
        }
        assert!(levels[2].knee_bytes.is_some_and(|b| (16.0..64.0).contains(&(b / MIB as f64))), "{levels:?}");
        assert_eq!(levels[1].told_bytes, Some(2 * MIB));
    }

    #[test]
    fn few_sizes_are_enough_and_one_inside_a_cache_is_a_level() {
        let sizes = [16 * KIB, 128 * KIB, 1024 * KIB, 8 * MIB, 512 * MIB];
        let points: Vec<_> = sizes.map(|bytes| (bytes, latency(bytes))).into();
        let names: Vec<_> = levels(&points, &known()).into_iter().map(|l| l.name.unwrap_or_default()).collect();
        assert_eq!(names, ["L1", "L2", "L3", "DRAM"]);
        assert!(levels(&points[..2], &known()).is_empty());
    }

    #[test]
    fn a_cache_that_nobody_tells_of_is_a_level_without_a_name() {
        // A cache of the whole system, 16 MiB behind 8 MiB of L3, as bandwidth.
        let mut told = known();
        told[2].bytes = 4 * MIB;
        let value = |bytes: u64| match bytes {
            b if b <= 32 * KIB => 400.0,
            b if b <= MIB => 200.0,
            b if b <= 4 * MIB => 120.0,
            b if b <= 32 * MIB => 80.0,
            _ => 40.0,
        };
        let levels = levels(&curve(16 * KIB, 1 << 30, value), &told);
        let names: Vec<_> = levels.iter().map(|l| l.name.as_deref().unwrap_or("?")).collect();
        assert_eq!(names, ["L1", "L2", "L3", "?", "DRAM"], "{levels:#?}");
    }

    #[test]
    fn a_flat_curve_has_one_level_and_one_that_ends_in_a_cache_says_so() {
        let flat = levels(&curve(64 * MIB, 1 << 30, |_| 40.0), &known());
        assert_eq!((flat.len(), flat[0].name.as_deref(), flat[0].knee_bytes), (1, Some("DRAM"), None));
        let small = levels(&curve(4 * KIB, 32 * KIB, |_| 400.0), &known());
        assert_eq!((small.len(), small[0].name.as_deref()), (1, Some("L1")));
        let unknown = levels(&curve(16 * KIB, 1 << 30, latency), &[]);
        assert!(unknown.len() == 4 && unknown.iter().all(|l| l.name.is_none()));
    }

    #[test]
    fn private_caches_count_for_the_threads_that_have_them() {
        let cache = |level, size_bytes, count| Cache {
            level,
            kind: if level == 1 { CacheKind::Data } else { CacheKind::Unified },
            size_bytes,
            line_bytes: Some(64),
            count,
            shared_by: Vec::new(),
        };
        let cpu = Cpu {
            logical: Some(4),
            caches: vec![cache(3, 8 * MIB, 1), cache(1, 32 * KIB, 4), cache(2, MIB, 2)],
            ..Cpu::default()
        };
        let bytes = |threads| caches(&cpu, threads).iter().map(|k| k.bytes).collect::<Vec<_>>();
        assert_eq!(bytes(1), [32 * KIB, MIB, 8 * MIB]);
        assert_eq!(bytes(4), [128 * KIB, 2 * MIB, 8 * MIB]);
        assert_eq!(caches(&cpu, 1)[1].name, "L2");
    }
}
