//! How things are, in one line for `systemctl status`. Pure.

use crate::model::Health;
use crate::plan::render::words::{count, shorten};
use crate::reconcile::{Agreement, Status};

/// The longest part of the line, in bytes.
const PART: usize = 200;

/// `2 services, 5 destinations; 1 down (web 10.0.0.12:8080: connection refused), 1 draining`: what is worst comes first.
/// `services` and `destinations` are those of the configuration.
pub(super) fn sentence(status: &Status, (services, destinations): (usize, usize)) -> String {
    let mut parts = Vec::new();
    match status.agreement() {
        Agreement::Unknown => parts.push(match &status.trouble {
            Some(trouble) => format!("the kernel cannot be looked at: {trouble}"),
            None => "the kernel has not been looked at yet".to_owned(),
        }),
        Agreement::Outdated => parts.push(match &status.trouble {
            Some(trouble) => format!("an older configuration is in force: {trouble}"),
            None => "an older configuration is in force: the files are wrong, see `ipvsd check`".to_owned(),
        }),
        Agreement::Differs => parts.extend(status.trouble.clone()),
        Agreement::AsConfigured => {}
    }
    let failing = status.failing.len() + status.failing_more;
    if let Some(first) = status.failing.first() {
        parts.push(format!("{} ({}: {})", number(failing, "not done"), first.object(), first.reason));
    }
    if let Some(first) = status.host.first() {
        let host = number(status.host.len(), "not done on the host");
        parts.push(format!("{host} ({}: {})", first.object, first.reason));
    }
    let failed: Vec<String> = status
        .services
        .iter()
        .filter(|(_, service)| service.failed)
        .map(|(key, service)| service.name.clone().unwrap_or_else(|| key.to_string()))
        .collect();
    if let Some(first) = failed.first() {
        parts.push(format!("{} ({first}{})", count(failed.len(), "failed service"), and_more(failed.len())));
    }
    let (mut down, mut draining, mut first_down) = (0, 0, None);
    for (key, service) in &status.services {
        for (destination, state) in &service.destinations {
            if state.drain.is_some() {
                draining += 1;
            } else if state.health == Some(Health::Down) {
                down += 1;
                first_down.get_or_insert((key, service, destination, &state.reason));
            }
        }
    }
    if let Some((key, service, destination, reason)) = first_down {
        let name = service.name.clone().unwrap_or_else(|| key.to_string());
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        parts.push(format!("{} ({name} {destination}{}{reason})", number(down, "down"), and_more(down)));
    }
    if draining > 0 {
        parts.push(number(draining, "draining"));
    }
    let ordered: usize = status.overrides.services.values().map(|of_service| of_service.len()).sum();
    if ordered > 0 {
        parts.push(count(ordered, "override"));
    }
    if parts.is_empty() {
        parts.push("all as configured".to_owned());
    }
    for part in &mut parts {
        // A line break would be the end of the value.
        *part = part.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        shorten(part, PART);
    }
    format!("{}, {}; {}", count(services, "service"), count(destinations, "destination"), parts.join(", "))
}

fn number(number: usize, what: &str) -> String {
    format!("{number} {what}")
}

fn and_more(all: usize) -> String {
    if all > 1 { format!(" and {} more", all - 1) } else { String::new() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{DestinationKey, ServiceKey};
    use crate::reconcile::{DestinationStatus, DrainStatus, Failing, HostTrouble, ServiceStatus};

    fn service() -> ServiceKey {
        "tcp://192.0.2.10:80".parse().unwrap()
    }

    fn destination(host: u8) -> DestinationKey {
        format!("10.0.0.{host}:80").parse().unwrap()
    }

    fn well() -> Status {
        Status { pass_at: 1, ..Status::default() }
    }

    fn with(destinations: &[(u8, DestinationStatus)]) -> Status {
        let destinations = destinations.iter().map(|(host, status)| (destination(*host), status.clone())).collect();
        let service_status = ServiceStatus { name: Some("web".to_owned()), destinations, ..ServiceStatus::default() };
        Status { services: BTreeMap::from([(service(), service_status)]), ..well() }
    }

    #[test]
    fn what_is_well_is_said_in_a_word() {
        assert_eq!(sentence(&well(), (1, 2)), "1 service, 2 destinations; all as configured");
    }

    #[test]
    fn what_is_down_is_named_and_what_drains_is_counted() {
        let down = DestinationStatus {
            health: Some(Health::Down),
            reason: "connection refused".to_owned(),
            ..DestinationStatus::default()
        };
        let drain = Some(DrainStatus { connections: 3, until: 9 });
        let leaving = DestinationStatus { drain, ..down.clone() };
        let status = with(&[(1, down.clone()), (2, leaving.clone()), (3, DestinationStatus::default())]);
        assert_eq!(
            sentence(&status, (1, 2)),
            "1 service, 2 destinations; 1 down (web 10.0.0.1:80: connection refused), 1 draining"
        );
        let mut status = with(&[(1, down.clone()), (2, down), (3, leaving)]);
        status.services.get_mut(&service()).unwrap().failed = true;
        assert_eq!(
            sentence(&status, (1, 2)),
            "1 service, 2 destinations; 1 failed service (web), 2 down (web 10.0.0.1:80 and 1 more: connection refused), \
             1 draining"
        );
    }

    #[test]
    fn trouble_comes_first_and_on_one_line() {
        let failing = Failing {
            service: service(),
            destination: Some(destination(1)),
            reason: "no route\nto it".to_owned(),
            tries: 1,
            since: 1,
            retry_at: 2,
        };
        let host = HostTrouble { object: "sysctl net.a".to_owned(), reason: "not permitted".to_owned() };
        let status = Status { failing: vec![failing], failing_more: 2, host: vec![host], ..well() };
        assert_eq!(
            sentence(&status, (2, 2)),
            "2 services, 2 destinations; 3 not done (10.0.0.1:80 of tcp://192.0.2.10:80: no route to it), 1 not done on the \
             host (sysctl net.a: not permitted)"
        );
        for (status, want) in [
            (Status::default(), "not been looked at"),
            (Status { blind: true, trouble: Some("not\tpermitted".to_owned()), ..well() }, "looked at: not permitted"),
            (Status { outdated: true, ..well() }, "the files are wrong, see `ipvsd check`"),
            (Status { outdated: true, trouble: Some("too many".to_owned()), ..well() }, "in force: too many"),
        ] {
            let text = sentence(&status, (1, 1));
            assert!(text.starts_with("1 service, 1 destination; ") && text.contains(want), "{text}");
        }
        let long = Status { trouble: Some("x".repeat(5000)), blind: true, ..well() };
        assert!(sentence(&long, (1, 1)).len() < 300);
    }
}
