//! The ops of a mixture of experts, checked at a few tokens: the weights of their experts alone are made again.

use super::{COMPARED, Checker, stored};
use crate::llm::blocks::{Blocks, MixtureOps};
use crate::llm::forward::Stage;
use crate::llm::state::{Routed, RunState};
use crate::llm::weights::{Part, Tensor};
use spark_kernels::moe::{Experts, Grouping, Route};
use spark_kernels::{Buffer, Example, Fault, Host, Live, parity};

impl Checker<'_> {
    pub(super) fn mixture(&mut self, stage: Stage, layer: usize, s: &RunState) -> Result<(), Fault> {
        let (Some(ops), Some(routed)) = (self.blocks.mixture(layer), &s.routed) else { return Ok(()) };
        let MixtureOps { router, route, gate_up, down, .. } = ops;
        let of = |part| Tensor::Layer(layer, part);
        match stage {
            Stage::Router(_) => self.product(stage, &router, of(Part::Router), &s.h, &routed.logits, s.live.rows()),
            Stage::Route(_) => self.route(stage, &route, routed, &s.live),
            Stage::GateUp(_) => self.experts(stage, &gate_up, of(Part::ExpertGateUp), (&s.h, &s.gate_up), s, routed),
            _ => self.experts(stage, &down, of(Part::ExpertDown), (&s.activated, &s.delta), s, routed),
        }
    }

    fn ids(&self, routed: &Routed, choices: usize) -> Result<Vec<u32>, Fault> {
        match self.device.download(&routed.ids)? {
            Host::U32(mut ids) => {
                ids.truncate(choices);
                Ok(ids)
            }
            other => Err(Fault::Device(format!("ids of experts are {:?}: a defect of the engine", other.of()))),
        }
    }

    fn route(&mut self, stage: Stage, op: &Route, routed: &Routed, live: &Live) -> Result<(), Fault> {
        let (rows, choices) = (live.rows(), live.rows() * op.taken());
        let example = Example {
            weights: vec![],
            inputs: vec![self.values(&routed.logits, rows * op.logits())?.into()],
            outputs: vec![vec![0_u32; choices].into(), vec![0.0_f32; choices].into()],
            live: live.clone(),
        };
        let got = [self.ids(routed, choices)?.into(), self.values(&routed.weights, choices)?.into()];
        self.compare(stage, &Route { rows, ..op.clone() }, &example, &got);
        Ok(())
    }

    /// Three tokens, each as an op of its own with no experts but those it chose, at some of the outputs.
    fn experts(
        &mut self,
        stage: Stage,
        op: &Experts,
        tensor: Tensor,
        (from, to): (&Buffer, &Buffer),
        s: &RunState,
        routed: &Routed,
    ) -> Result<(), Fault> {
        let (rows, active, n, k) = (s.live.rows(), op.active, op.n, op.k);
        let (ids, weights) = (self.ids(routed, rows * active)?, self.values(&routed.weights, rows * active)?);
        let mut grouping = Grouping::default();
        grouping.sort(&ids, op.experts)?;
        let (x, y) = (self.values(from, op.rows_in(rows) * k)?, self.values(to, op.rows_out(rows) * n)?);
        let picked = parity::sample(&[n], COMPARED / (3 * active).min(24), self.settings.seed ^ n as u64);
        let mut outputs: Vec<usize> = picked.iter().map(|index| index.at).collect();
        outputs.sort_unstable();
        outputs.dedup();
        let (format, ..) = self.weights.pieces(tensor)[0];
        let op = &Blocks::experts(op, format);
        let bias = self.bias(tensor, op.bias);
        let mut tokens = vec![0, rows / 2, rows - 1];
        tokens.dedup();
        for token in tokens {
            let choices = token * active..(token + 1) * active;
            // Numbered anew by rank, the experts stand in the same order.
            let mut chosen = ids[choices.clone()].to_vec();
            chosen.sort_unstable();
            let rank = |id: &u32| chosen.binary_search(id).unwrap_or_default() as u32;
            let mut places: Vec<usize> = choices.clone().map(|choice| grouping.places[choice] as usize).collect();
            places.sort_unstable();
            let of_experts = chosen.iter().flat_map(|id| outputs.iter().map(move |at| *id as usize * n + at));
            let bytes: Vec<u8> = of_experts.clone().flat_map(|row| self.weights.rows(tensor, row..row + 1)).collect();
            let mut operands = vec![stored(format, bytes)];
            let scales = self.weights.scales(tensor, 0, of_experts.clone());
            if !scales.is_empty() {
                operands.push(scales.into());
            }
            if let Some(bias) = &bias {
                operands.push(of_experts.map(|row| bias[row]).collect::<Vec<_>>().into());
            }
            let row_of = |row: usize| x[row * k..(row + 1) * k].to_vec();
            let input =
                if op.combine { places.iter().flat_map(|place| row_of(*place)).collect() } else { row_of(token) };
            let mut inputs = vec![Host::F32(input), ids[choices.clone()].iter().map(rank).collect::<Vec<_>>().into()];
            if op.combine {
                let scaled = choices.map(|choice| {
                    let runs = self.weights.runs(tensor);
                    weights[choice] * if runs.is_empty() { 1.0 } else { runs[ids[choice] as usize] }
                });
                inputs.push(scaled.collect::<Vec<f32>>().into());
                places = vec![token];
            }
            // Where each expert has a scale of its own, it is taken out of what is compared, or put into the weights.
            let scale = |id: u32, output: usize| match self.weights.runs(tensor) {
                [] => 1.0,
                runs => runs[(id as usize * n + output) / (n * op.experts / runs.len())],
            };
            let by_place = chosen.iter().flat_map(|id| outputs.iter().map(move |output| scale(*id, *output)));
            let by_place: Vec<f32> = if op.combine { vec![1.0; outputs.len()] } else { by_place.collect() };
            let at = places.iter().flat_map(|row| outputs.iter().map(move |output| row * n + output));
            let got: Vec<f32> = at.zip(by_place).map(|(at, scale)| y[at] / scale).collect();
            let example = Example {
                weights: operands,
                inputs,
                outputs: vec![vec![0.0_f32; got.len()].into()],
                live: Live::one(1, 0),
            };
            let small = Experts { rows: 1, experts: active, n: outputs.len(), ..op.clone() };
            self.compare(stage, &small, &example, &[got.into()]);
        }
        Ok(())
    }
}
