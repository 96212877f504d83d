//! A strict reader of OpenMetrics 1.0's text, that knows nothing of what is in it.

use std::collections::BTreeSet;

#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) unit: String,
    pub(super) help: String,
    pub(super) samples: Vec<Sample>,
}

#[derive(Debug)]
pub(super) struct Sample {
    /// What stands behind the name of its family.
    pub(super) suffix: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
}

/// The families of a page, or the line that is wrong and why.
pub(super) fn openmetrics(page: &str) -> Result<Vec<Family>, String> {
    let text = page.strip_suffix("# EOF\n").ok_or("it does not end with # EOF")?;
    let mut families: Vec<Family> = Vec::new();
    let mut series = BTreeSet::new();
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("the last line has no end".to_owned());
    }
    // Not lines(), which would take the carriage return of a label.
    for line in text.split_terminator('\n') {
        let wrong = |why: &str| format!("{why}: {line:?}");
        if let Some(rest) = line.strip_prefix("# ") {
            metadata(&mut families, rest).map_err(|why| wrong(&why))?;
            continue;
        }
        let family = families.last_mut().ok_or_else(|| wrong("a sample without a family"))?;
        let (name, sample) = sample(line, family).map_err(|why| wrong(&why))?;
        let mut sorted = sample.labels.clone();
        sorted.sort();
        if !series.insert((name, sorted)) {
            return Err(wrong("a series twice"));
        }
        family.samples.push(sample);
    }
    for family in &families {
        if family.kind == "histogram" {
            histogram(family).map_err(|why| format!("{}: {why}", family.name))?;
        }
    }
    Ok(families)
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte == b':';
    bytes.next().is_some_and(first) && bytes.all(|byte| first(byte) || byte.is_ascii_digit())
}

/// `TYPE name kind`, `UNIT name unit`, `HELP name text`, each once and before the samples of its family.
fn metadata(families: &mut Vec<Family>, rest: &str) -> Result<(), String> {
    let mut words = rest.splitn(3, ' ');
    let (Some(what), Some(name), Some(text)) = (words.next(), words.next(), words.next()) else {
        return Err("no metadata".to_owned());
    };
    if what == "TYPE" {
        if !is_name(name) || families.iter().any(|family| family.name == name) {
            return Err("no name, or a family twice".to_owned());
        }
        if !["counter", "gauge", "histogram"].contains(&text) {
            return Err("another type than we have".to_owned());
        }
        let (unit, help) = (String::new(), String::new());
        families.push(Family { name: name.to_owned(), kind: text.to_owned(), unit, help, samples: Vec::new() });
        return Ok(());
    }
    let family = families.last_mut().filter(|family| family.name == name && family.samples.is_empty());
    let family = family.ok_or("metadata of another family, or after its samples")?;
    match what {
        "UNIT" if family.unit.is_empty() && is_name(text) && name.ends_with(&format!("_{text}")) => {
            family.unit = text.to_owned();
        }
        "HELP" if family.help.is_empty() => family.help = unescaped(text, false)?,
        _ => return Err("metadata that is not to be there".to_owned()),
    }
    Ok(())
}

fn unescaped(text: &str, quotes: bool) -> Result<String, String> {
    let (mut plain, mut characters) = (String::new(), text.chars());
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some('\\') => '\\',
                Some('"') if quotes => '"',
                _ => return Err("an escape that there is not".to_owned()),
            },
            '"' if quotes => return Err("a quote that is not escaped".to_owned()),
            other => other,
        });
    }
    Ok(plain)
}

fn sample(line: &str, family: &Family) -> Result<(String, Sample), String> {
    let end = line.find(['{', ' ']).ok_or("a sample without a value")?;
    let (name, mut rest) = line.split_at(end);
    let suffix = name.strip_prefix(family.name.as_str()).ok_or("a sample of another family")?;
    let suffixes: &[&str] = match family.kind.as_str() {
        "counter" => &["_total"],
        "gauge" => &[""],
        _ => &["_bucket", "_sum", "_count"],
    };
    if !is_name(name) || !suffixes.contains(&suffix) {
        return Err("a name that is not of this type".to_owned());
    }
    let mut labels: Vec<(String, String)> = Vec::new();
    if let Some(mut inner) = rest.strip_prefix('{') {
        loop {
            let (label, after) = inner.split_once("=\"").ok_or("a label without a value")?;
            // The first quote that no backslash stands before which is none itself.
            let (mut is_escaped, mut end) = (false, None);
            for (index, byte) in after.bytes().enumerate() {
                match byte {
                    _ if is_escaped => is_escaped = false,
                    b'\\' => is_escaped = true,
                    b'"' => {
                        end = Some(index);
                        break;
                    }
                    _ => {}
                }
            }
            let (value, after) = after.split_at(end.ok_or("a value without an end")?);
            if !is_name(label)
                || label.contains(':')
                || label.starts_with("__")
                || labels.iter().any(|(l, _)| l == label)
            {
                return Err("no name of a label, or one twice".to_owned());
            }
            labels.push((label.to_owned(), unescaped(value, true)?));
            match after.get(1..2) {
                Some(",") => inner = &after[2..],
                Some("}") => {
                    rest = &after[2..];
                    break;
                }
                _ => return Err("neither another label nor an end".to_owned()),
            }
        }
    }
    let number = rest.strip_prefix(' ').ok_or("no blank before the value")?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) {
        return Err("no number".to_owned());
    }
    let value: f64 = number.parse().map_err(|_| "no number")?;
    if family.kind != "gauge" && value < 0.0 {
        return Err("a count below zero".to_owned());
    }
    Ok((name.to_owned(), Sample { suffix: suffix.to_owned(), labels, value }))
}

