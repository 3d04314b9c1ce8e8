//! The devices a command may use, by id.

use spark_kernels::Device;
use std::sync::Arc;

/// The devices a command may use.
#[derive(Clone, Debug, Default)]
pub struct Devices(Vec<Arc<dyn Device>>);

impl Devices {
    /// From a list, first preferred.
    pub fn new(list: Vec<Arc<dyn Device>>) -> Self {
        Self(list)
    }
    /// The device of that id.
    pub fn get(&self, id: &str) -> Option<&Arc<dyn Device>> {
        self.0.iter().find(|d| d.id() == id)
    }
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Device>> {
        self.0.iter()
    }
}
