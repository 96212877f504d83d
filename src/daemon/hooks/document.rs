//! What a hook is told of one event.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::model::{DestinationKey, ServiceKey};
use crate::plan::render::words;
use crate::reconcile::Notice;

/// The version of the format.
const VERSION: u32 = 1;

/// The longest text that somebody else has written: the report on a configuration may be of any length. In bytes.
const LONGEST: usize = 64 * 1024;

/// An event, ready to be handed over.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) event: &'static str,
    /// The service that it is about, if it is about one.
    pub(super) service: Option<ServiceKey>,
    /// For the environment.
    pub(super) about: Vec<(&'static str, String)>,
    /// The JSON, and a line feed.
    pub(super) text: Vec<u8>,
}

#[derive(Serialize)]
struct Json<'a> {
    version: u32,
    time: u64,
    timestamp: String,
    host: &'a str,
    #[serde(flatten)]
    notice: &'a Notice,
}

impl Document {
    pub(super) fn new(notice: &Notice, host: &str, time: SystemTime) -> Self {
        // A clock before 1970 is a broken one.
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let timestamp = humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string();
        let notice = &shortened(notice);
        let json = Json { version: VERSION, time: since.as_secs(), timestamp, host, notice };
        // Keys are text and no value can fail; if one did, the event's name is still in the environment.
        let mut text = serde_json::to_vec(&json).unwrap_or_default();
        text.push(b'\n');
        let Subject { event, service, name, destination } = Subject::of(notice);
        let about = [
            ("IPVSD_SERVICE", service.map(ToString::to_string)),
            ("IPVSD_NAME", name.map(str::to_owned)),
            ("IPVSD_DESTINATION", destination.map(ToString::to_string)),
        ];
        let about = about.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        Self { event, service: service.cloned(), about, text }
    }

    /// How much memory it takes, about, in bytes.
    pub(super) fn size(&self) -> usize {
        self.text.len() + self.about.iter().map(|(_, value)| value.len()).sum::<usize>()
    }
}

/// The notice, with what may be of any length cut.
fn shortened(notice: &Notice) -> Notice {
    let mut notice = notice.clone();
    let text = match &mut notice {
        Notice::DestinationDown { reason: text, .. }
        | Notice::ConfigurationRefused { problems: text }
        | Notice::DriftRepaired { repair: text, .. }
        | Notice::HostDriftRepaired { repair: text, .. } => text,
        Notice::DestinationUp { .. }
        | Notice::ServiceFailed { .. }
        | Notice::ServiceRestored { .. }
        | Notice::PanicBegun { .. }
        | Notice::PanicEnded { .. }
        | Notice::DrainDone { .. } => return notice,
    };
    words::shorten(text, LONGEST);
    notice
}

/// What an event is about.
struct Subject<'a> {
    event: &'static str,
    service: Option<&'a ServiceKey>,
    name: Option<&'a str>,
    destination: Option<&'a DestinationKey>,
}

impl<'a> Subject<'a> {
    fn of(notice: &'a Notice) -> Self {
        let (event, service, name, destination) = match notice {
            Notice::DestinationUp { service, name, destination } => {
                ("destination_up", Some(service), Some(name), Some(destination))
            }
            Notice::DestinationDown { service, name, destination, reason: _ } => {
                ("destination_down", Some(service), Some(name), Some(destination))
            }
            Notice::ServiceFailed { service, name, up: _, of: _ } => {
                ("service_failed", Some(service), Some(name), None)
            }
            Notice::ServiceRestored { service, name, up: _, of: _ } => {
                ("service_restored", Some(service), Some(name), None)
            }
            Notice::PanicBegun { service, name, down: _, of: _ } => ("panic_begun", Some(service), Some(name), None),
            Notice::PanicEnded { service, name } => ("panic_ended", Some(service), Some(name), None),
            Notice::DrainDone { service, name, destination, connections: _, why: _ } => {
                ("drain_done", Some(service), name.as_ref(), Some(destination))
            }
            Notice::ConfigurationRefused { problems: _ } => ("configuration_refused", None, None, None),
            Notice::DriftRepaired { service, name, repair: _ } => {
                ("drift_repaired", Some(service), name.as_ref(), None)
            }
            Notice::HostDriftRepaired { object: _, repair: _ } => ("host_drift_repaired", None, None, None),
        };
        Self { event, service, name: name.map(String::as_str), destination }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::reconcile::DrainEnd;

    fn text(notice: &Notice) -> String {
        let time = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let document = Document::new(notice, "lb1", time);
        let text = String::from_utf8(document.text).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        // The environment says the same as the JSON, and as much.
        assert_eq!(json["event"], document.event);
        for (member, key) in
            [("service", "IPVSD_SERVICE"), ("name", "IPVSD_NAME"), ("destination", "IPVSD_DESTINATION")]
        {
            let value = document.about.iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_str());
            assert_eq!(json.get(member).and_then(|value| value.as_str()), value, "{key}");
        }
        assert_eq!(document.service.map(|service| service.to_string()).as_deref(), json["service"].as_str());
        let rest = r#"{"version":1,"time":1700000000,"timestamp":"2023-11-14T22:13:20.123Z","host":"lb1","event":"#;
        text.strip_prefix(rest).unwrap_or_else(|| panic!("{text}")).strip_suffix("}\n").unwrap().to_owned()
    }

