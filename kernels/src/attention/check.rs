//! What a call's operands have to be, said before anything is touched.

use super::Attention;
use crate::{Buffer, Fault, Io, Op};

/// The operands of one call: input 0 and the three outputs.
pub(super) struct Operands<'a> {
    pub(super) qkv: &'a [f32],
    pub(super) out: &'a mut [f32],
    pub(super) keys: &'a mut Buffer,
    pub(super) values: &'a mut Buffer,
}

/// `io` taken apart, on the host. Errors: as [`fitting`]'s.
pub(super) fn operands<'a>(op: &Attention, io: &'a mut Io<'_>) -> Result<Operands<'a>, Fault> {
    fitting(op, io)?;
    let ([qkv], [out, keys, values]) = (io.inputs, &mut *io.outputs) else {
        unreachable!("the operands were just counted")
    };
    Ok(Operands { qkv: qkv.slice(), out: out.slice_mut(), keys, values })
}

/// Whether `io` fits `op`, wherever its operands stand. Errors: a count, length, type or number of live rows that does not.
pub(super) fn fitting(op: &Attention, io: &Io<'_>) -> Result<(), Fault> {
    let fault = |what: String| Err(Fault::Device(format!("attention: {what}")));
    let spans = &io.live.spans;
    if spans.len() > op.sequences {
        return fault(format!("{} spans for {} sequences; prepare more sequences", spans.len(), op.sequences));
    }
    if io.live.rows() > op.rows {
        return fault(format!("{} live rows, prepared for {}; prepare more rows", io.live.rows(), op.rows));
    }
    if let Some(i) = spans.iter().position(|s| s.past + s.rows > op.capacity()) {
        let tokens = spans[i].past + spans[i].rows;
        return fault(format!(
            "sequence {i} comes to {tokens} tokens, its cache holds {}; prepare a larger depth",
            op.capacity()
        ));
    }
    let shapes = op.outputs();
    let fits = |b: &Buffer, i: usize| b.of() == shapes[i].of && b.len() >= shapes[i].len;
    let (inputs, outputs) = (io.inputs.len(), io.outputs.len());
    let ([qkv], [out, keys, values]) = (io.inputs, &*io.outputs) else {
        return fault(format!("takes 1 input and 3 outputs, got {inputs} and {outputs}"));
    };
    if qkv.of() != crate::Type::F32 || qkv.len() < io.live.rows() * op.input_row() {
        return fault(format!("input 0 holds {} {:?}; it needs {} f32 a row", qkv.len(), qkv.of(), op.input_row()));
    }
    for (i, buffer) in [&**out, &**keys, &**values].into_iter().enumerate() {
        if !fits(buffer, i) {
            return fault(format!("output {i} holds {} {:?}; it needs {:?}", buffer.len(), buffer.of(), shapes[i]));
        }
    }
    Ok(())
}

/// Weight operand 0, on the host: a sink's score a query head; empty for an `op` without sinks. Errors: as [`sinks_of`]'s.
pub(super) fn sinks<'a>(op: &Attention, weights: &'a [Buffer]) -> Result<&'a [f32], Fault> {
    Ok(sinks_of(op, weights)?.map_or(&[], |sinks| sinks.slice()))
}

/// Weight operand 0, wherever it stands; none for an `op` without sinks. Errors: too many, too few, too short.
pub(super) fn sinks_of<'a>(op: &Attention, weights: &'a [Buffer]) -> Result<Option<&'a Buffer>, Fault> {
    match (op.sinks, weights) {
        (false, []) => Ok(None),
        (true, [sinks]) if sinks.of() == crate::Type::F32 && sinks.len() == op.heads => Ok(Some(sinks)),
        _ => {
            let wanted = if op.sinks { format!("one: {} f32 sinks", op.heads) } else { "none".to_owned() };
            let got: Vec<_> = weights.iter().map(|w| format!("{} {:?}", w.len(), w.of())).collect();
            let got = if got.is_empty() { "none".to_owned() } else { got.join(", ") };
            Err(Fault::Device(format!("attention: it takes as weights {wanted}; given: {got}")))
        }
    }
}
