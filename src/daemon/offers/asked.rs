//! What was asked for by name. Until it is done it goes past `max_delete`, which is for files with a mistake in them.
//!
//! It stands here before anything is taken away, so that nobody who reads the folder meanwhile takes that for a mistake; and in a file
//! of its own, so that neither does the process that comes after a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::model::ServiceKey;
use crate::reconcile::{PassError, Report};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Asked {
    services: BTreeMap<ServiceKey, Mark>,
    /// What stands in the file.
    kept: BTreeSet<ServiceKey>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    /// The loop knows of it: else no pass can have done it.
    heard: bool,
    /// Something goes.
    goes: bool,
}

/// The file of a state directory: a service on each line.
pub(super) fn file(state_dir: &Path) -> PathBuf {
    state_dir.join("api.asked")
}

impl Asked {
    /// What a process that has ended left. What cannot be understood is left out: then `max_delete` has its say.
    pub(super) fn of(text: &str) -> Self {
        let kept: BTreeSet<ServiceKey> = text.lines().filter_map(|line| line.parse().ok()).collect();
        Self { services: kept.iter().map(|service| (*service, Mark { heard: true, goes: true })).collect(), kept }
    }

    pub(super) fn all(&self) -> BTreeSet<ServiceKey> {
        self.services.keys().copied().collect()
    }

    pub(super) fn mark(&mut self, services: &BTreeSet<ServiceKey>, goes: bool) {
        for service in services {
            let mark = self.services.entry(*service).or_default();
            *mark = Mark { heard: false, goes: mark.goes || goes };
        }
    }

    /// The loop has it.
    pub(super) fn heard(&mut self, services: &BTreeSet<ServiceKey>) {
        for service in services {
            if let Some(mark) = self.services.get_mut(service) {
                mark.heard = true;
            }
        }
    }

    /// A pass has ended: what it did is over.
    pub(super) fn passed(&mut self, covers: &dyn Fn(&ServiceKey) -> bool, result: &Result<Report, PassError>) {
        let Some(report) = result.as_ref().ok().filter(|report| report.refused.is_none()) else { return };
        if self.services.is_empty() {
            return;
        }
        let unfinished = report.unfinished();
        self.services.retain(|service, mark| !mark.heard || !covers(service) || unfinished.contains(service));
    }

    /// What the file has to say, if it says something else; nothing: there is to be none.
    pub(super) fn text(&mut self) -> Option<Option<String>> {
        let go: BTreeSet<ServiceKey> =
            self.services.iter().filter(|(_, mark)| mark.goes).map(|(service, _)| *service).collect();
        if go == self.kept {
            return None;
        }
        let text = go.iter().map(|service| format!("{service}\n")).collect::<String>();
        self.kept = go;
        Some(Some(text).filter(|text| !text.is_empty()))
    }

    /// The file could not be written.
    pub(super) fn not_kept(&mut self) {
        self.kept.clear();
    }

    /// Whether the file says more than it has to.
    pub(super) fn is_stale(&self) -> bool {
        !self.kept.iter().all(|service| self.services.contains_key(service))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::Error;

    #[test]
    fn it_is_over_when_a_pass_that_could_know_of_it_has_done_it() {
        let web: ServiceKey = "tcp://192.0.2.1:80".parse().unwrap();
        let done: Result<Report, PassError> = Ok(super::super::tests::report());
        let mut asked = Asked::default();
        asked.mark(&[web].into(), false);
        assert_eq!(asked.text(), None, "nothing goes");
        asked.mark(&[web].into(), true);
        assert_eq!(asked.text(), Some(Some("tcp://192.0.2.1:80\n".to_owned())));
        asked.passed(&|_| true, &done);
        assert_eq!(asked.all(), [web].into(), "it was asked for while that pass was made");
        asked.heard(&[web].into());
        asked.passed(&|_| false, &done);
        asked.passed(&|_| true, &Err(PassError::Observe(Error::NotPermitted)));
        assert_eq!((asked.all(), asked.text()), ([web].into(), None));
        asked.passed(&|_| true, &done);
        assert!(asked.all().is_empty() && asked.is_stale());
        assert_eq!((asked.text(), asked.is_stale()), (Some(None), false));
        let again = Asked::of("tcp://192.0.2.1:80\noops\n");
        assert_eq!(again.all(), [web].into());
    }
}
