//! Every configuration in the documents is one: it is parsed as `ipvsd check` would.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use ipvsd::config::{self, Source};

/// The fenced blocks of a language, with the line at which each begins.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line.trim() == format!("```{language}") {
            let block: Vec<&'t str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```").collect();
            found.push((number + 2, block.join("\n") + "\n"));
        }
    }
    found
}

#[test]
fn every_configuration_in_the_documents_is_good() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = vec![root.join("README.md")];
    documents.extend(fs::read_dir(root.join("packaging/doc")).unwrap().map(|entry| entry.unwrap().path()));
    let mut parsed = 0;
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for (language, end) in [("toml", "toml"), ("yaml", "yaml")] {
            for (line, block) in blocks(&text, language) {
                let path = PathBuf::from(format!("block-at-line-{line}.{end}"));
                if let Err(problems) = config::parse(&[Source { path, text: block }]) {
                    panic!("{}:{line}:\n{}", document.display(), problems.render(false));
                }
                parsed += 1;
            }
        }
    }
    assert!(parsed >= 5, "only {parsed} blocks were found");
}

#[test]
fn the_example_of_a_hooks_document_is_json() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/doc/health.md");
    let text = fs::read_to_string(path).unwrap();
    let found = blocks(&text, "json");
    assert!(!found.is_empty());
    for (line, block) in found {
        let value: serde_json::Value =
            serde_json::from_str(&block).unwrap_or_else(|error| panic!("line {line}: {error}"));
        assert_eq!(value["version"], 1);
    }
}
