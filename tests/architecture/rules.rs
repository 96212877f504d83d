//! The layer table of the design, and the check of one file against it.

use crate::source::Source;

/// A layer and what it may use of the crate, besides itself.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("config", &["model"]),
    ("import", &["model", "config"]),
    ("plan", &["model"]),
    ("netlink", &[]),
    ("ipvs", &["model", "plan", "netlink"]),
    ("reconcile", &["model", "plan", "ipvs"]),
    ("host", &["model", "reconcile", "netlink"]),
    ("process", &[]),
    ("health", &["model", "reconcile", "process"]),
    ("source", &["model", "reconcile"]),
    ("watch", &["model", "reconcile"]),
    ("api", &["model", "plan", "reconcile"]),
    (
        "daemon",
        &[
            "model",
            "config",
            "plan",
            "netlink",
            "ipvs",
            "reconcile",
            "process",
            "health",
            "host",
            "source",
            "watch",
            "api",
            "cli",
        ],
    ),
    ("cli", &["model", "config", "import", "plan", "ipvs", "reconcile", "host", "watch", "daemon"]),
    ("main", &["cli"]),
    ("lib", &[]),
];

/// What `ipvs` may use of `plan`: the operations, never how they come about.
const OPERATIONS: &[&str] = &["operation", "Operation", "Step", "Cause"];

/// Names for rooms that collect what belongs elsewhere: a helper lives with its only user, or in `model`.
const NO_ROOMS: &[&str] = &["utils", "util", "common", "helpers", "helper", "types", "misc"];

/// A crate, where it is known (files, and folders with their slash), and why only there.
const CONFINED: &[(&str, &[&str], &str)] = &[
    ("toml", &["config/toml/"], "a swap of the parser is one folder"),
    ("toml_parser", &["config/toml/"], "a swap of the parser is one folder"),
    ("serde_yaml", &["config/yaml/"], "a swap of the parser is one folder"),
    ("ratatui_core", &["cli/top/"], "nothing else draws on a terminal's cells"),
    ("ratatui_crossterm", &["cli/top/mod.rs"], "what is drawn and what keys do is known without a terminal"),
    ("neli", &["netlink/", "ipvs/", "host/rtnl/"], "nothing else speaks netlink"),
];

/// Layers that are functions of their arguments, and the words that would make them something else.
const PURE: &[&str] = &["model", "config", "import", "plan"];
const IMPURE: &[&str] = &[
    "Instant",
    "SystemTime",
    "tracing",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "UnixStream",
    "UnixListener",
    "rustix",
    "Command",
    "fastrand",
];

/// Pure but for reading files, which `config` has one place for.
const LOADERS: &[&str] = &["config/load.rs", "config/load/"];

const PRINTS: &[&str] = &["print", "println", "eprint", "eprintln"];

fn lies_in(path: &str, place: &str) -> bool {
    if place.ends_with('/') { path.starts_with(place) } else { path == place }
}

/// Everything in `source` that the layers forbid, as `src/FILE:LINE: SENTENCE`, in order of the lines.
pub(crate) fn violations(source: &Source) -> Vec<String> {
    let path = source.path();
    let mut found: Vec<(usize, String)> = Vec::new();
    for room in path.trim_end_matches(".rs").split('/') {
        if NO_ROOMS.contains(&room) {
            found.push((1, format!("a file named {room}: a helper lives with its only user, or in model")));
        }
    }
    let layer = source.layer();
    match LAYERS.iter().find(|(name, _)| *name == layer) {
        None => found.push((1, format!("{layer} is not a layer: give it a line in tests/architecture/rules.rs"))),
        // The root declares the layers and uses none.
        Some((_, may_use)) => {
            for reference in source.references() {
                let (target, line) = (reference.layer.as_str(), reference.line);
                if target == layer || !LAYERS.iter().any(|(name, _)| *name == target) {
                    continue;
                }
                if !may_use.contains(&target) {
                    found.push((line, format!("{layer} must not use {target}")));
                } else if layer == "ipvs" && target == "plan" && !OPERATIONS.contains(&reference.item.as_str()) {
                    found.push((line, format!("ipvs may use of plan only its operations, not {}", reference.item)));
                }
            }
        }
    }
    let pure = PURE.contains(&layer);
    for word in source.words() {
        for (name, places, reason) in CONFINED {
            if word.text == *name && word.is_crate && !places.iter().any(|place| lies_in(path, place)) {
                found.push((word.line, format!("{name} is known to {} only: {reason}", places.join(" and "))));
            }
        }
        if pure && IMPURE.contains(&word.text.as_str()) {
            found.push((word.line, format!("{layer} is pure: no {}", word.text)));
        }
        if pure && word.text == "fs" && word.in_path && !LOADERS.iter().any(|place| lies_in(path, place)) {
            found.push((word.line, format!("{layer} is pure: no fs but in config/load")));
        }
        if word.is_macro && PRINTS.contains(&word.text.as_str()) && layer != "cli" && layer != "main" {
            found.push((word.line, format!("{}! outside cli: return it, or log it", word.text)));
        }
    }
    found.sort();
    found.dedup();
    found.into_iter().map(|(line, sentence)| format!("src/{path}:{line}: {sentence}")).collect()
}
