use super::*;
use crate::config::{Source, parse};
use crate::plan::render::{Style, comparison_json, comparison_text};

const BEFORE: &str = r#"
version = 1
[daemon]
resync = "30s"
[checks.web.http]
path = "/"
headers = { Authorization = "Bearer one" }
[checks.port]
tcp = {}
[[services]]
name = "web"
address = "tcp://192.0.2.10:80"
scheduler = "wrr"
check = "web"
min_healthy = 1
destinations = [{ address = "10.0.0.11:8080", weight = 100 }, { address = "10.0.0.12:8080" }]
[[services]]
name = "old"
address = "udp://192.0.2.10:53"
drain = "0s"
destinations = [{ address = "10.0.0.11:53" }]
[host.sysctls]
"net.ipv4.ip_forward" = "1"
"net.ipv4.vs.conntrack" = "1"
"#;

const AFTER: &str = r#"
version = 1
[daemon]
resync = "1m30s"
[checks.web.http]
path = "/healthz"
headers = { Authorization = "Bearer two" }
[checks.web]
interval = "400ms"
timeout = "300ms"
[hooks]
on_change = ["/usr/local/bin/tell", "them"]
[[services]]
name = "shop"
address = "tcp://192.0.2.10:80"
scheduler = "wlc"
check = "tcp"
on_down = "delete"
fallback = "10.0.0.99:8080"
destinations = [{ address = "10.0.0.11:8080", weight = 50 }, { address = "10.0.0.13:8080" }]
[[services]]
name = "new"
address = "fwmark:7"
slow_start = "10s"
check = "web"
destinations = [{ address = "10.0.0.11:80" }]
[host.sysctls]
"net.ipv4.ip_forward" = "0"
"#;

fn desired(text: &str) -> Desired {
    let source = Source { path: "a.toml".into(), text: text.to_owned() };
    parse(&[source]).unwrap_or_else(|problems| panic!("{}", problems.render(false))).desired
}

#[test]
fn what_is_the_same_has_no_difference() {
    for text in [BEFORE, AFTER] {
        let comparison = compare(&desired(text), &desired(text));
        assert!(comparison.is_empty(), "{comparison:?}");
        assert_eq!(comparison_json(&comparison)["equal"], true);
    }
    let comparison = compare(&desired(BEFORE), &desired(BEFORE));
    assert_eq!(comparison_text(&comparison, Style::PLAIN), "No difference: both ask for the same (5 entries).\n");
}

#[test]
fn table_and_settings_are_told_in_the_words_of_a_plan() {
    let comparison = compare(&desired(BEFORE), &desired(AFTER));
    assert_eq!(comparison_text(&comparison, Style::PLAIN), include_str!("expected.txt"));
    let json = comparison_json(&comparison);
    assert_eq!(json["summary"]["add"]["destinations"], 2);
    let settings = json["settings"].as_array().unwrap();
    let resync = settings.iter().find(|setting| setting["setting"] == "resync").unwrap();
    assert_eq!(
        *resync,
        serde_json::json!({ "kind": "daemon", "object": null, "setting": "resync", "from": "30s", "to": "1m30s" })
    );
    assert!(!json.to_string().contains("Bearer"), "what may be a secret is not repeated");
}

#[test]
fn back_again_is_the_other_way_round() {
    let (before, after) = (desired(BEFORE), desired(AFTER));
    let (there, back) = (compare(&before, &after), compare(&after, &before));
    let both = there.settings.iter().filter(|difference| difference.from.is_some() && difference.to.is_some());
    for difference in both {
        let Difference { about, setting, from, to } = difference.clone();
        let turned = Difference { about, setting, from: to, to: from };
        assert!(back.settings.contains(&turned), "{turned:?}");
    }
    let (there, back) = (there.plan.counts(), back.plan.counts());
    assert_eq!((there.add, there.delete, there.edit), (back.delete, back.add, back.edit));
}

#[test]
fn checks_that_are_not_the_same_for_all_are_told_one_by_one() {
    let of = |first: &str, second: &str| {
        desired(&format!(
            "version = 1\n[checks.a]\ntcp = {{}}\n[[services]]\nname = \"web\"\naddress = \"tcp://192.0.2.10:80\"\n\
             destinations = [{{ address = \"10.0.0.1\", check = \"{first}\" }}, {{ address = \"10.0.0.2\", check = \"{second}\" }}]\n"
        ))
    };
    let said = |from: &Desired, to: &Desired| {
        let lines = compare(from, to).settings.into_iter().filter(|difference| difference.about.kind() == "service");
        lines.map(|Difference { setting, from, to, .. }| format!("{setting}: {from:?} {to:?}")).collect::<Vec<_>>()
    };
    assert_eq!(said(&of("a", "a"), &of("none", "none")), [r#"check: Some("a") Some("none")"#]);
    assert_eq!(said(&of("a", "a"), &of("a", "none")), [r#"check of 10.0.0.2:80: Some("a") Some("none")"#]);
}

#[test]
fn names_are_compared_as_they_are_written() {
    let text = |of: &str, every: &str| {
        let service = "[[services]]\nname = \"web\"\naddress = \"tcp://192.0.2.10:80\"\n[[services.destinations]]\n";
        desired(&format!("version = 1\n[daemon]\nresolve = \"{every}\"\n{service}{of}\n"))
    };
    let from = text("address = \"web.internal:8080\"\nweight = 9", "30s");
    let lines = |to: &Desired| {
        let line = |one: &Difference| format!("{}: {:?} {:?}", one.setting, one.from.as_deref(), one.to.as_deref());
        compare(&from, to).settings.iter().map(line).collect::<Vec<_>>()
    };
    assert!(compare(&from, &from).is_empty());
    let other = lines(&text("address = \"web.internal:8080\"\nweight = 9\nresolve = \"first\"", "1m"));
    assert_eq!(other.len(), 2, "{other:?}");
    assert_eq!(other[1], "resolve: Some(\"30s\") Some(\"1m\")");
    assert!(
        other[0].starts_with("destination web.internal:8080: ") && other[0].ends_with(", the first address\")"),
        "{other:?}"
    );
    let gone = lines(&text("address = \"10.0.0.1\"", "30s"));
    assert!(
        gone.iter().any(|line| line.starts_with("destination web.internal:8080: ") && line.ends_with(" None")),
        "{gone:?}"
    );
}
