//! The dashboard and the alerts that are shipped ask for what there is: every metric, every label, every word of ours in one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::{ALL, Kind, page_of, parse, root};

/// Labels that Prometheus adds.
const OF_PROMETHEUS: [&str; 2] = ["instance", "job"];
/// Labels whose values are other people's.
const OF_OTHERS: [&str; 8] = ["instance", "engine", "job", "service", "address", "destination", "check", "le"];

/// The series that there are, each with its labels and their values.
fn known() -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
    let families = parse(&page_of(9, 9));
    let mut known = BTreeMap::new();
    for metric in ALL {
        let suffixes: &[&str] = match metric.kind {
            Kind::Counter => &["_total"],
            Kind::Gauge => &[""],
            Kind::Histogram => &["_bucket", "_sum", "_count"],
        };
        for suffix in suffixes {
            let le = (*suffix == "_bucket").then_some("le");
            let labels = metric.labels.iter().copied().chain(le).chain(OF_PROMETHEUS);
            let mut labels: BTreeMap<String, BTreeSet<String>> =
                labels.map(|label| (label.to_owned(), BTreeSet::new())).collect();
            for (_, pairs, _) in families[metric.name].iter().filter(|(of, ..)| of == suffix) {
                for (label, value) in pairs.split("\",").filter_map(|pair| pair.split_once("=\"")) {
                    labels.get_mut(label).unwrap().insert(value.trim_end_matches('"').to_owned());
                }
            }
            known.insert(format!("{}{suffix}", metric.name), labels);
        }
    }
    let up = OF_PROMETHEUS.map(|label| (label.to_owned(), BTreeSet::new()));
    known.insert("up".to_owned(), up.into());
    known
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

fn tokens(expression: &str) -> Vec<Token> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '$';
    let (mut tokens, mut rest) = (Vec::new(), expression);
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            let (text, after) = rest[1..].split_once('"').expect(expression);
            tokens.push(Token::Text(text.to_owned()));
            rest = after;
        } else if is_part(first) {
            let end = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        } else {
            if !first.is_whitespace() {
                tokens.push(Token::Sign(first));
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    tokens
}

/// What is wrong with an expression, and the labels that its result may have.
fn look(expression: &str) -> (Vec<String>, BTreeSet<String>) {
    const GROUPINGS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
    let known = known();
    let (mut wrong, mut labels, mut grouped) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    let mut metrics = 0;
    let tokens = tokens(expression);
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        index += 1;
        let Token::Word(word) = token else { continue };
        if GROUPINGS.contains(&word.as_str()) {
            while tokens.get(index).is_some_and(|token| *token != Token::Sign(')')) {
                if let Token::Word(label) = &tokens[index] {
                    grouped.insert(label.clone());
                }
                index += 1;
            }
            continue;
        }
        if word != "up" && !word.starts_with("ipvsd") {
            continue;
        }
        metrics += 1;
        let Some(of) = known.get(word) else {
            wrong.push(format!("there is no {word}"));
            continue;
        };
        labels.extend(of.keys().cloned());
        if tokens.get(index) != Some(&Token::Sign('{')) {
            continue;
        }
        while tokens.get(index).is_some_and(|token| *token != Token::Sign('}')) {
            match &tokens[index] {
                Token::Word(label) if !of.contains_key(label) => wrong.push(format!("{word} has no label {label}")),
                Token::Text(text) => {
                    let label = tokens[..index].iter().rev().find_map(|token| match token {
                        Token::Word(label) => Some(label.as_str()),
                        _ => None,
                    });
                    let label = label.unwrap_or_default();
                    let is_ours = !OF_OTHERS.contains(&label) && !text.contains('$');
                    for value in text.split('|').filter(|_| is_ours) {
                        if of.get(label).is_some_and(|values| !values.contains(value)) {
                            wrong.push(format!("{word} has no {label} {value}"));
                        }
                    }
                }
                _ => {}
            }
            index += 1;
        }
    }
    if metrics == 0 {
        wrong.push("it asks for nothing".to_owned());
    }
    wrong.extend(grouped.difference(&labels).map(|label| format!("nothing in it has a label {label}")));
    (wrong, if grouped.is_empty() { labels } else { grouped })
}

