//! Rotary embedding on a GPU.

use super::{Rope, table};
use crate::cpu::variant::{no_weights, operands, rows_in_use};
use crate::cuda::Gpu;
use crate::cuda::arch::FROM_SM80;
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::{Buffer, Device, Fault, Io, Op};
use std::sync::Arc;

static SOURCE: Source = Source { path: "rope/naive.cu", text: include_str!("naive.cu") };

/// Heads a block: a warp each.
const HEADS: usize = 4;

/// One warp a head.
pub(super) struct Naive;
pub(super) static NAIVE: Cuda<(Rope, Naive)> = Cuda::new();

/// The function and the table: capacity × (rotary/2 cosines, rotary/2 sines).
#[derive(Debug)]
pub(super) struct Ready {
    function: Function,
    table: Buffer,
}

impl CudaOp<Rope> for Naive {
    type Ready = Ready;
    const NAME: &'static str = "naive";

    fn units(_: &Rope) -> Vec<Unit> {
        vec![Unit::plain(&SOURCE, FROM_SM80, &["rope"])]
    }
    fn ready(op: &Rope, weights: &[Buffer], modules: &[Arc<Module>], gpu: &Gpu) -> Result<Ready, Fault> {
        no_weights(Rope::NAME, weights)?;
        let mut values = vec![0.0; op.capacity * op.rotary];
        table::Waves::of(op).fill(0..op.capacity, &mut values);
        Ok(Ready { function: modules[0].function("rope")?, table: gpu.upload(&values.into())? })
    }
    fn resident(ready: &Ready) -> u64 {
        ready.table.bytes() as u64
    }
    fn run(op: &Rope, ready: &mut Ready, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let rows = rows_in_use(Rope::NAME, io.live, op.rows)?;
        op.within(io.live)?;
        let [qkv] = &mut *io.outputs else { return Err(operands(Rope::NAME, "one output, qkv")) };
        let (q, k) = match (op.qk_norm, io.inputs) {
            (false, []) => (None, None),
            (true, [q, k]) if q.len() == op.head_dim && k.len() == op.head_dim => (Some(*q), Some(*k)),
            _ => {
                let expected = "no inputs, or with qk_norm the gains of q and k, head_dim elements each";
                return Err(operands(Rope::NAME, expected));
            }
        };
        let heads = op.heads + op.kv_heads;
        let args = Args::new()
            .write(qkv)
            .address(gpu.rows(io.live)?)
            .read(&ready.table)
            .read_or_null(q)
            .read_or_null(k)
            .int(op.row())
            .int(op.heads)
            .int(heads)
            .int(op.head_dim)
            .int(op.rotary)
            .float(op.eps);
        gpu.launch(&ready.function, Grid::of([rows, heads.div_ceil(HEADS), 1], 32 * HEADS as u32), args)
    }
}
