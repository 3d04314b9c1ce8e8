//! Small shapes that break careless attention kernels.

use super::{Attention, KvType};
use crate::gemm::Activations;

/// Shapes of every cache type, and what some models add to plain attention.
pub(super) fn shapes() -> Vec<Attention> {
    KvType::ALL.iter().flat_map(|&kv| plain(kv).into_iter().chain(special(kv))).chain(tiled()).collect()
}

fn shape(kv: KvType, [rows, depth, heads, kv_heads, head_dim, sequences]: [usize; 6]) -> Attention {
    let head_dim = if kv.element().size() == 1 { head_dim.next_multiple_of(4) } else { head_dim };
    Attention { rows, depth, sequences, kv, ..Attention::new(heads, kv_heads, head_dim) }
}

/// Many rows for tiles of tensor cores: every size of head, groups that no tile is a multiple of, chunks at a depth, several sequences.
fn tiled() -> Vec<Attention> {
    let shapes = [
        [40, 29, 6, 2, 64, 3],
        [61, 70, 5, 1, 96, 1],
        [150, 0, 4, 2, 128, 1],
        [33, 95, 2, 1, 128, 2],
        [30, 50, 3, 3, 256, 1],
        [21, 3, 6, 2, 80, 1],
        [9, 600, 2, 1, 128, 1],
    ];
    let mut ops = Vec::new();
    for kv in [KvType::Bf16, KvType::Fp8] {
        for of in shapes {
            let plain = shape(kv, of);
            let all = Attention {
                window: Some(37),
                sinks: true,
                softcap: Some(2.5),
                scale: Some(0.3125),
                activations: Activations::Bf16,
                ..plain
            };
            ops.extend([Attention { activations: Activations::Bf16, ..plain }, all]);
            ops.push(Attention { activations: Activations::F32, ..if of[4] == 128 { plain } else { all } });
        }
        ops.push(Attention { activations: Activations::Bf16, ..shape(kv, [1, 300, 8, 2, 128, 1]) });
    }
    ops
}

fn plain(kv: KvType) -> Vec<Attention> {
    let shapes = [
        // rows, depth, heads, kv_heads, head_dim, sequences
        [1, 0, 1, 1, 16, 1],
        [1, 0, 8, 1, 64, 1],
        [1, 1, 4, 4, 64, 1],
        [1, 15, 6, 2, 80, 1],
        [1, 63, 7, 1, 128, 1],
        [1, 64, 8, 1, 128, 1],
        [1, 517, 4, 2, 96, 1],
        [3, 0, 2, 2, 64, 1],
        [3, 130, 5, 1, 48, 1],
        [17, 0, 8, 1, 64, 1],
        [17, 47, 4, 2, 256, 1],
        [65, 0, 2, 1, 64, 1],
        [131, 33, 3, 3, 32, 1],
        [4, 70, 4, 2, 64, 4],
        [7, 29, 6, 3, 64, 3],
        [2, 40, 64, 1, 16, 2],
        [3, 5, 2, 1, 6, 1],
        [5, 100, 3, 1, 10, 2],
    ];
    shapes.map(|of| shape(kv, of)).into()
}

/// Windows of one key, inside and across a vector of keys and a block of them, longer than everything; sinks, caps and scales.
fn special(kv: KvType) -> Vec<Attention> {
    let windowed = |of, window| Attention { window: Some(window), ..shape(kv, of) };
    let decode = [1, 517, 4, 2, 64, 1];
    let prefill = [150, 37, 8, 2, 32, 1];
    let (softcap, scale) = (Some(2.5), Some(0.3125));
    let mut ops: Vec<_> = [1, 2, 15, 16, 17, 63, 64, 65, 100, 128, 200, 517, 518, 9999]
        .into_iter()
        .flat_map(|window| [windowed(decode, window), windowed(prefill, window)])
        .collect();
    ops.extend([
        windowed([70, 0, 3, 1, 10, 1], 20),
        windowed([5, 300, 6, 3, 64, 3], 128),
        Attention { sinks: true, ..shape(kv, decode) },
        Attention { sinks: true, ..shape(kv, prefill) },
        Attention { sinks: true, ..shape(kv, [5, 100, 6, 3, 10, 2]) },
        Attention { sinks: true, ..windowed([20, 90, 16, 2, 64, 1], 128) },
        Attention { sinks: true, ..windowed(prefill, 1) },
        Attention { softcap, ..shape(kv, decode) },
        Attention { softcap: Some(50.0), ..shape(kv, prefill) },
        Attention { softcap: Some(1e-3), ..shape(kv, [9, 20, 2, 1, 64, 1]) },
        Attention { scale, ..shape(kv, decode) },
        Attention { scale: Some(1.0 / 256.0), ..shape(kv, prefill) },
        Attention { softcap, scale, sinks: true, ..windowed([40, 60, 6, 2, 48, 2], 33) },
        Attention { softcap, scale, sinks: true, ..windowed([7, 60, 6, 2, 10, 2], 33) },
    ]);
    ops
}
