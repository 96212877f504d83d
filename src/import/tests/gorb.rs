use std::time::Duration;

use super::*;
use crate::model::{Http, Initial, OnDown, Probe};

fn run(text: &str) -> Outcome {
    import_text(Language::Gorb, text)
}

const TABLE: &str = r#"
[[services]]
name = "web"
address = "tcp://192.0.2.10:80"
scheduler = "sh"
scheduler_flags = ["sh-port", "sh-fallback"]
destinations = [
  { address = "10.0.0.1:8080", weight = 100 },
  { address = "10.0.0.2:80", weight = 7, forward = "dr" },
]
"#;

/// The same, as the store has it, as the API is told and as it answers, as stores export it, and as the fork has it.
#[test]
fn all_forms_are_read() {
    for text in [
        r#"{ "services": { "web": { "host": "192.0.2.10", "port": 80, "method": "sh", "flags": "sh-port|sh-fallback" } },
             "backends": { "r1": { "host": "10.0.0.1", "port": 8080, "vsid": "web" },
                           "r2": { "host": "10.0.0.2", "port": "80", "weight": 7, "method": "dr", "vsid": "web", "pulse": null } } }"#,
        r#"{ "/service/web": { "Host": "director", "port": 80, "protocol": "tcp", "method": "sh", "flags": "sh-port|sh-fallback", "persistent": false },
             "/service/web/r1": { "host": "10.0.0.1", "port": 8080, "weight": 0, "method": "", "pulse": null },
             "/service/web/r2": { "host": "10.0.0.2", "port": 80, "weight": 7, "method": "DR" } }"#,
        "{\n\t\"/service/web\": {\n\t\t\"options\": {\n\t\t\t\"host\": \"192.0.2.10\", \"port\": 80, \"protocol\": \"tcp\", \"method\": \"sh\",
             \"flags\": \"sh-port|sh-fallback\", \"persistent\": false }, \"health\": 1, \"backends\": [\"r1\", \"r2\"] },
           \"/service/web/r1\": { \"options\": { \"host\": \"10.0.0.1\", \"port\": 8080, \"weight\": 100, \"method\": \"nat\",
             \"pulse\": { \"type\": \"tcp\", \"interval\": \"1m\", \"args\": null } }, \"metrics\": { \"status\": 0, \"health\": 1, \"uptime\": 60 } },
           \"/service/web/r2\": { \"options\": { \"host\": \"10.0.0.2\", \"port\": 80, \"weight\": 7, \"method\": \"dr\" }, \"metrics\": {} } }",
        r#"[ { "key": "gorb/services/", "flags": 0, "value": "" },
             { "key": "gorb/services/web", "flags": 0,
               "value": "eyJob3N0IjoiMTkyLjAuMi4xMCIsInBvcnQiOjgwLCJtZXRob2QiOiJzaCIsImZsYWdzIjoic2gtcG9ydHxzaC1mYWxsYmFjayJ9" },
             { "Key": "gorb/backends/r1", "Value": "{\"host\":\"10.0.0.1\",\"port\":8080,\"vsid\":\"web\"}" },
             { "Key": "gorb/backends/r2", "Value": "{\"host\":\"10.0.0.2\",\"port\":80,\"weight\":7,\"method\":\"dr\",\"vsid\":\"web\"}" } ]"#,
    ] {
        let result = run(text);
        result.is_understood();
        result.is_table_of(TABLE);
        let policy = result.policy("tcp://192.0.2.10:80");
        assert_eq!((policy.on_down, policy.initial), (OnDown::Quiesce, Initial::Up));
        let check = &result.checks("tcp://192.0.2.10:80", "10.0.0.1:8080")[0];
        assert_eq!(check.probe, Probe::Tcp { send: None, expect: None });
        assert_eq!((check.timing.interval, check.timing.timeout), (Duration::from_secs(60), Duration::from_secs(5)));
        assert_eq!((check.timing.rise, check.timing.fall), (1, 1));
        assert!(result.text.contains("name = \"r1\""), "{}", result.text);
    }
}

