//! The README's tour, replayed: every command in its `console` blocks, and every line that it prints.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The blocks of a language in a Markdown text.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// A command and what it should print.
fn steps(block: &str) -> Vec<(String, String)> {
    let mut steps: Vec<(String, String)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push((command.to_owned(), String::new())),
            (None, Some((_, output))) => *output += &format!("{line}\n"),
            (None, None) => panic!("the block begins with output: {line}"),
        }
    }
    steps
}

#[test]
fn the_readme_tells_what_happens() {
    super::netns::enter();
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let tour = readme.split("## Five minutes").nth(1).unwrap().split("\n## ").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ipvsd.toml"), blocks(tour, "toml")[0]).unwrap();
    let bin = Path::new(env!("CARGO_BIN_EXE_ipvsd")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());

    let all: Vec<(String, String)> = blocks(tour, "console").into_iter().flat_map(steps).collect();
    assert!(all.len() > 10, "only {} commands found", all.len());
    for (command, expected) in all {
        let output = Command::new("bash")
            .args(["-c", &command])
            .current_dir(folder.path())
            .env("PATH", &path)
            .env("IPVSD_CONFIG", "ipvsd.toml")
            .env("IPVSD_STATE_DIR", folder.path().join("state"))
            .output()
            .unwrap();
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8(printed).unwrap();
        // What is cut off ends in an ellipsis.
        match expected.strip_suffix("…\n") {
            Some(start) => assert!(printed.starts_with(start), "{command}\n{printed}"),
            None => assert_eq!(printed, expected, "{command}"),
        }
    }
}
