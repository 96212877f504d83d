//! One fake for several threads, as the kernel is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Fake;
use crate::ipvs::{Error, Info, Ipvs, KernelSettings, Refusal, Setting};
use crate::model::{Live, LiveService, ServiceKey};
use crate::plan::Operation;

/// A [`Fake`] that others have as well. A clone is the same one.
#[derive(Debug, Clone, Default)]
pub struct SharedFake(Arc<Mutex<Fake>>);

impl SharedFake {
    /// The fake, for as long as nobody else needs it.
    pub fn lock(&self) -> MutexGuard<'_, Fake> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ipvs for SharedFake {
    fn info(&mut self) -> Result<Info, Error> {
        self.lock().info()
    }

    fn read(&mut self) -> Result<Live, Error> {
        self.lock().read()
    }

    fn read_services(&mut self, keys: &[ServiceKey]) -> Result<BTreeMap<ServiceKey, LiveService>, Error> {
        self.lock().read_services(keys)
    }

    fn execute(&mut self, operations: &[&Operation]) -> Result<Vec<Result<(), Refusal>>, Error> {
        self.lock().execute(operations)
    }

    fn settings(&mut self) -> Result<KernelSettings, Error> {
        self.lock().settings()
    }

    fn set(&mut self, setting: Setting<'_>) -> Result<Result<(), Refusal>, Error> {
        self.lock().set(setting)
    }
}
