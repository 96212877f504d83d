//! ipvsd(8), of the definitions of the command line.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

use crate::roff::{bold, plain, prose};

const ABOUT: &str = "\
`ipvsd` makes the load balancer in the Linux kernel declarative. A configuration, `ipvsd.toml`(5), says which virtual services \
should exist. `ipvsd` reads what the kernel has, works out the fewest add, edit and delete operations between the two, and applies \
them in an order that hurts no connection.

`check` says what is wrong with a configuration, `plan` what would be done, `apply` does it once, and `run` keeps it so. \
Restarting, upgrading or ending `ipvsd` leaves the kernel's table as it is.";

const SIGNALS: &[(&str, &str)] = &[
    ("SIGHUP", "`ipvsd run` reads the configuration, and makes a pass over everything, at once."),
    ("SIGTERM, SIGINT", "`ipvsd run` ends. The table stays as it is."),
];

const FILES: &[(&str, &str)] = &[
    ("/etc/ipvsd/ipvsd.toml", "The configuration, or `/etc/ipvsd/ipvsd.yaml`."),
    (
        "/var/lib/ipvsd",
        "What ipvsd has added or adopted, and what operators have ordered with `drain`, `weight` and `health`.",
    ),
    ("/etc/default/ipvsd", "Variables of the environment for `ipvsd.service`; it need not be there."),
];

const ENVIRONMENT: &[(&str, &str)] = &[
    ("NOTIFY_SOCKET", "`ipvsd run` tells a service manager there how it is: `sd_notify`(3)."),
    ("WATCHDOG_USEC, WATCHDOG_PID", "The loop of `ipvsd run` answers that manager's watchdog."),
    ("NO_COLOR", "Without colour, where `--color` is `auto`."),
];

/// The page.
pub(crate) fn page(mut command: Command) -> String {
    command.build();
    let mut out = String::new();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    out.push_str(
        ".\\\" Made by tests/manual of the definitions in src/cli: UPDATE_GOLDEN=1 cargo test --test manual\n",
    );
    out.push_str(".TH IPVSD 8 \"\" ipvsd \"System Administration\"\n.SH NAME\n");
    let about = about.trim_end_matches('.');
    let _ = writeln!(out, "ipvsd \\- {}{}", plain(&about[..1].to_lowercase()), plain(&about[1..]));
    out.push_str(".SH SYNOPSIS\n");
    let commands: Vec<Command> = command.get_subcommands().filter(|sub| !sub.is_hide_set()).cloned().collect();
    for sub in &commands {
        let _ = writeln!(out, "{}\n.br", usage(sub));
    }
    out.push_str(".SH DESCRIPTION\n");
    for paragraph in ABOUT.split("\n\n") {
        let _ = writeln!(out, "{}\n.PP", prose(paragraph));
    }
    out.push_str(".SH OPTIONS\nThese go with every command.\n");
    let globals: Vec<&Arg> = command.get_arguments().filter(|arg| arg.is_global_set()).collect();
    globals.iter().for_each(|arg| argument(&mut out, arg));
    out.push_str(".SH COMMANDS\n");
    for sub in &commands {
        let _ = writeln!(out, ".SS {}", plain(sub.get_name()));
        let said = sub.get_long_about().or(sub.get_about()).map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(out, "{}.", prose(said.trim_end_matches('.')));
        let is_own = |arg: &&Arg| !arg.is_global_set() && !arg.is_hide_set() && arg.get_id() != "help";
        sub.get_arguments().filter(is_own).for_each(|arg| argument(&mut out, arg));
    }
    out.push_str(".SH EXIT STATUS\n");
    for (code, meaning) in exits(&command) {
        let _ = writeln!(out, ".TP\n{}\n{}", bold(&code), prose(&meaning));
    }
    for (title, rows) in [("SIGNALS", SIGNALS), ("FILES", FILES), ("ENVIRONMENT", ENVIRONMENT)] {
        let _ = writeln!(out, ".SH {title}");
        if title == "ENVIRONMENT" {
            let all = commands.iter().flat_map(Command::get_arguments).filter(|arg| !arg.is_global_set());
            for arg in globals.iter().copied().chain(all) {
                if let (Some(name), Some(long)) = (arg.get_env(), arg.get_long()) {
                    let _ = writeln!(out, ".TP\n{}\nAs {}.", bold(&name.to_string_lossy()), bold(&format!("--{long}")));
                }
            }
        }
        for (name, text) in rows {
            let _ = writeln!(out, ".TP\n{}\n{}", bold(name), prose(text));
        }
    }
    out.push_str(".SH SEE ALSO\n\\fBipvsd.toml\\fR(5), \\fBipvsadm\\fR(8), \\fBsystemd\\fR(1)\n.PP\n");
    let _ = writeln!(out, "{}", prose("/usr/share/doc/ipvsd/manual has guides by task."));
    out
}

