//! What has to be the same on both sides of a comparison, by kind, and why a difference of that kind is no comparison.

use serde::{Serialize, Serializer};

/// What a key says of the work. In this order: the later the kind, the nearer are two sides that differ in it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Which workload.
    Workload,
    /// Which quantity, in which unit.
    Quantity,
    /// Which model.
    Model,
    /// Reading a prompt or generating.
    Phase,
    /// Dense, or with zeros that are left out.
    Sparsity,
    /// Number formats of weights, activations and caches.
    Format,
    /// What a sensor covers.
    Scope,
    /// Whether operands came from memory or from caches.
    Caches,
    /// Any other size or setting of the work.
    Shape,
    /// Sequences together.
    Batch,
    /// Tokens that stand before.
    Context,
}

impl Kind {
    /// The kind of the axis of that name. An axis that is not known here is a shape, and has to match.
    pub fn of_axis(axis: &str) -> Self {
        match axis {
            "model" => Kind::Model,
            "phase" => Kind::Phase,
            "sparsity" => Kind::Sparsity,
            "format" | "activations" | "type" | "kv" | "head" => Kind::Format,
            "batch" | "sequences" => Kind::Batch,
            "depth" | "depths" => Kind::Context,
            _ => Kind::Shape,
        }
    }

    /// Why sides that differ in this are not compared.
    pub const fn reason(self) -> &'static str {
        match self {
            Kind::Workload => "another workload",
            Kind::Quantity => "another quantity",
            Kind::Model => "another model: other weights are read and other sums are done",
            Kind::Phase => "another phase: reading a prompt and generating are bound by different roofs",
            Kind::Sparsity => "sparse against dense: half of a sparse rate is operations that are never done",
            Kind::Format => "another number format: other bytes are moved and other arithmetic is done",
            Kind::Scope => "another power scope: one covers parts of the machine that the other leaves out",
            Kind::Caches => "cold against warm: operands come from memory in one and from caches in the other",
            Kind::Shape => "another shape",
            Kind::Batch => "another batch: weights are read once for all of its sequences",
            Kind::Context => "another context: attention grows with the tokens that stand before",
        }
    }
}

/// One thing that has to be the same, such as the batch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What it says.
    pub kind: Kind,
    /// Its name: an axis, or `workload`, `quantity`, `scope`, `caches`, `sparsity`.
    pub name: String,
}

impl Key {
    /// A key of that kind.
    pub fn new(kind: Kind, name: &str) -> Self {
        Self { kind, name: name.to_owned() }
    }
    /// The key of an axis.
    pub fn axis(name: &str) -> Self {
        Self::new(Kind::of_axis(name), name)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}
