//! What happened, in lines. Pure.

use serde_json::Value;

use crate::cli::picture::health::clean;
use crate::daemon::control::Happened;
use crate::model::{DestinationKey, ServiceKey};

/// Something that happened, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Happening {
    /// Seconds since 1970.
    pub(super) at: u64,
    /// Nothing if it is about all of it, or about the host.
    pub(super) service: Option<ServiceKey>,
    /// Nothing if it is about the service.
    pub(super) destination: Option<DestinationKey>,
    pub(super) text: String,
    pub(super) bad: bool,
}

impl Happening {
    /// Whether somebody who looks at a service, or at one of its destinations, wants to know.
    pub(super) fn concerns(&self, service: &ServiceKey, destination: Option<&DestinationKey>) -> bool {
        self.service == Some(*service)
            && (destination.is_none() || self.destination.is_none() || self.destination.as_ref() == destination)
    }
}

/// The newest first. A pass is a line for each thing that it did.
pub(super) fn happenings(told: &[Happened]) -> Vec<Happening> {
    told.iter().rev().flat_map(|Happened { id: _, event, data }| of_event(event, data)).collect()
}

fn of_event(event: &str, data: &Value) -> Vec<Happening> {
    let at = data["time"].as_u64().unwrap_or(0);
    let word = |key: &str| data[key].as_str().unwrap_or_default();
    let number = |key: &str| data[key].as_u64().unwrap_or(0);
    if event == "pass" {
        return of_pass(at, data);
    }
    let share = || format!("{} of {} up", number("up"), number("of"));
    let (text, bad) = match event {
        "destination_up" => (format!("{} is up", word("destination")), false),
        "destination_down" => (format!("{} is down: {}", word("destination"), word("reason")), true),
        "service_failed" => (format!("failed: {}", share()), true),
        "service_restored" => (format!("restored: {}", share()), false),
        "panic_begun" => {
            let text = format!("{} of {} went down at once: the checker is suspected", number("down"), number("of"));
            (text, true)
        }
        "panic_ended" => ("the checker is believed again".to_owned(), false),
        "drain_done" => match number("connections") {
            0 => (format!("{} is drained", word("destination")), false),
            left => (format!("{} is deleted, with {left} connections left", word("destination")), true),
        },
        "configuration_refused" => ("the configuration is refused; see `ipvsd check`".to_owned(), true),
        "host_drift_repaired" => (format!("drift repaired: {}: {}", word("object"), word("repair")), true),
        "drift_repaired" => (format!("drift repaired: {}", word("repair")), true),
        other => (other.replace('_', " "), false),
    };
    let service = word("service").parse().ok();
    vec![Happening { at, service, destination: word("destination").parse().ok(), text: clean(&text), bad }]
}

fn of_pass(at: u64, data: &Value) -> Vec<Happening> {
    let mut all = Vec::new();
    if let Some(problem) = data["problem"].as_str() {
        all.push(Happening { at, service: None, destination: None, text: clean(problem), bad: true });
    }
    for operation in data["operations"].as_array().into_iter().flatten() {
        let word = |key: &str| operation[key].as_str().unwrap_or_default();
        // Drift has an event of its own.
        if operation["drift"] == true && word("result") == "done" {
            continue;
        }
        let (text, reason) = (word("text"), word("reason"));
        let service = word("service").parse().ok();
        let mut words = text.split(' ').skip(1);
        let destination = (words.next() == Some("destination")).then(|| words.next()?.parse().ok()).flatten();
        // The service stands on the page already.
        let text = match &service {
            Some(service) => text.replacen(&format!(" of {service}"), "", 1),
            None => text.to_owned(),
        };
        let bad = matches!(word("result"), "failed" | "skipped");
        let text = if reason.is_empty() { text } else { format!("{text}: {reason}") };
        let text = if bad { format!("failed: {text}") } else { text };
        all.push(Happening { at, service, destination, text: clean(&text), bad });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(event: &str, data: Value) -> Happened {
        Happened { id: 1, event: event.to_owned(), data }
    }

    #[test]
    fn each_kind_of_event_has_its_line() {
        let of = |event: &str, mut data: Value| {
            data["time"] = json!(7);
            data["service"] = json!("tcp://192.0.2.10:80");
            happenings(&[told(event, data)]).remove(0)
        };
        for (event, data, want, bad) in [
            ("destination_up", json!({ "destination": "10.0.0.1:80" }), "10.0.0.1:80 is up", false),
            (
                "destination_down",
                json!({ "destination": "10.0.0.1:80", "reason": "http: \u{1b}[31m" }),
                "10.0.0.1:80 is down: http: \\u{1b}[31m",
                true,
            ),
            ("service_failed", json!({ "up": 1, "of": 4 }), "failed: 1 of 4 up", true),
            ("service_restored", json!({ "up": 4, "of": 4 }), "restored: 4 of 4 up", false),
            ("panic_begun", json!({ "down": 3, "of": 4 }), "3 of 4 went down at once: the checker is suspected", true),
            ("drain_done", json!({ "destination": "10.0.0.1:80", "connections": 0 }), "10.0.0.1:80 is drained", false),
            (
                "drain_done",
                json!({ "destination": "10.0.0.1:80", "connections": 2 }),
                "10.0.0.1:80 is deleted, with 2 connections left",
                true,
            ),
            ("drift_repaired", json!({ "repair": "weight 3 → 1" }), "drift repaired: weight 3 → 1", true),
            ("something_new", json!({}), "something new", false),
        ] {
            let found = of(event, data);
            assert_eq!((found.text.as_str(), found.bad, found.at), (want, bad, 7), "{event}");
        }
    }

    #[test]
    fn a_pass_is_a_line_for_each_thing_that_it_did() {
        let operation = |text: &str, result: &str, reason: &str, drift: bool| json!({ "text": text, "result": result, "reason": reason, "drift": drift, "service": "fwmark:7" });
        let pass = json!({ "time": 9, "problem": null, "operations": [
            operation("edit destination 10.0.0.1:80 of fwmark:7: weight 1 → 2", "done", "", false),
            operation("add service fwmark:7: scheduler rr", "failed", "no scheduler rr", false),
            operation("edit service fwmark:7: scheduler rr → wrr", "done", "", true),
        ] });
        let all = happenings(&[told("destination_up", json!({ "time": 8 })), told("pass", pass)]);
        let lines: Vec<&str> = all.iter().map(|of| of.text.as_str()).collect();
        assert_eq!(
            lines,
            [
                "edit destination 10.0.0.1:80: weight 1 → 2",
                "failed: add service fwmark:7: scheduler rr: no scheduler rr",
                " is up"
            ]
        );
        let (mark, other) = ("fwmark:7".parse().unwrap(), "fwmark:8".parse().unwrap());
        let (one, two) = ("10.0.0.1:80".parse().unwrap(), "10.0.0.2:80".parse().unwrap());
        let concerns = |number: usize, service, destination| all[number].concerns(service, destination);
        assert!(concerns(0, &mark, None) && concerns(0, &mark, Some(&one)));
        assert!(!concerns(0, &mark, Some(&two)) && !concerns(0, &other, None));
        assert!(concerns(1, &mark, Some(&two)), "what is about the service is about all of it");
    }

    #[test]
    fn nonsense_makes_no_trouble() {
        for data in [json!(null), json!([]), json!({ "operations": 3 }), json!({ "operations": [null, 7] })] {
            for event in ["pass", "destination_down", ""] {
                happenings(&[told(event, data.clone())]);
            }
        }
    }
}