/// What is written between `{{` and `}}`.
fn in_braces(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")).map(|(inside, _)| inside.trim())
}

fn text(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

#[test]
fn what_is_not_there_is_told_apart() {
    for (expression, found) in [
        ("sum by (kind) (rate(ipvsd_operations_total{result=~\"failed|unverified\"}[5m]))", ""),
        ("ipvsd_operations", "there is no ipvsd_operations"),
        ("ipvsd_operations_total{kinds=\"x\"}", "ipvsd_operations_total has no label kinds"),
        ("ipvsd_operations_total{result=~\"failed|broken\"}", "ipvsd_operations_total has no result broken"),
        ("sum by (direction) (ipvsd_pass_trouble)", "nothing in it has a label direction"),
        ("time() - 5", "it asks for nothing"),
        ("ipvsd_pass_duration_seconds_bucket{le=\"1\"}", ""),
        ("ipvsd_pass_duration_seconds_sum{le=\"1\"}", "ipvsd_pass_duration_seconds_sum has no label le"),
    ] {
        assert_eq!(look(expression).0.join("; "), found, "{expression}");
    }
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let dashboard: serde_json::Value = serde_json::from_str(&text("packaging/grafana/ipvsd.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let (mut count, mut ids) = (0, BTreeSet::new());
    let mut places: Vec<(&str, [u64; 4])> = Vec::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its number is another one's");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
        assert!(x + w <= 24, "{title} sticks out");
        for (other, [left, top, width, height]) in &places {
            let is_beside = x + w <= *left || left + width <= x || y + h <= *top || top + height <= y;
            assert!(is_beside, "{title} lies on {other}");
        }
        places.push((title, [x, y, w, h]));
        for target in panel["targets"].as_array().unwrap_or(&Vec::new()) {
            let expression = target["expr"].as_str().unwrap();
            let (wrong, labels) = look(expression);
            assert!(wrong.is_empty(), "{title}: {wrong:?} in {expression}");
            for label in in_braces(target["legendFormat"].as_str().unwrap_or_default()) {
                assert!(labels.contains(label), "{title}: its legend has {label}, and {expression} has not");
            }
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let Some(query) = variable["query"]["query"].as_str() else { continue };
        let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
        let (series, label) = inner.rsplit_once(", ").unwrap();
        let (wrong, labels) = look(series);
        assert!(wrong.is_empty() && labels.contains(label), "{query}: {wrong:?}");
    }
}

#[test]
fn the_alerts_ask_for_what_there_is_and_are_tested() {
    let rules: serde_yaml::Value = serde_yaml::from_str(&text("packaging/prometheus/alerts.yml")).unwrap();
    let tests: serde_yaml::Value = serde_yaml::from_str(&text("packaging/prometheus/alerts.test.yml")).unwrap();
    let rules = rules["groups"][0]["rules"].as_sequence().unwrap();
    assert!(rules.len() > 10);
    // Of each one a case in which it fires, and one in which it is silent.
    let mut tested: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    for test in tests["tests"].as_sequence().unwrap() {
        for asked in test["alert_rule_test"].as_sequence().unwrap() {
            let fires = !asked["exp_alerts"].as_sequence().unwrap().is_empty();
            *tested.entry((asked["alertname"].as_str().unwrap(), fires)).or_default() += 1;
        }
    }
    for rule in rules {
        let name = rule["alert"].as_str().unwrap();
        let (wrong, labels) = look(rule["expr"].as_str().unwrap());
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
        for (_, annotation) in rule["annotations"].as_mapping().unwrap() {
            for inside in in_braces(annotation.as_str().unwrap()) {
                if let Some(label) = inside.strip_prefix("$labels.") {
                    assert!(labels.contains(label), "{name} speaks of {label}, and its expression has it not");
                }
            }
        }
        for fires in [true, false] {
            assert!(tested.contains_key(&(name, fires)), "{name} has no case in which it fires: {fires}");
        }
    }
}
