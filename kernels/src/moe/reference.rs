//! Routing and experts in f64.

use super::grouping::Grouping;
use super::routing::{Draw, Routing};
use super::{Experts, Route};
use crate::{Example, Expected, Host, Index, Op};
use std::collections::BTreeMap;

pub(super) fn route(op: &Route, example: &Example, indices: &[Index]) -> Vec<Expected> {
    let places: Vec<(usize, usize)> = example
        .live
        .spans
        .iter()
        .enumerate()
        .flat_map(|(i, s)| (s.past..s.past + s.rows).map(move |p| (i, p)))
        .collect();
    let mut rows = BTreeMap::new();
    let element = |&Index { output, at }: &Index| {
        let (row, which) = (at / op.taken(), at % op.taken());
        let Some(&place) = places.get(row) else {
            let value = example.outputs[output].value(at);
            return Expected { value, scale: value.abs() };
        };
        let (ids, weights) = rows.entry(row).or_insert_with(|| choose(op, &example.inputs[0], row, place));
        if output == 0 { Expected { value: f64::from(ids[which]), scale: 1.0 } } else { weights[which] }
    };
    indices.iter().map(element).collect()
}

fn choose(op: &Route, logits: &Host, row: usize, (sequence, position): (usize, usize)) -> (Vec<u32>, Vec<Expected>) {
    let logit = |id: u32| logits.value(row * op.logits() + id as usize);
    let mut all: Vec<u32> = (0..op.experts as u32).collect();
    // A stable sort: of equals the lower id stays first.
    all.sort_by(|a, b| logit(*b).total_cmp(&logit(*a)));
    let mut ids = all[..op.active].to_vec();
    if op.routing != Routing::Router {
        Draw::new(op.routing, op.experts, op.seed).experts(sequence, position, &mut ids);
    }
    let over = if op.normalised { &ids } else { &all };
    let most = over.iter().map(|id| logit(*id)).fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = over.iter().map(|id| (logit(*id) - most).exp()).sum();
    let weight = |id: &u32| {
        let below = logit(*id) - most;
        let value = below.exp() / sum;
        Expected { value, scale: value * (1.0 + below.abs()) }
    };
    let mut weights: Vec<Expected> = ids.iter().map(weight).collect();
    for id in op.experts..op.experts + op.shared {
        let value = 1.0 / (1.0 + (-logit(op.experts as u32)).exp());
        weights.push(Expected { value, scale: value });
        ids.push(id as u32);
    }
    (ids, weights)
}

pub(super) fn experts(op: &Experts, example: &Example, indices: &[Index]) -> Vec<Expected> {
    let (tokens, n) = (example.live.rows(), op.n);
    let ids = &example.inputs[1].slice::<u32>()[..tokens * op.active];
    let mut grouping = Grouping::default();
    // The ids of an example are its own; ids that are none would be a defect of the example.
    grouping.sort(ids, op.experts).unwrap_or_else(|fault| panic!("{fault}"));
    // What each product is asked at: (row of x, expert, output).
    let mut asked: Vec<Vec<(usize, usize, usize, f64)>> = Vec::with_capacity(indices.len());
    for &Index { at, .. } in indices {
        let (row, output) = (at / n, at % n);
        asked.push(if row >= op.rows_out(tokens) {
            vec![]
        } else if op.combine {
            let choices = row * op.active..(row + 1) * op.active;
            let one = |choice: usize| {
                (grouping.places[choice] as usize, ids[choice] as usize, output, example.inputs[2].value(choice))
            };
            choices.map(one).collect()
        } else {
            let choice = grouping.choices[row] as usize;
            vec![(choice / op.active, ids[choice] as usize, output, 1.0)]
        });
    }
    // The gemm's own reference, over all experts' outputs and all rows of x.
    let gemm = op.all();
    let of = |&(row, expert, output, _): &(usize, usize, usize, f64)| Index {
        output: 0,
        at: row * gemm.n + expert * n + output,
    };
    let flat: Vec<Index> = asked.iter().flatten().map(of).collect();
    let products = gemm.reference(example, &flat);
    let mut next = products.iter();
    asked
        .iter()
        .zip(indices)
        .map(|(terms, index)| {
            if terms.is_empty() {
                let value = example.outputs[0].value(index.at);
                return Expected { value, scale: value.abs() };
            }
            terms.iter().zip(&mut next).fold(Expected { value: 0.0, scale: 0.0 }, |sum, ((.., weight), product)| {
                Expected { value: sum.value + weight * product.value, scale: sum.scale + weight.abs() * product.scale }
            })
        })
        .collect()
}
