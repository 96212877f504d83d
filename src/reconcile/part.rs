//! A pass over some services: the same pass, in a world that holds nothing else.
//!
//! Each step of a pass looks at one service at a time. So what is true of the whole is true of a part, once the kernel, the
//! checker and the store show that part only; and its cost follows what is concerned, not the table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::atomic::StoreError;
use super::checker::{Assignments, Checker, Verdicts};
use super::store::{Found, RecordStore};
use crate::ipvs::{Error, Info, Ipvs, KernelSettings, Refusal, Setting};
use crate::model::{Live, LiveService, Record, ServiceKey};
use crate::plan::Operation;

/// A table of these services.
pub(super) struct PartIpvs<'a> {
    pub(super) ipvs: &'a mut dyn Ipvs,
    pub(super) services: &'a BTreeSet<ServiceKey>,
}

impl Ipvs for PartIpvs<'_> {
    fn info(&mut self) -> Result<Info, Error> {
        self.ipvs.info()
    }

    /// Not from dumps of everything: what an exact read cannot find is not there.
    fn read(&mut self) -> Result<Live, Error> {
        let keys: Vec<ServiceKey> = self.services.iter().copied().collect();
        Ok(Live { services: self.ipvs.read_services(&keys)?, unknown: Vec::new() })
    }

    fn read_services(&mut self, keys: &[ServiceKey]) -> Result<BTreeMap<ServiceKey, LiveService>, Error> {
        self.ipvs.read_services(keys)
    }

    fn execute(&mut self, operations: &[&Operation]) -> Result<Vec<Result<(), Refusal>>, Error> {
        self.ipvs.execute(operations)
    }

    fn settings(&mut self) -> Result<KernelSettings, Error> {
        self.ipvs.settings()
    }

    fn set(&mut self, setting: Setting<'_>) -> Result<Result<(), Refusal>, Error> {
        self.ipvs.set(setting)
    }
}

/// The checks of these services.
pub(super) struct PartChecker<'a> {
    pub(super) checker: &'a mut dyn Checker,
    pub(super) services: &'a BTreeSet<ServiceKey>,
}

impl Checker for PartChecker<'_> {
    fn assign(&mut self, assignments: &Assignments) {
        self.checker.assign_part(self.services, assignments);
    }

    fn assign_part(&mut self, services: &BTreeSet<ServiceKey>, assignments: &Assignments) {
        self.checker.assign_part(services, assignments);
    }

    fn set_at_once(&mut self, at_once: usize) {
        self.checker.set_at_once(at_once);
    }

    fn verdicts(&self) -> Arc<Verdicts> {
        self.checker.verdicts_of(self.services)
    }

    fn verdicts_of(&self, services: &BTreeSet<ServiceKey>) -> Arc<Verdicts> {
        self.checker.verdicts_of(services)
    }

    fn take_changed(&mut self) -> BTreeSet<ServiceKey> {
        self.checker.take_changed()
    }
}

/// What is owned of these services.
pub(super) struct PartStore<'a> {
    pub(super) store: &'a mut dyn RecordStore,
    pub(super) services: &'a BTreeSet<ServiceKey>,
    /// All that is owned.
    pub(super) whole: &'a mut Record,
}

impl RecordStore for PartStore<'_> {
    fn load(&mut self) -> Result<(Record, Found), StoreError> {
        self.store.load()
    }

    fn save(&mut self, part: &Record) -> Result<(), StoreError> {
        self.whole.put_part(self.services, part.clone());
        self.store.save_part(self.whole, self.services)
    }

    fn save_part(&mut self, part: &Record, _: &BTreeSet<ServiceKey>) -> Result<(), StoreError> {
        self.save(part)
    }

    fn is_behind(&self) -> bool {
        self.store.is_behind()
    }
}