/// Of each set of labels: buckets that grow, with bounds that do, up to all of them; and that is the count.
fn histogram(family: &Family) -> Result<(), String> {
    let mut samples = family.samples.iter().peekable();
    while samples.peek().is_some() {
        let (mut bound, mut count, mut of) = (f64::NEG_INFINITY, 0.0, None);
        while let Some(bucket) = samples.next_if(|sample| sample.suffix == "_bucket") {
            let (le, others): (Vec<_>, Vec<_>) = bucket.labels.iter().partition(|(name, _)| name == "le");
            let [(_, le)] = le[..] else { return Err("a bucket without a bound".to_owned()) };
            if *of.get_or_insert_with(|| others.clone()) != others {
                return Err("buckets of others in between".to_owned());
            }
            let le: f64 = if le == "+Inf" { f64::INFINITY } else { le.parse().map_err(|_| "no bound")? };
            if le <= bound || bucket.value < count {
                return Err("buckets out of order".to_owned());
            }
            (bound, count) = (le, bucket.value);
        }
        let mut is = |suffix: &str| {
            samples.next_if(|sample| sample.suffix == suffix && of == Some(sample.labels.iter().collect()))
        };
        if bound != f64::INFINITY || is("_sum").is_none() || is("_count").is_none_or(|all| all.value != count) {
            return Err("no last bucket, no sum, or a count that is not that of the last bucket".to_owned());
        }
    }
    Ok(())
}

#[test]
fn what_is_no_openmetrics_is_told_apart() {
    let good = "# TYPE a_seconds histogram\n# UNIT a_seconds seconds\n# HELP a_seconds Of \\\\ it.\n\
                a_seconds_bucket{x=\"\\\"}\",le=\"0.5\"} 1\na_seconds_bucket{x=\"\\\"}\",le=\"+Inf\"} 2\n\
                a_seconds_sum{x=\"\\\"}\"} 1.5\na_seconds_count{x=\"\\\"}\"} 2\n# TYPE b counter\nb_total 1e3\n# EOF\n";
    let families = openmetrics(good).unwrap();
    assert_eq!(families[0].help, "Of \\ it.");
    assert_eq!(families[0].samples[3].labels, [("x".to_owned(), "\"}".to_owned())]);
    for (from, to) in [
        ("# EOF\n", ""),
        ("b_total 1e3", "b 1e3"),
        ("b_total 1e3", "b_total  1e3"),
        ("b_total 1e3", "b_total -1"),
        ("b_total 1e3", "b_total NaN"),
        ("b_total 1e3", "b_total 1\nb_total 1"),
        ("b_total 1e3", "b_total 1\r"),
        ("b_total 1e3", "b_total{x=\"a\"b\"} 1"),
        ("b_total 1e3", "b_total{x=\"a\\t\"} 1"),
        ("b_total 1e3", "b_total{x=\"a\",x=\"b\"} 1"),
        ("b_total 1e3", "b_total{x=\"a\",} 1"),
        ("# TYPE b counter", "# TYPE a_seconds counter"),
        ("# UNIT a_seconds seconds", "# UNIT a_seconds bytes"),
        ("# HELP a_seconds", "# HELP b"),
        ("le=\"0.5\"", "le=\"+Inf\""),
        ("a_seconds_count{x=\"\\\"}\"} 2", "a_seconds_count{x=\"\\\"}\"} 3"),
        ("le=\"+Inf\"} 2", "le=\"+Inf\"} 0"),
        ("a_seconds_sum{x=\"\\\"}\"} 1.5\n", ""),
    ] {
        let bad = good.replace(from, to);
        assert_ne!(bad, good);
        assert!(openmetrics(&bad).is_err(), "{bad}");
    }
}
