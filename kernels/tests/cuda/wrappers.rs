//! The device wrappers as the doubles carry them out: conversions code for code as `format` has them, products as sums of products.

use crate::double::on;
use crate::wrapper_units::units;
use spark_kernels::cuda::Gpu;
use spark_kernels::cuda::launch::{Args, Grid};
use spark_kernels::cuda::source::Unit;
use spark_kernels::format::splitmix::SplitMix64;
use spark_kernels::format::{bf16, e2m1, e4m3, e8m0, f16};
use spark_kernels::{Buffer, Device, Host, Placement, Type};

fn launch(gpu: &Gpu, unit: &Unit, entry: &str, shared: usize, grid: Grid, args: Args<'_>) {
    let function =
        gpu.module(unit).and_then(|module| module.function(entry)).unwrap_or_else(|why| panic!("{entry}: {why}"));
    let function = function.with_shared(shared).unwrap_or_else(|why| panic!("{entry}: {why}"));
    gpu.launch(&function, grid, args).unwrap_or_else(|why| panic!("{entry}: {why}"));
}

fn upload(gpu: &Gpu, host: impl Into<Host>) -> Buffer {
    gpu.upload(&host.into()).unwrap_or_else(|why| panic!("{why}"))
}
fn room(gpu: &Gpu, of: Type, len: usize) -> Buffer {
    gpu.alloc(of, len, Placement::Fast).unwrap_or_else(|why| panic!("{why}"))
}
fn floats(gpu: &Gpu, buffer: &Buffer) -> Vec<f32> {
    match gpu.download(buffer) {
        Ok(Host::F32(values)) => values,
        other => panic!("no floats: {other:?}"),
    }
}
fn words(gpu: &Gpu, buffer: &Buffer) -> Vec<u32> {
    match gpu.download(buffer) {
        Ok(Host::U32(values)) => values,
        other => panic!("no words: {other:?}"),
    }
}
fn same(got: f32, want: f32) -> bool {
    got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan()
}

#[test]
fn every_code_has_its_value() {
    on("wrappers::every_code_has_its_value", "gb10", |gpu| {
        let mut out = room(gpu, Type::F32, 528 + 2 * 65536);
        launch(gpu, &units()[0], "decode", 0, Grid::covering(65536, 256), Args::new().write(&mut out));
        let got = floats(gpu, &out);
        let wanted = (0..16_u8).map(e2m1::decode);
        let wanted = wanted.chain((0..=255).map(e4m3::decode)).chain((0..=255).map(e8m0::decode));
        let wanted = wanted.chain((0..=u16::MAX).map(bf16::decode)).chain((0..=u16::MAX).map(f16::decode));
        for (i, (got, want)) in got.into_iter().zip(wanted).enumerate() {
            assert!(same(got, want), "code {i} of the tables: {got} is not {want}");
        }
    });
}

/// The ends of each format, midpoints between neighbours, NaN, infinities, subnormals, and a spread of all bit patterns.
fn inputs() -> Vec<f32> {
    let mut all =
        vec![0.0, f32::NAN, f32::INFINITY, 448.0, 464.0, 465.0, 65504.0, 65519.9, 65520.0, 6.0, 5.0, 3.4e38, 1e-45];
    for table in [e2m1::E2M1_VALUES.as_slice(), e4m3::E4M3_VALUES.as_slice(), e8m0::E8M0_VALUES.as_slice()] {
        let mut sorted: Vec<_> = table.iter().copied().filter(|v| v.is_finite()).collect();
        sorted.sort_by(f32::total_cmp);
        all.extend(sorted.windows(2).map(|pair| pair[0] + (pair[1] - pair[0]) / 2.0));
        all.extend(sorted);
    }
    for code in (0..=u16::MAX).step_by(7) {
        // Between a bf16 and the next, and between an f16 and the next.
        all.extend([f32::from_bits(u32::from(code) << 16 | 0x8000), f16::decode(code) * (1.0 + 1.0 / 2048.0)]);
    }
    let mut random = SplitMix64::new(7);
    all.extend((0..20_000).map(|_| f32::from_bits(random.next() as u32)));
    let negative: Vec<_> = all.iter().map(|x| -x).collect();
    all.extend(negative);
    all
}

