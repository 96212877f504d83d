//! What the tests of this room have in common: checks and assignments, short to write.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    Check, Checks, DestinationKey, Health, Http, NamedCheck, Pass, Probe, ServiceKey, StatusSet, Timing, Via,
};
use crate::reconcile::Assignment;

/// A check of a kind (`tcp`, `http` or `exec`) every second, rise 2, fall 3.
pub(super) fn check(kind: &str) -> Check {
    let probe = match kind {
        "tcp" => Probe::Tcp { send: None, expect: None },
        "http" => Probe::Http(Http {
            tls: None,
            method: "GET".to_owned(),
            path: "/".to_owned(),
            host: None,
            headers: Vec::new(),
            status: StatusSet(vec![(200, 299)]),
            body: None,
            location: None,
        }),
        "exec" => Probe::Exec { argv: vec!["/bin/true".to_owned()] },
        other => panic!("no check for {other}"),
    };
    Check {
        probe,
        timing: Timing {
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            rise: 2,
            fall: 3,
            jitter: 0,
            fast_interval: None,
            down_interval: None,
            down_after: Duration::from_secs(60),
        },
        address: None,
        port: None,
        via: Via::Destination,
        flap: None,
    }
}

/// An assignment of these checks, in order.
pub(super) fn assignment(seed: Health, pass: Pass, list: &[(&str, Check)]) -> Assignment {
    let list = list.iter().map(|(name, check)| NamedCheck { name: (*name).to_owned(), check: check.clone() }).collect();
    Assignment { name: "web".to_owned(), checks: Arc::new(Checks { pass, list }), seed, mark: None }
}

/// A service and a destination, of their texts.
pub(super) fn key(service: &str, destination: &str) -> (ServiceKey, DestinationKey) {
    (service.parse().unwrap(), destination.parse().unwrap())
}
