//! What is found out about places at first is what the walk finds that asks for each of them.

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Positions, is_string, parse};
use crate::config::fault::Faults;
use crate::config::tree::{Node, Value};

/// Compares the trees of both walks: values and known places are the same. How many places are known, and how many not.
fn compare(text: &str) -> Result<(usize, usize), String> {
    let mut faults = (Faults::default(), Faults::default());
    let quick = parse(text, 0, Positions::Addresses, &mut faults.0);
    let whole = parse(text, 0, Positions::All, &mut faults.1);
    if format!("{:?}", faults.0) != format!("{:?}", faults.1) {
        return Err(format!("{:?}\n{:?}\n{text}", faults.0, faults.1));
    }
    let mut counts = (0, 0);
    match (&quick, &whole) {
        (Some(quick), Some(whole)) => nodes(quick, whole, &mut counts)?,
        (None, None) => {}
        _ => return Err(text.to_owned()),
    }
    Ok(counts)
}

fn nodes(quick: &Node<'_>, whole: &Node<'_>, counts: &mut (usize, usize)) -> Result<(), String> {
    let differ = || format!("{quick:?}\n{whole:?}");
    if quick.place.is_unknown() {
        counts.1 += 1;
    } else if quick.place == whole.place {
        counts.0 += 1;
    } else {
        return Err(differ());
    }
    match (&quick.value, &whole.value) {
        (Value::List(quick), Value::List(whole)) if quick.len() == whole.len() => {
            quick.iter().zip(whole).try_for_each(|(quick, whole)| nodes(quick, whole, counts))
        }
        (Value::Table(quick), Value::Table(whole)) if quick.len() == whole.len() => {
            quick.iter().zip(whole).try_for_each(|(quick, whole)| {
                if quick.key != whole.key || !quick.place.is_unknown() && quick.place != whole.place {
                    return Err(format!("{quick:?}\n{whole:?}"));
                }
                nodes(&quick.node, &whole.node, counts)
            })
        }
        (quick, whole) if quick == whole => Ok(()),
        _ => Err(differ()),
    }
}

#[test]
fn the_files_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cases = fs::read_dir(root.join("tests/config")).unwrap().map(|entry| entry.unwrap().path());
    let mut seen = 0;
    for folder in cases.chain([root.join("config")]) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
                let text = fs::read_to_string(&path).unwrap();
                compare(text.trim_start_matches('\u{feff}')).unwrap();
                seen += 1;
            }
        }
    }
    assert!(seen > 10, "only {seen} files");
}

/// What looks like a string to this, serde_yaml takes for one.
#[test]
fn strings_are_strings() {
    for text in ["name", "a1", "e5", "1:30", "10.0.0.1", "Yes", "NaN", "inf", "infinity", "1.2.3e4"] {
        assert!(is_string(text), "{text}");
        assert_eq!(compare(&format!("{text}: {text}\n")), Ok((2, 0)), "{text}");
    }
    for text in
        ["null", "Null", "NULL", "~", "True", "FALSE", "1", "-1", "+1", "0x1f", "1.5", "1e5", ".inf", "-.nan", "", "_"]
    {
        assert!(!is_string(text), "{text}");
        compare(&format!("{text}: {text}\n")).unwrap();
    }
}

/// Strings and keys show where they are; numbers, and what starts with an anchor or has to be put together, does not.
#[test]
fn most_places_are_known_at_once() {
    let text = "version: 1\nservices:\n  - name: 'a'\n    address: \"tcp://192.0.2.1:80\"\n    one_packet: true\n";
    assert_eq!(compare(text), Ok((5, 2)));
    for (text, known) in [
        ("{ a: b, \"c\": 'd' }", 3),
        ("a: &x b\nc: *x\n", 1),
        ("a: &x\n  b\nc: d\n", 2),
        ("a: !!str b\n", 1),
        ("a: 'it''s'\nb: \"\\t\"\nc: |\n  d\nd: e\n  f\n", 1),
        ("a: \"\"\nb: é\nc: ü é\n", 4),
        ("- a\n- [b, c,d]\n- {}\n- []\n", 8),
    ] {
        assert_eq!(compare(text).unwrap().0, known, "{text}");
    }
    let long = format!("a: {0}\nb: '{0}'\nc: {0} x\n", "é ".repeat(300).trim_end());
    assert_eq!(compare(&long).unwrap().0, 4);
}

fn pieces() -> impl Strategy<Value = String> {
    let scalar = prop::sample::select(vec![
        "a",
        "é ü",
        "'b'",
        "\"c\"",
        "''",
        "\"\"",
        "'it''s'",
        "\"\\n\"",
        "1",
        "true",
        "~",
        "",
        "1.5",
        "tcp://1:2",
        "a#b",
        "a  b",
        "x'y\"",
    ]);
    let mark =
        prop::sample::select(vec!["", "", "", "&x ", "!!str ", "&x\n    ", "*x ", "? ", "| \n    ", "# &\n    "]);
    let scalar = (mark, scalar).prop_map(|(mark, scalar)| format!("{mark}{scalar}"));
    let line = prop_oneof![
        (scalar.clone(), scalar.clone()).prop_map(|(key, value)| format!("{key}: {value}\n")),
        scalar.clone().prop_map(|value| format!("address: {value}\n")),
        (scalar.clone(), scalar.clone())
            .prop_map(|(one, other)| format!("k: [{one}, {other},{{a: {one}, {other}: b}}]\n")),
        (scalar.clone(), scalar.clone()).prop_map(|(one, other)| format!("- {one}: {other}\n")),
        scalar.clone().prop_map(|value| format!("  - {value}\n")),
        scalar.clone().prop_map(|value| format!("a: [[{{a: {{a: {{address: {value}}}}}}}]]\n")),
        prop::sample::select(vec!["k:\n", "# x\n", "\n", "\r\n", "---\n", "  m:\n", "- {}\n", "- []\n"])
            .prop_map(str::to_owned),
    ];
    vec(line, 0..6).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn texts_of_all_sorts(text in prop_oneof![pieces(), "[ab:\\- \n&*!'\"#,\\[\\]{}|>1\t]{0,30}", "\\PC{0,40}"]) {
        compare(&text).map_err(TestCaseError::fail)?;
    }
}