#[test]
fn every_number_has_its_code() {
    on("wrappers::every_number_has_its_code", "gb10", |gpu| {
        let x = inputs();
        let (input, mut out) = (upload(gpu, x.clone()), room(gpu, Type::U32, 9 * x.len()));
        let args = Args::new().read(&input).write(&mut out).int(x.len());
        launch(gpu, &units()[0], "encode", 0, Grid::covering(x.len(), 256), args);
        let got = words(gpu, &out);
        for (x, got) in x.iter().zip(got.chunks(9)) {
            let b = |x: f32| u32::from(bf16::encode(x));
            let h = |x: f32| u32::from(f16::encode(x));
            let (e, d) = (|x: f32| u32::from(e4m3::encode(x)), |x: f32| u32::from(e2m1::encode(x)));
            let want = [b(*x), h(*x), e(*x), d(*x), u32::from(e8m0::encode(*x))];
            let pairs = [b(*x) | b(-x) << 16, h(*x) | h(-x) << 16, e(*x) | e(-x) << 8, d(*x) | d(-x) << 4];
            for (what, (got, want)) in got.iter().zip(want.iter().chain(&pairs)).enumerate() {
                // Which of the NaNs of bf16 and f16 comes out is the hardware's choice.
                let nan = x.is_nan() && matches!(what, 0 | 1 | 5 | 6);
                assert!(nan || got == want, "{x:e} ({:08x}), column {what}: {got:x} is not {want:x}", x.to_bits());
            }
        }
    });
}

#[test]
fn words_of_codes_unpack_in_order() {
    on("wrappers::words_of_codes_unpack_in_order", "gb10", |gpu| {
        let mut random = SplitMix64::new(3);
        let mut codes: Vec<u32> = (0..256_u32).map(|b| b * 0x0101_0101).collect();
        codes.extend((0..4096).map(|_| random.next() as u32));
        let (input, mut out) = (upload(gpu, codes.clone()), room(gpu, Type::U32, 20 * codes.len()));
        let args = Args::new().read(&input).write(&mut out).int(codes.len());
        launch(gpu, &units()[0], "unpack", 0, Grid::covering(codes.len(), 256), args);
        let got = words(gpu, &out);
        for (word, got) in codes.iter().zip(got.chunks(20)) {
            let half = |from: usize, i: usize| (got[from + i / 2] >> (16 * (i % 2))) as u16;
            let byte = |from: usize, i: usize| (got[from + i / 4] >> (8 * (i % 4))) as u8;
            for i in 0..8 {
                let code = (word >> (4 * i) & 15) as u8;
                let (value, number) = (e2m1::decode(code), i32::from(code) - 8);
                assert!(same(bf16::decode(half(0, i)), value), "{word:08x} element {i} as bf16");
                assert!(same(f16::decode(half(4, i)), value), "{word:08x} element {i} as f16");
                assert!(same(e4m3::decode(byte(8, i)), value), "{word:08x} element {i} as E4M3");
                assert_eq!(f32::from(byte(10, i).cast_signed()), 2.0 * value, "{word:08x} element {i} twice");
                assert_eq!(i32::from(byte(12, i).cast_signed()), number, "{word:08x} element {i} of Q4_0");
                assert_eq!(bf16::decode(half(14, i)), number as f32, "{word:08x} element {i} of Q4_0 as bf16");
            }
            for i in 0..4 {
                let want = e4m3::decode((word >> (8 * i)) as u8);
                assert!(same(bf16::decode(half(18, i)), want), "{word:08x} byte {i} from E4M3");
            }
        }
    });
}

#[test]
fn a_block_agrees_on_its_sum() {
    on("wrappers::a_block_agrees_on_its_sum", "h200", |gpu| {
        let x: Vec<f32> = (0..128_u16).map(|i| f32::from(i * 37 % 101) - 50.0).collect();
        let (input, mut out) = (upload(gpu, x.clone()), room(gpu, Type::F32, 384));
        launch(gpu, &units()[0], "reduce", 0, Grid::line(1, 128), Args::new().read(&input).write(&mut out));
        let got = floats(gpu, &out);
        let (sum, most) = (x.iter().sum::<f32>(), x.iter().copied().fold(f32::MIN, f32::max));
        assert!(got[..128].iter().all(|v| *v == sum) && got[128..256].iter().all(|v| *v == most));
        for (warp, got) in x.chunks(32).zip(got[256..].chunks(32)) {
            let least = warp.iter().copied().fold(f32::MAX, f32::min);
            assert!(got.iter().all(|v| *v == least));
        }
    });
}

