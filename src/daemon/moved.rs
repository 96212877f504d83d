//! The services of which containers or addresses of names came or went, until that is done: nobody's mistake in a file, so
//! `max_delete` does not count them. What is not done with the first pass is kept over a restart: else the next process would count it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::private;
use crate::model::ServiceKey;
use crate::reconcile::{PassError, Report};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Moved {
    services: BTreeSet<ServiceKey>,
    /// What stands in the file: a service on each line.
    kept: BTreeSet<ServiceKey>,
    file: Option<PathBuf>,
}

impl Moved {
    /// What a process that has ended left. What cannot be understood is left out: then `max_delete` has its say.
    pub(super) fn recall(state_dir: &Path) -> Self {
        let file = state_dir.join("moved");
        let text = fs::read_to_string(&file).unwrap_or_default();
        let kept: BTreeSet<ServiceKey> = text.lines().filter_map(|line| line.parse().ok()).collect();
        Self { services: kept.clone(), kept, file: Some(file) }
    }

    pub(super) fn services(&self) -> &BTreeSet<ServiceKey> {
        &self.services
    }

    pub(super) fn extend(&mut self, services: &BTreeSet<ServiceKey>) {
        self.services.extend(services);
    }

    /// A pass has ended: what it did of these is over. What was refused was not done, nor was what waits.
    pub(super) fn passed(&mut self, covers: &dyn Fn(&ServiceKey) -> bool, result: &Result<Report, PassError>) {
        let Some(report) = result.as_ref().ok().filter(|report| report.refused.is_none()) else { return };
        if self.services.is_empty() && self.kept.is_empty() {
            return;
        }
        let unfinished = report.unfinished();
        self.services.retain(|service| !covers(service) || unfinished.contains(service));
        self.keep();
    }

    fn keep(&mut self) {
        let Some(file) = self.file.as_ref().filter(|_| self.services != self.kept) else { return };
        match write(file, &self.services) {
            Ok(()) => self.kept.clone_from(&self.services),
            Err(error) => warn!("what containers and names have changed is not kept over a restart: {error}"),
        }
    }
}

fn write(file: &Path, services: &BTreeSet<ServiceKey>) -> io::Result<()> {
    if services.is_empty() {
        return private::remove(file);
    }
    private::put(file, services.iter().map(|service| format!("{service}\n")).collect::<String>().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MaxDelete;
    use crate::plan::{Note, SkipReason, TooManyDeletes, Verb};
    use crate::reconcile::Refused;

    fn report() -> Report {
        crate::daemon::offers::tests::report()
    }

    #[test]
    fn what_went_is_exempt_until_a_pass_has_done_it_and_over_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let key: ServiceKey = "tcp://192.0.2.1:80".parse().unwrap();
        let mut moved = Moved::recall(dir.path());
        moved.extend(&[key].into());
        // Somebody else's mistake held it up.
        let too_many = TooManyDeletes { deletes: 9, owned: 9, what: "entry", max: MaxDelete::Count(1) };
        let refused = Report { refused: Some(Refused::TooManyDeletes(too_many)), ..report() };
        moved.passed(&|_| true, &Ok(refused));
        assert_eq!(moved.services(), &[key].into());
        // What replaces it has not been checked yet.
        let mut held = report();
        let (verb, destination, reason) = (Verb::Delete, Some("10.0.0.1:80".parse().unwrap()), SkipReason::FirstCheck);
        held.plan.notes.push(Note::HeldBack { verb, service: key, destination, reason });
        moved.passed(&|_| true, &Ok(held));
        assert_eq!(moved.services(), &[key].into(), "its delete is still to come");
        assert_eq!(Moved::recall(dir.path()).services(), &[key].into(), "and it is not the next process's to count");
        moved.passed(&|_| false, &Ok(report()));
        assert_eq!(moved.services(), &[key].into(), "that pass was about others");
        moved.passed(&|_| true, &Ok(report()));
        assert!(moved.services().is_empty() && Moved::recall(dir.path()).services().is_empty());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