    /// Programs of other people read this: a change here is a new version.
    #[test]
    fn is_a_stable_format() {
        let service: ServiceKey = "tcp://192.0.2.1:80".parse().unwrap();
        let mark: ServiceKey = "fwmark6:7".parse().unwrap();
        let destination: DestinationKey = "[2001:db8::1]:8080".parse().unwrap();
        let name = String::from("web");
        let golden = [
            (
                Notice::DestinationUp { service, name: name.clone(), destination },
                r#""destination_up","service":"tcp://192.0.2.1:80","name":"web","destination":"[2001:db8::1]:8080""#,
            ),
            (
                Notice::DestinationDown { service, name: name.clone(), destination, reason: "tcp: \"no\"\n".into() },
                r#""destination_down","service":"tcp://192.0.2.1:80","name":"web","destination":"[2001:db8::1]:8080","reason":"tcp: \"no\"\n""#,
            ),
            (
                Notice::ServiceFailed { service, name: name.clone(), up: 1, of: 3 },
                r#""service_failed","service":"tcp://192.0.2.1:80","name":"web","up":1,"of":3"#,
            ),
            (
                Notice::ServiceRestored { service: mark, name: name.clone(), up: 2, of: 3 },
                r#""service_restored","service":"fwmark6:7","name":"web","up":2,"of":3"#,
            ),
            (
                Notice::PanicBegun { service, name: name.clone(), down: 3, of: 3 },
                r#""panic_begun","service":"tcp://192.0.2.1:80","name":"web","down":3,"of":3"#,
            ),
            (
                Notice::PanicEnded { service, name: name.clone() },
                r#""panic_ended","service":"tcp://192.0.2.1:80","name":"web""#,
            ),
            (
                Notice::DrainDone { service, name: None, destination, connections: 0, why: DrainEnd::Idle },
                r#""drain_done","service":"tcp://192.0.2.1:80","name":null,"destination":"[2001:db8::1]:8080","connections":0,"why":"idle""#,
            ),
            (
                Notice::DrainDone {
                    service,
                    name: Some(name.clone()),
                    destination,
                    connections: 12,
                    why: DrainEnd::Deadline,
                },
                r#""drain_done","service":"tcp://192.0.2.1:80","name":"web","destination":"[2001:db8::1]:8080","connections":12,"why":"deadline""#,
            ),
            (
                Notice::DrainDone { service, name: None, destination, connections: 1, why: DrainEnd::Down },
                r#""drain_done","service":"tcp://192.0.2.1:80","name":null,"destination":"[2001:db8::1]:8080","connections":1,"why":"down""#,
            ),
            (
                Notice::ConfigurationRefused { problems: "error: no\n".into() },
                r#""configuration_refused","problems":"error: no\n""#,
            ),
            (
                Notice::DriftRepaired { service, name: Some(name), repair: "weight 1 → 2".into() },
                r#""drift_repaired","service":"tcp://192.0.2.1:80","name":"web","repair":"weight 1 → 2""#,
            ),
            (
                Notice::HostDriftRepaired {
                    object: "sysctl net.ipv4.ip_forward".into(),
                    repair: "edit sysctl net.ipv4.ip_forward: 0 → 1".into(),
                },
                r#""host_drift_repaired","object":"sysctl net.ipv4.ip_forward","repair":"edit sysctl net.ipv4.ip_forward: 0 → 1""#,
            ),
        ];
        for (notice, expected) in golden {
            assert_eq!(text(&notice), expected);
        }
    }

    #[test]
    fn is_of_bounded_length() {
        let problems = "é".repeat(1_000_000);
        let document = Document::new(&Notice::ConfigurationRefused { problems }, "lb1", UNIX_EPOCH);
        assert!(document.size() < LONGEST + 1000, "{}", document.size());
        assert!(document.text.ends_with("é…\"}\n".as_bytes()));
    }

    #[test]
    fn a_broken_clock_is_no_trouble() {
        let refused = Notice::ConfigurationRefused { problems: String::new() };
        let document = Document::new(&refused, "", UNIX_EPOCH - Duration::from_secs(1));
        let text = String::from_utf8(document.text).unwrap();
        assert!(text.contains(r#""time":0,"timestamp":"1970-01-01T00:00:00.000Z""#), "{text}");
    }
}