/// Number types of products: the value of element `i` of words, and whether a random word is one without NaN or infinity.
fn element(of: &str, words: &[u32], i: usize) -> f64 {
    let bits = |n: usize| words[i * n / 32] >> (i * n % 32);
    f64::from(match of {
        "bf16" => bf16::decode(bits(16) as u16),
        "f16" => f16::decode(bits(16) as u16),
        "s8" => f32::from((bits(8) as u8).cast_signed()),
        "e4m3" => e4m3::decode(bits(8) as u8),
        _ => e2m1::decode((bits(4) & 15) as u8),
    })
}

/// Random words whose elements are numbers of moderate size.
fn operand(of: &str, count: usize, seed: u64) -> Vec<u32> {
    let mut random = SplitMix64::new(seed);
    let mut number = |signed: bool| (random.next() % 1000) as f32 / 250.0 - if signed { 2.0 } else { -0.1 };
    let mut word = || match of {
        "bf16" => u32::from(bf16::encode(number(true))) | u32::from(bf16::encode(number(true))) << 16,
        "f16" => u32::from(f16::encode(number(true))) | u32::from(f16::encode(number(true))) << 16,
        "e4m3" => (0..4).fold(0, |w, i| w | u32::from(e4m3::encode(number(true))) << (8 * i)),
        "ue4m3" => (0..4).fold(0, |w, i| w | u32::from(e4m3::encode(number(false))) << (8 * i)),
        "ue8m0" => (0..4).fold(0, |w, i| w | (122 + (number(false) * 2.0) as u32) << (8 * i)),
        _ => (number(true).to_bits() << 9) ^ (number(true).to_bits() >> 3) ^ (number(true).to_bits() << 20),
    };
    (0..count).map(|_| word()).collect()
}

/// What was computed of row r and column c against the sum of products of row r of `a` and of row c of `b`; `began` is the largest number
/// that a sum began with, to which its rounding is relative too.
fn check(what: &str, began: f64, got: impl Fn(usize, usize) -> f64, a: &[Vec<f64>], b: &[Vec<f64>]) {
    for (r, a) in a.iter().enumerate() {
        for (c, b) in b.iter().enumerate() {
            let (want, scale) = a.iter().zip(b).fold((0.0, began), |(s, m), (a, b)| (s + a * b, m + (a * b).abs()));
            let got = got(r, c);
            assert!((got - want).abs() <= 1e-6 * scale, "{what}, row {r}, column {c}: {got} is not {want}");
        }
    }
}

#[test]
fn a_warps_products_are_sums_of_products() {
    on("wrappers::a_warps_products_are_sums_of_products", "gb10", |gpu| {
        let units = units();
        let kinds = [
            (1, "bf16", "bf16", "", 64),
            (1, "loaded", "bf16", "", 64),
            (1, "f16", "f16", "", 64),
            (1, "s8", "s8", "", 64),
            (2, "e4m3", "e4m3", "", 64),
            (3, "nvfp4", "e2m1", "ue4m3", 16),
            (3, "mxfp4", "e2m1", "ue8m0", 32),
            (3, "mxfp8", "e4m3", "ue8m0", 32),
        ];
        for (unit, entry, of, scaled, block) in kinds {
            let (a, b) = (operand(of, 16 * 8, 11), operand(of, 8 * 8, 12));
            let scales = operand(if scaled.is_empty() { "ue8m0" } else { scaled }, 24, 13);
            let scale = |row: usize, k: usize| {
                let code = (scales[row] >> (8 * (k / block))) as u8;
                match scaled {
                    "ue4m3" => f64::from(e4m3::decode(code)),
                    "ue8m0" => f64::from(e8m0::decode(code)),
                    _ => 1.0,
                }
            };
            let (left, right, by) = (upload(gpu, a.clone()), upload(gpu, b.clone()), upload(gpu, scales.clone()));
            let before: Vec<f32> = (0..128_u8).map(f32::from).collect();
            let before: Host = if of == "s8" { (0..128_i32).collect::<Vec<_>>().into() } else { before.into() };
            let mut sums = upload(gpu, before);
            let args = Args::new().read(&left).read(&right).read(&by).write(&mut sums);
            launch(gpu, &units[unit], entry, 0, Grid::line(1, 32), args);
            let got = gpu.download(&sums).unwrap_or_else(|why| panic!("{entry}: {why}"));
            let k = 8 * 32
                / match of {
                    "bf16" | "f16" => 16,
                    "s8" | "e4m3" => 8,
                    _ => 4,
                };
            let row = |words: &[u32], row: usize, at: usize| -> Vec<f64> {
                (0..k).map(|i| element(of, &words[8 * row..8 * row + 8], i) * scale(at + row, i)).collect()
            };
            // The sums began at their own number, so that a fragment in a wrong place shows even where products agree.
            let more = |r: usize, c: usize| got.value(8 * r + c) - (8 * r + c) as f64;
            let (a, b): (Vec<_>, Vec<_>) =
                ((0..16).map(|r| row(&a, r, 0)).collect(), (0..8).map(|c| row(&b, c, 16)).collect());
            check(entry, 128.0, more, &a, &b);
        }
    });
}

