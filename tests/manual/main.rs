//! The manual pages and the completions are made of what reads command lines and configurations, and are current.
//!
//! `UPDATE_GOLDEN=1 cargo test --test manual` writes them anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod configuration;
mod packages;
mod program;
mod roff;

use std::fs;
use std::path::Path;

use clap_complete::Shell;

/// Compares a generated file with the one that is shipped, or writes it.
fn is_current(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        return fs::write(file, text).unwrap();
    }
    let shipped = fs::read_to_string(&file).unwrap_or_default();
    let differ = shipped.lines().zip(text.lines()).position(|(shipped, made)| shipped != made);
    let line = differ.unwrap_or_else(|| shipped.lines().count().min(text.lines().count()));
    let at = |text: &str| text.lines().nth(line).unwrap_or("(its end)").to_owned();
    assert!(
        shipped == text,
        "{path} is not current: line {} is\n  {}\nand should be\n  {}\nUPDATE_GOLDEN=1 writes it anew",
        line + 1,
        at(&shipped),
        at(text)
    );
}

#[test]
fn the_manual_page_of_the_program_is_current() {
    is_current("packaging/man/ipvsd.8", &program::page(ipvsd::cli::command()));
}

#[test]
fn the_manual_page_of_the_configuration_is_current() {
    is_current("packaging/man/ipvsd.toml.5", &configuration::page(&ipvsd::config::keys()));
}

#[test]
fn the_completions_are_current() {
    for (shell, path) in [(Shell::Bash, "ipvsd.bash"), (Shell::Zsh, "_ipvsd"), (Shell::Fish, "ipvsd.fish")] {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut ipvsd::cli::command(), "ipvsd", &mut text);
        is_current(&format!("packaging/completions/{path}"), &String::from_utf8(text).unwrap());
    }
}

/// groff(1) has nothing to complain about, where there is one.
#[test]
fn the_manual_pages_can_be_read() {
    for page in ["ipvsd.8", "ipvsd.toml.5"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/man").join(page);
        let run = std::process::Command::new("groff").args(["-man", "-Tutf8", "-ww", "-z"]).arg(path).output();
        let Ok(output) = run else { return };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{page}: {said}");
    }
}