/// `ipvsd plan [--output FORMAT]`
fn usage(sub: &Command) -> String {
    let mut text = format!("\\fBipvsd {}\\fR", plain(sub.get_name()));
    for arg in sub.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_global_set() && arg.get_id() != "help") {
        let shown = match (arg.get_long(), arg.is_positional()) {
            (Some(long), _) => format!("{}{}", bold(&format!("--{long}")), value(arg)),
            (None, true) => value(arg).trim_start().to_owned(),
            (None, false) => continue,
        };
        let shown = if is_many(arg) { format!("{shown}...") } else { shown };
        text.push_str(&if arg.is_required_set() { format!(" {shown}") } else { format!(" [{shown}]") });
    }
    text
}

fn is_many(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// What an argument takes, with a blank before it; nothing for a switch.
fn value(arg: &Arg) -> String {
    if !arg.get_action().takes_values() {
        return String::new();
    }
    let names = arg.get_value_names().map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>());
    let names = names.unwrap_or_else(|| vec![arg.get_id().to_string().to_uppercase()]);
    names.iter().map(|name| format!(" \\fI{}\\fR", plain(name))).collect()
}

fn argument(out: &mut String, arg: &Arg) {
    let short = arg.get_short().map(|short| bold(&format!("-{short}")));
    let long = arg.get_long().map(|long| bold(&format!("--{long}")));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let tag = format!("{}{}", names.join(", "), value(arg));
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    // A line of help may begin a second one, which is shown in a terminal as it is.
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let _ = writeln!(out, ".TP\n{}\n{}", tag.trim_start(), prose(&sentence(&help)));
    let values: Vec<String> = match arg.get_action().takes_values() {
        true => arg.get_possible_values().iter().map(|value| bold(value.get_name())).collect(),
        false => Vec::new(),
    };
    if !values.is_empty() {
        let _ = writeln!(out, "One of {}.", values.join(", "));
    }
    let defaults: Vec<String> = arg.get_default_values().iter().map(|value| bold(&value.to_string_lossy())).collect();
    if arg.get_action().takes_values() && !defaults.is_empty() {
        let _ = writeln!(out, "The default is {}.", defaults.join(", "));
    }
}

fn sentence(text: &str) -> String {
    if text.ends_with(['.', ']', '?', '!']) { text.to_owned() } else { format!("{text}.") }
}

/// The exit codes and their meanings, from what stands below the help.
fn exits(command: &Command) -> Vec<(String, String)> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let list = help.trim().strip_prefix("Exit codes: ").expect("the help tells the exit codes").trim_end_matches('.');
    let codes: Vec<(String, String)> = list
        .split(", ")
        .map(|part| {
            let (code, meaning) = part.split_once(' ').expect("a code and a meaning");
            let mut meaning = meaning.to_owned();
            if let Some(first) = meaning.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            (code.to_owned(), format!("{meaning}."))
        })
        .collect();
    assert_eq!(codes.iter().map(|(code, _)| code.as_str()).collect::<Vec<_>>(), ["0", "1", "2", "64", "78"]);
    codes
}