/// The double carries products out on tiles and looks at no descriptor, so that its fields are held here: the PTX ISA's "Matrix Descriptor
/// Format" of wgmma.
#[test]
fn a_tile_is_described_field_by_field() {
    on("wrappers::a_tile_is_described_field_by_field", "h200", |gpu| {
        let addresses = [0_u32, 1024, 1024 + 32, 96 * 1024 + 96, 0x3_fc00];
        let (input, mut out) = (upload(gpu, addresses.to_vec()), room(gpu, Type::U64, addresses.len()));
        let args = Args::new().read(&input).write(&mut out).int(addresses.len());
        let unit = units().pop().expect("the last unit is that of descriptors");
        launch(gpu, &unit, "descriptors", 0, Grid::line(1, 32), args);
        let Ok(Host::U64(got)) = gpu.download(&out) else { panic!("no descriptors") };
        for (address, got) in addresses.into_iter().zip(got) {
            let field = |from: u32, bits: u32| got >> from & ((1 << bits) - 1);
            assert_eq!(field(0, 14), u64::from(address >> 4), "start address of {address:#x}");
            assert_eq!(field(14, 2), 0, "bits without a meaning");
            assert_eq!(field(16, 14), 1, "leading dimension byte offset, ignored under a swizzle");
            assert_eq!(field(30, 2), 0, "bits without a meaning");
            assert_eq!(field(32, 14), 64, "stride dimension byte offset: 8 rows of 128 bytes");
            assert_eq!(field(46, 3), 0, "bits without a meaning");
            assert_eq!(field(49, 3), 0, "base offset: tiles begin at multiples of 1024");
            assert_eq!(field(52, 10), 0, "bits without a meaning");
            assert_eq!(field(62, 2), 1, "swizzle mode: 128 bytes");
        }
    });
}

#[test]
fn a_warpgroups_products_are_sums_of_products() {
    on("wrappers::a_warpgroups_products_are_sums_of_products", "h200", |gpu| {
        for (unit, n) in units()[4..].iter().zip([8, 16, 32, 64, 128, 256]) {
            for entry in unit.entries {
                let of = entry.split('_').next().unwrap_or_default();
                let (a, b) = (operand(of, 64 * 32, 21), operand(of, n * 32, 22));
                let (left, right, mut sums) =
                    (upload(gpu, a.clone()), upload(gpu, b.clone()), room(gpu, Type::F32, 64 * n));
                let args = Args::new().read(&left).read(&right).write(&mut sums);
                launch(gpu, unit, entry, 2 * 128 * (64 + n) + 8, Grid::line(1, 128), args);
                let got = floats(gpu, &sums);
                let k = 128 / if of == "bf16" { 2 } else { 1 };
                let row = |words: &[u32], row: usize| -> Vec<f64> {
                    (0..k).map(|i| element(of, &words[32 * row..32 * row + 32], i)).collect()
                };
                let (a, b): (Vec<_>, Vec<_>) =
                    ((0..64).map(|r| row(&a, r)).collect(), (0..n).map(|c| row(&b, c)).collect());
                check(entry, 0.0, |r, c| f64::from(got[r * n + c]), &a, &b);
            }
        }
    });
}
