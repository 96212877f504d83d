//! A status as of the last pass, with health as of now.

use std::time::Instant;

use crate::model::{Health, ServiceKey};
use crate::reconcile::{DestinationStatus, ServiceStatus, Status, Verdicts};

/// Puts what the checkers say now over what they said at the last pass: a reason can change, and a destination can go
/// down, without a pass. How many are up is counted again, so that no answer contradicts itself; weights, and whether the
/// service has failed, stay those of the pass. `unix` is `now` in seconds since 1970.
pub fn overlay_verdicts(status: &mut Status, verdicts: &Verdicts, now: Instant, unix: u64) {
    status.suspicions.clone_from(&verdicts.trouble);
    for ((service, destination), verdict) in &verdicts.destinations {
        let shown = status.services.get_mut(service).and_then(|of| of.destinations.get_mut(destination));
        if let Some(shown) = shown {
            let since = unix.saturating_sub(now.saturating_duration_since(verdict.since).as_secs());
            // What is leaving is not what an override is about.
            let forced = status.overrides.get(service, destination, unix).health.filter(|_| shown.drain.is_none());
            shown.judge(Some((verdict, since)), forced);
        }
    }
    for service in status.services.values_mut() {
        let is_up = |shown: &&DestinationStatus| {
            shown.configured.is_some() && shown.health != Some(Health::Down) && shown.quiesced.is_none()
        };
        service.up = service.destinations.values().filter(is_up).count();
    }
}

/// The same of one service, at the price of one.
pub fn service_status(
    status: &Status,
    verdicts: &Verdicts,
    service: &ServiceKey,
    now: Instant,
    unix: u64,
) -> Option<ServiceStatus> {
    let shown = status.services.get(service)?.clone();
    let of_service = shown.destinations.keys().filter_map(|destination| {
        let of = (*service, *destination);
        Some((of, verdicts.destinations.get(&of)?.clone()))
    });
    let verdicts = Verdicts { destinations: of_service.collect(), ..Verdicts::default() };
    let overrides = status.overrides.part(&[*service].into());
    let mut part = Status { overrides, services: [(*service, shown)].into(), ..Status::default() };
    overlay_verdicts(&mut part, &verdicts, now, unix);
    part.services.remove(service)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Forced, HealthOverride, Override};
    use crate::reconcile::{CheckVerdict, DrainStatus, Verdict};
    use std::time::Duration;

    #[test]
    fn health_is_of_now_and_the_rest_of_the_last_pass() {
        let web = "tcp://192.0.2.10:80".parse().unwrap();
        let [first, second, gone] = [11, 12, 13].map(|last| format!("10.0.0.{last}:80").parse().unwrap());
        let before = DestinationStatus {
            health: Some(Health::Up),
            since: Some(7),
            configured: Some(100),
            effective: 40,
            why: "slow start".into(),
            ..DestinationStatus::default()
        };
        let unchecked = DestinationStatus { configured: Some(5), effective: 5, ..DestinationStatus::default() };
        let mut service = ServiceStatus { up: 2, of: 2, ..ServiceStatus::default() };
        service.destinations.insert(first, before.clone());
        service.destinations.insert(second, unchecked.clone());
        let mut status = Status { suspicions: vec!["old".into()], ..Status::default() };
        status.services.insert(web, service);

        let now = Instant::now() + Duration::from_secs(1000);
        let check = CheckVerdict {
            name: "web".into(),
            kind: "http",
            health: Health::Down,
            reason: "status 500".into(),
            flapping: true,
            took: None,
        };
        let verdict = Verdict {
            health: Health::Down,
            reason: "http: status 500".into(),
            since: now - Duration::from_millis(120_900),
            checks: vec![check],
        };
        let mut verdicts = Verdicts { trouble: vec!["new".into()], ..Verdicts::default() };
        verdicts.destinations.insert((web, first), verdict.clone());
        verdicts.destinations.insert((web, gone), verdict);
        overlay_verdicts(&mut status, &verdicts, now, 5_000);

        let want = DestinationStatus {
            health: Some(Health::Down),
            checks: Some(Health::Down),
            reason: "http: status 500".into(),
            since: Some(4_880),
            flapping: true,
            ..before
        };
        let service = &status.services[&web];
        assert_eq!(service.destinations[&first], want);
        assert_eq!(service.destinations[&second], unchecked, "it has no checks");
        assert_eq!(
            (service.destinations.len(), service.up),
            (2, 1),
            "what is gone stays gone, and what went down is not counted"
        );
        assert_eq!(status.suspicions, ["new"]);

        let health = HealthOverride { health: Forced::Up, since: 4_000, until: None };
        status.overrides.set(web, first, Override { health: Some(health), ..Override::default() });
        let alone = service_status(&status, &verdicts, &web, now, 5_000).unwrap();
        overlay_verdicts(&mut status, &verdicts, now, 5_000);
        assert_eq!(alone, status.services[&web], "one alone is as among all");
        let up = DestinationStatus { health: Some(Health::Up), since: Some(4_000), ..want };
        assert_eq!(status.services[&web].destinations[&first], up, "an operator goes over the checks");
        assert_eq!(status.services[&web].up, 2);

        let drain = Some(DrainStatus { connections: 3, until: 6_000 });
        let leaving = DestinationStatus { drain, health: Some(Health::Up), ..DestinationStatus::default() };
        let destinations = &mut status.services.get_mut(&web).expect("it was inserted above").destinations;
        destinations.insert(gone, leaving);
        overlay_verdicts(&mut status, &Verdicts::default(), now, 5_000);
        assert_eq!(status.services[&web].up, 2, "what drains is not the configuration's any more");
    }
}