#[test]
fn the_fork_has_backends_in_their_service() {
    let result = run(
        r#"{ "service_options": { "host": "192.0.2.10", "port": 80, "lb_method": "sh", "sh_flags": "sh-port|sh-fallback",
        "fwd_method": "nat", "max_weight": 100, "fallback": "fb-zero-to-one",
        "pulse": { "type": "http", "interval": "10s", "args": { "path": "/h", "expect": 204, "method": "HEAD", "port": "81", "host": "a.example" } } },
      "service_backends": { "r1": { "host": "10.0.0.1", "port": 8080 } } }"#,
    );
    result.is_understood();
    result.says(2, "keeps a server in use when all of them are down");
    let check = &result.checks("tcp://192.0.2.10:80", "10.0.0.1:8080")[0];
    let Probe::Http(Http { method, path, host, status, .. }) = &check.probe else { panic!("{check:?}") };
    assert_eq!(
        (method.as_str(), path.as_str(), host.as_deref(), status.to_string().as_str()),
        ("HEAD", "/h", Some("a.example"), "204")
    );
    assert_eq!((check.port, check.timing.interval), (Some(81), Duration::from_secs(10)));
}

#[test]
fn what_is_not_understood_is_said() {
    for (text, words) in [
        ("{", "not valid YAML"),
        ("{\"frob\": 1}", "unknown key `frob` of the document"),
        ("{\"services\": {\"web\": {\"host\": \"192.0.2.10\"}}}", "has no port"),
        ("{\"services\": {\"web\": {\"port\": 80}}}", "has no host"),
        ("{\"services\": {\"web\": {\"port\": 80, \"host\": \"nobody\"}}}", "no host that is known"),
        (
            "{\"services\": {\"web\": {\"port\": 80, \"host\": \"192.0.2.10\", \"protocol\": \"sctp\"}}}",
            "unknown protocol",
        ),
        ("{\"services\": {\"web\": {\"port\": 80, \"host\": \"192.0.2.10\", \"flags\": \"x\"}}}", "unknown flag"),
        (
            "{\"services\": {\"web\": {\"port\": 80, \"host\": \"192.0.2.10\", \"frob\": 1}}}",
            "unknown key `frob` of a service",
        ),
        (
            "{\"backends\": {\"r\": {\"port\": 80, \"host\": \"10.0.0.1\", \"vsid\": \"x\"}}}",
            "the service x of the backend r",
        ),
        ("{\"backends\": {\"r\": {\"port\": 80, \"host\": \"10.0.0.1\"}}}", "does not say its service"),
        (
            "{\"services\": {\"web\": {\"port\": 80, \"host\": \"192.0.2.10\", \"backends\": {\"a\": {\"host\": \"10.0.0.1\"}}}}}",
            "the backends of a service are a list of their IDs",
        ),
        (
            "{\"/service/web\": {\"options\": {\"port\": 80, \"host\": \"192.0.2.10\"}, \"backends\": [{\"host\": \"10.0.0.1\"}]}}",
            "the ID of a backend is a string",
        ),
        (
            "{\"/service/web\": {\"options\": {\"port\": 80, \"host\": \"192.0.2.10\"}, \"backends\": [\"r1\"]}}",
            "the backend r1 of web is not in the document",
        ),
        ("[{\"key\": \"services/web\", \"value\": \"!\"}]", "neither JSON nor base64"),
        ("[{\"key\": \"frob/web\", \"value\": \"{}\"}]", "no path of GORB"),
        ("{\"/frob/x\": {}}", "no path of GORB"),
    ] {
        let result = run(text);
        let said = result.said();
        assert!(said.iter().any(|said| said.contains("error") && said.contains(words)), "{text}: {said:#?}");
    }
    let result = run("{\"services\": {\"web\": {\"port\": 80, \"host\": \"192.0.2.10\", \"persistent\": true}},
      \"backends\": {\"r\": {\"port\": 80, \"host\": \"10.0.0.1\", \"vsid\": \"web\", \"pulse\": {\"type\": \"icmp\"}}}}");
    result.says(1, "persistent: GORB never tells the kernel");
    result.says(2, "unknown type `icmp`");
}
