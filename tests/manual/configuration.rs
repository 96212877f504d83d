//! ipvsd.toml(5), of the JSON Schema, which is made of the declarations that read configurations.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::roff::{bold, plain, prose};

const ABOUT: &str = "\
A configuration of `ipvsd`(8) is a file in TOML or in YAML, which carry the same keys, or a directory of such files, which are \
merged in the order of their names. It is `/etc/ipvsd/ipvsd.toml`, else `/etc/ipvsd/ipvsd.yaml`, if `--config` does not say \
otherwise. Unknown keys are errors. Durations are texts such as `\"1m30s\"`.

`ipvsd check` lists everything that is wrong in it; a configuration with a mistake changes nothing. \
`/usr/share/doc/ipvsd/examples/example.toml` has every key with its default.";

const EXAMPLE: &str = "\
version = 1

[[services]]
name = \"web\"
address = \"tcp://192.0.2.10:80\"
scheduler = \"wrr\"
check = \"tcp\"
destinations = [
  { address = \"10.0.0.11:8080\", weight = 100 },
  { address = \"10.0.0.12:8080\", weight = 50 },
]";

/// What a reader looks for first; the rest follows by name.
const FIRST: &[&str] = &["version", "services", "defaults", "checks", "daemon"];

/// The page.
pub(crate) fn page(schema: &Value) -> String {
    let mut out = String::new();
    out.push_str(
        ".\\\" Made by tests/manual of the JSON Schema in src/config: UPDATE_GOLDEN=1 cargo test --test manual\n",
    );
    out.push_str(".TH IPVSD.TOML 5 \"\" ipvsd \"File Formats\"\n.SH NAME\n");
    out.push_str("ipvsd.toml, ipvsd.yaml \\- what should be in the kernel's IPVS table\n.SH DESCRIPTION\n");
    for paragraph in ABOUT.split("\n\n") {
        let _ = writeln!(out, "{}\n.PP", prose(paragraph));
    }
    let mut sections = Sections { schema, out, seen: BTreeSet::new() };
    sections.section("", schema);
    let Sections { mut out, seen, .. } = sections;
    let defined: BTreeSet<&str> = schema["$defs"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(seen, defined, "tables of the schema that the page does not have");
    let _ = write!(out, ".SH EXAMPLE\n.nf\n{}\n.fi\n", EXAMPLE.lines().map(plain).collect::<Vec<_>>().join("\n"));
    out.push_str(".SH SEE ALSO\n\\fBipvsd\\fR(8)\n.PP\n");
    let _ = writeln!(
        out,
        "{}",
        prose("/usr/share/doc/ipvsd/manual has guides by task; `ipvsd schema` prints all of this for programs.")
    );
    out
}

struct Sections<'s> {
    schema: &'s Value,
    out: String,
    /// The tables that have their section.
    seen: BTreeSet<&'s str>,
}

impl<'s> Sections<'s> {
    /// A section for a table and, behind it, for those in it.
    fn section(&mut self, path: &str, table: &'s Value) {
        let properties = ordered(table["properties"].as_object(), path.is_empty());
        if path.is_empty() {
            self.out.push_str(".SH \"AT THE TOP LEVEL\"\n");
        } else {
            let _ = writeln!(self.out, ".SH \"{}\"\n{}\n", plain(path), prose(text(table, "description")));
            self.out.truncate(self.out.trim_end().len());
            self.out.push('\n');
        }
        if properties.is_empty() {
            self.out.push_str("It has no keys.\n");
        }
        let required: Vec<&str> =
            table["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut inner = Vec::new();
        for (key, property) in properties {
            let children = self.children(path, key, property);
            self.key(key, property, required.contains(&key.as_str()));
            inner.extend(children);
        }
        for (path, name) in inner {
            if self.seen.insert(name) {
                self.section(&path, &self.schema["$defs"][name]);
            }
        }
    }

    fn key(&mut self, key: &str, property: &'s Value, required: bool) {
        let _ = write!(self.out, ".TP\n{} = {}\n", bold(key), plain(&kind(property)));
        let _ = writeln!(self.out, "{}", prose(text(property, "description")));
        let mut said = Vec::new();
        if required {
            said.push("Required.".to_owned());
        }
        let values = values(property);
        if !values.is_empty() {
            said.push(format!("One of {}.", values.join(", ")));
        }
        if let (Some(least), Some(most)) = (property["minimum"].as_i64(), property["maximum"].as_i64()) {
            said.push(format!("{least} to {most}."));
        }
        if let Some(default) = property.get("default").filter(|default| !default.is_object()) {
            said.push(format!("The default is {}.", bold(&default.to_string())));
        }
        if !said.is_empty() {
            let _ = writeln!(self.out, ".br\n{}", said.join(" "));
        }
    }

    /// The tables that a key can hold, with their paths: `[services.persistence]`.
    fn children(&self, path: &str, key: &str, property: &'s Value) -> Vec<(String, &'s str)> {
        let parent = path.trim_matches(['[', ']']);
        let dotted = if parent.is_empty() { key.to_owned() } else { format!("{parent}.{key}") };
        let one = |property: &'s Value, path: String| named(property).map(|name| (path, name));
        let mut found: Vec<_> = one(property, format!("[{dotted}]")).into_iter().collect();
        found.extend(one(&property["items"], format!("[[{dotted}]]")));
        found.extend(one(&property["additionalProperties"], format!("[{dotted}.NAME]")));
        for list in ["allOf", "anyOf"] {
            for part in property[list].as_array().into_iter().flatten() {
                found.extend(one(part, format!("[{dotted}]")));
                for deeper in part["allOf"].as_array().into_iter().flatten() {
                    found.extend(one(deeper, format!("[{dotted}]")));
                }
            }
        }
        found
    }
}

/// Those that come first, then those without tables, then those with.
fn ordered(properties: Option<&Map<String, Value>>, is_top: bool) -> Vec<(&String, &Value)> {
    let mut all: Vec<(&String, &Value)> = properties.into_iter().flatten().collect();
    let first = if is_top { FIRST } else { &["name", "address"] };
    let place = |key: &str| first.iter().position(|first| *first == key).unwrap_or(first.len());
    all.sort_by_key(|(key, property)| (place(key), kind(property).starts_with("table"), (*key).clone()));
    all
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn named(property: &Value) -> Option<&str> {
    property["$ref"].as_str()?.strip_prefix("#/$defs/")
}

/// What a key holds, in a word or two.
fn kind(property: &Value) -> String {
    if let Some(value) = property.get("const") {
        return value.to_string();
    }
    if named(property).is_some() || property.get("allOf").is_some() {
        return "table".to_owned();
    }
    if let Some(parts) = property["anyOf"].as_array() {
        let mut kinds: Vec<String> = Vec::new();
        for kind in parts.iter().flat_map(|part| kind(part).split(" or ").map(str::to_owned).collect::<Vec<_>>()) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        return kinds.join(" or ");
    }
    if let Some(values) = property["enum"].as_array() {
        let is_text = values.iter().all(Value::is_string);
        return if is_text { "text" } else { "true, false or text" }.to_owned();
    }
    match &property["type"] {
        Value::String(name) => match name.as_str() {
            "string" if is_duration(property) => "duration",
            "string" => "text",
            "integer" => "number",
            "boolean" => "true or false",
            "array" if named(&property["items"]).is_some() => "tables",
            "array" => "list",
            "object" => "table",
            other => panic!("a type that has no word: {other}"),
        }
        .to_owned(),
        Value::Array(_) => "value".to_owned(),
        other => panic!("no type: {other} in {property}"),
    }
}

fn is_duration(property: &Value) -> bool {
    property["pattern"].as_str().is_some_and(|pattern| pattern.contains("a-zA-Zµ"))
}

/// The values of a key that has only a few.
fn values(property: &Value) -> Vec<String> {
    let of = |schema: &Value| -> Vec<String> {
        schema["enum"].as_array().into_iter().flatten().map(|value| bold(&value.to_string())).collect()
    };
    let items = of(&property["items"]);
    let parts = property["anyOf"].as_array().into_iter().flatten().flat_map(of);
    of(property).into_iter().chain(items).chain(parts).collect()
}
