//! `ipvsd top` and `ipvsd show --watch` in a real terminal: tmux is the one who sees what they draw, and whether the terminal is as
//! it was when they have ended; `ipvsadm` sees what a drain from the keyboard did.

mod terminal;

use std::time::Duration;

use rustix::process::Signal;

use crate::daemon_process::Daemon;
use crate::netns;
use crate::program::Program;
use crate::table;
use terminal::Terminal;

const FILE: &str = "ipvsd.toml";
const SERVICE: &str = "tcp 192.0.2.10:80";
const A: &str = "192.0.2.11:8080";
const B: &str = "192.0.2.12:8080";
const CONFIG: &str = r#"version = 1
[daemon]
resync = "1h"
[[services]]
name = "web"
address = "tcp://192.0.2.10:80"
scheduler = "wrr"
destinations = [{ address = "192.0.2.11:8080" }, { address = "192.0.2.12:8080" }]
"#;
const AT_ONCE: Duration = Duration::from_secs(10);

fn host() -> Program {
    drop(netns::enter());
    let program = Program::new();
    program.write(FILE, CONFIG);
    program
}

/// The command as a shell would be told.
fn line(program: &Program, arguments: &str) -> String {
    format!(
        "{} --config {} --state-dir {} {arguments}",
        env!("CARGO_BIN_EXE_ipvsd"),
        program.path(FILE).display(),
        program.state().display()
    )
}

fn becomes(destination: &str, weight: u32) {
    let what = format!("{destination} gets weight {weight}");
    table::wait(&what, AT_ONCE, |table| table.weight(SERVICE, destination) == Some(weight));
}

#[test]
fn a_drain_from_the_keyboard_is_a_drain() {
    let program = host();
    let _daemon = Daemon::start(&program, FILE);
    let terminal = Terminal::start(60, 20);
    terminal.types(&line(&program, "top --interval 0.5"));
    terminal.shows("the page", |page| page.contains(A) && page.contains(B) && page.contains("as configured"));
    terminal.press(&["Down", "d"]);
    terminal.shows("the question", |page| page.contains(&format!("drain {A} of web? y/n")));
    assert_eq!(table::Table::read().weight(SERVICE, A), Some(100), "nobody has said yes");
    terminal.press(&["n"]);
    terminal.shows("that it was not done", |page| page.contains("nothing was done"));
    terminal.press(&["d"]);
    terminal.shows("the question again", |page| page.contains("y/n"));
    terminal.press(&["y"]);
    becomes(A, 0);
    terminal.shows("what came of it", |page| page.contains(&format!("{A} of tcp://192.0.2.10:80 (web) is drained")));

    // The last one that has weight: that is said before, however soon that is.
    terminal.press(&["Down", "d"]);
    terminal.shows("the warning", |page| page.contains("no other destination of tcp://192.0.2.10:80"));
    let is_drained = |line: &str| line.trim_start().starts_with(A) && line.ends_with(" 0 drained");
    terminal.shows("the row", |page| page.lines().any(is_drained));
    assert!(program.runs(FILE, &["overrides"], 0).contains("drained by override"), "as the command does it");
    terminal.press(&["n", "Up", "u"]);
    terminal.shows("the question", |page| page.contains(&format!("undrain {A} of web?")));
    terminal.press(&["y"]);
    becomes(A, 100);
    assert_eq!(table::Table::read().weight(SERVICE, B), Some(100));

    // The pane tells what happened, of the one that is selected.
    terminal.press(&["Enter"]);
    terminal.shows("the pane", |page| page.contains("(web) has weight 100\nin the kernel. So says the configuration."));
    terminal.shows("its events", |page| page.contains("edit destination 192.0.2.11:8080: weight 0 → 100"));
    terminal.press(&["q"]);
    terminal.is_given_back("after q");
}

#[test]
fn the_terminal_is_given_back_whatever_ends_it() {
    let program = host();
    program.runs(FILE, &["apply"], 0);
    let terminal = Terminal::start(100, 24);
    let top = line(&program, "top");
    // What it does at other keys and signals that end it or stop it is the same.
    for (end, signal) in [("q", None), ("SIGTERM", Some(Signal::TERM))] {
        terminal.types(&top);
        terminal.shows(end, |page| page.contains("no daemon is running") && page.contains(A));
        terminal.is_taken(end);
        match signal {
            None => terminal.press(&[end]),
            Some(signal) => terminal.signal(signal),
        }
        terminal.is_given_back(end);
    }

    // Stopped, it is the shell's; and when it goes on, it is there again.
    terminal.types(&top);
    terminal.shows("the page", |page| page.contains(A));
    terminal.press(&["C-z"]);
    terminal.is_given_back("^Z");
    terminal.types("fg");
    terminal.shows("the page again", |page| page.contains(A) && page.contains("WEIGHT"));
    terminal.is_taken("fg");
    // Another size is another page.
    terminal.resize(60, 12);
    terminal.shows("a smaller page", |page| page.lines().all(|line| line.chars().count() <= 60) && page.contains(A));
    terminal.press(&["q"]);
    terminal.is_given_back("at the end");

    terminal.resize(80, 24);
    terminal.types(&line(&program, "show --watch 0.2"));
    terminal.shows("the table", |page| page.contains("ipvsd show, every 200ms") && page.contains(B));
    netns::ipvsadm(&["-e", "-t", "192.0.2.10:80", "-r", B, "-m", "-w", "7"], "");
    terminal.shows("what has changed", |page| page.lines().any(|line| line.contains(B) && line.contains(" 7 ")));
    terminal.press(&["C-c"]);
    terminal.is_given_back("after show --watch");
}
