//! `/v1/status`: how it all is, in one look.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::aside;
use crate::api::backstage::About;
use crate::api::{Problem, Stage};
use crate::model::{DestinationKey, Health, HealthOverride, ServiceKey, WeightOverride};
use crate::reconcile::{Agreement, DockerStatus, Failing, HostTrouble, NameStatus, Status};

/// How everything is. Times are seconds since 1970.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Overview {
    #[serde(flatten)]
    about: About,
    /// The time of this answer.
    now: u64,
    /// Whether the kernel is what the configuration says.
    kernel: Agreement,
    /// The same as a sentence.
    summary: String,
    /// When the last pass ended, and why it was made; 0 before the first has.
    pass_at: u64,
    pass_why: String,
    /// The files are refused, and an older configuration is in force.
    outdated: bool,
    /// Why the last pass could not be made or was refused; null if neither.
    trouble: Option<String>,
    counts: Counts,
    /// What the kernel did not take, and is tried again; and how many more there are.
    failing: Vec<Failing>,
    failing_more: usize,
    /// What is not as it should be of the host around the table.
    host: Vec<HostTrouble>,
    /// The engine whose containers are destinations; null if none is followed.
    docker: Option<DockerStatus>,
    /// The names that destinations are looked up by.
    names: Vec<NameStatus>,
    /// What looks like the checker's own trouble.
    suspicions: Vec<String>,
    overrides: Vec<OverrideInForce>,
}

/// Of what is configured, and of what is draining.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Counts {
    services: usize,
    /// Fewer of their destinations are up than `min_healthy` asks for.
    services_failed: usize,
    destinations: usize,
    up: usize,
    down: usize,
    /// Their checks have not spoken yet.
    unknown: usize,
    /// They have no checks.
    unchecked: usize,
    draining: usize,
}

/// What an operator ordered by hand for one destination.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OverrideInForce {
    #[cfg_attr(test, schemars(with = "String"))]
    service: ServiceKey,
    name: Option<String>,
    #[cfg_attr(test, schemars(with = "String"))]
    destination: DestinationKey,
    /// Since when it is drained; null if it is not.
    drained_since: Option<u64>,
    weight: Option<WeightOverride>,
    health: Option<HealthOverride>,
}

pub(super) async fn get(State(stage): State<Stage>) -> Result<Json<Overview>, Problem> {
    aside(stage, |stage| overview(&stage.status(), stage.about(), stage.unix())).await.map(Json)
}

fn overview(status: &Status, about: &About, now: u64) -> Overview {
    let kernel = status.agreement();
    let overrides = status.overrides.services.iter().flat_map(|(service, of_service)| {
        of_service.iter().map(|(destination, given)| (*service, *destination, given.at(now)))
    });
    let overrides = overrides.filter(|(_, _, given)| !given.is_empty()).map(|(service, destination, given)| {
        let name = status.services.get(&service).and_then(|of| of.name.clone());
        let crate::model::Override { drained_since, weight, health } = given;
        OverrideInForce { service, name, destination, drained_since, weight, health }
    });
    Overview {
        about: about.clone(),
        now,
        kernel,
        summary: summary(status, kernel),
        pass_at: status.pass_at,
        pass_why: status.pass_why.clone(),
        outdated: status.outdated,
        trouble: status.trouble.clone(),
        counts: counts(status),
        failing: status.failing.clone(),
        failing_more: status.failing_more,
        host: status.host.clone(),
        docker: status.docker.clone(),
        names: status.names.clone(),
        suspicions: status.suspicions.clone(),
        overrides: overrides.collect(),
    }
}

fn counts(status: &Status) -> Counts {
    let mut counts = Counts::default();
    for service in status.services.values() {
        counts.services += usize::from(service.name.is_some());
        counts.services_failed += usize::from(service.failed);
        for destination in service.destinations.values() {
            if destination.drain.is_some() {
                counts.draining += 1;
                continue;
            }
            counts.destinations += 1;
            match destination.health {
                Some(Health::Up) => counts.up += 1,
                Some(Health::Down) => counts.down += 1,
                Some(Health::Unknown) => counts.unknown += 1,
                None => counts.unchecked += 1,
            }
        }
    }
    counts
}

/// The answer to the first question of whoever is woken at night.
fn summary(status: &Status, kernel: Agreement) -> String {
    let failing = status.failing.len() + status.failing_more;
    match kernel {
        Agreement::Unknown if status.pass_at == 0 => "The first pass has not ended yet.".to_owned(),
        Agreement::Unknown => "The kernel could not be looked at.".to_owned(),
        Agreement::Outdated if status.trouble.is_some() => {
            "The files would delete more than they may: an older configuration is in force.".to_owned()
        }
        Agreement::Outdated => "The files are refused: an older configuration is in force.".to_owned(),
        Agreement::Differs if failing > 0 => format!(
            "The kernel is not what the files say: {failing} {} could not be put right.",
            if failing == 1 { "object" } else { "objects" }
        ),
        Agreement::Differs if status.trouble.is_some() => {
            "The kernel is not what the files say: the last pass was refused.".to_owned()
        }
        Agreement::Differs => "The kernel's table is what the files say, the host around it is not.".to_owned(),
        Agreement::AsConfigured => "The kernel is what the files say.".to_owned(),
    }
}
