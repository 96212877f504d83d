//! How an engine is, for those who show it.

use std::sync::{Mutex, PoisonError};

use crate::reconcile::{DockerFinding, DockerStatus, Now, unix_of};
use crate::source::docker::{Finding, View, Window};

/// What is wrong, and which engine it is.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub engine: Option<String>,
    pub findings: Vec<Finding>,
    pub destinations: usize,
}

pub(super) fn status(window: &Window, told: &Mutex<Told>) -> Option<DockerStatus> {
    let (engine, findings, destinations) = {
        let told = told.lock().unwrap_or_else(PoisonError::into_inner);
        (told.engine.clone()?, told.findings.clone(), told.destinations)
    };
    let View { version, trouble, listed_at, containers } = window.view();
    let now = Now::read();
    let finding = |Finding { container, message }| DockerFinding { container, message };
    Some(DockerStatus {
        engine,
        version,
        listed_at: listed_at.map(|at| unix_of(at, now)),
        away_since: trouble.as_ref().map(|(_, at)| unix_of(*at, now)),
        trouble: trouble.map(|(why, _)| why),
        containers,
        destinations,
        findings: findings.into_iter().map(finding).collect(),
    })
}
