//! Findings for people.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::host::doctor::{Finding, Mend, Severity};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
const SUBJECT: Style = Style::new().bold();
const LABEL: Style = Style::new().dimmed();

/// Where there is no terminal to say how wide a line is.
const USUAL: usize = 100;
/// Less is no use.
const LEAST: usize = 40;
/// Before what stands behind a label.
const INDENT: usize = 9;

/// Each finding as a paragraph, with an empty line behind it. What is to be copied is never broken.
pub(super) fn text(findings: &[Finding], color: bool, width: Option<usize>) -> String {
    let width = width.unwrap_or(USUAL).max(LEAST) - INDENT;
    let mut text = String::new();
    for Finding { id, severity, subject, saw, why, mend } in findings {
        let style = match severity {
            Severity::Error => ERROR,
            Severity::Warning => WARNING,
            Severity::Hint => HINT,
        };
        let heading = paint(style, &format!("{severity}[{id}]"), color);
        let _ = writeln!(text, "{heading}: {}", paint(SUBJECT, subject, color));
        push(&mut text, "saw", &wrap(saw, width), color);
        push(&mut text, "why", &wrap(why, width), color);
        for mend in mend {
            match mend {
                Mend::Command(command) => push(&mut text, "run", &lines(command), color),
                Mend::Configuration(configuration) => push(&mut text, "write", &lines(configuration), color),
                Mend::Advice(advice) => push(&mut text, "advice", &wrap(advice, width), color),
            }
        }
        text.push('\n');
    }
    text
}

fn paint(style: Style, text: &str, color: bool) -> String {
    if color { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// A label and its lines, which stand below each other.
fn push(text: &mut String, label: &str, lines: &[String], color: bool) {
    for (number, line) in lines.iter().enumerate() {
        let label = if number == 0 { label } else { "" };
        let gap = " ".repeat(INDENT.saturating_sub(2 + label.len()));
        let label = if label.is_empty() { String::new() } else { paint(LABEL, label, color) };
        let _ = writeln!(text, "  {label}{gap}{line}");
    }
}

/// Lines of at most so many characters, broken at spaces; a word that is longer has a line of its own.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        Finding {
            id: "forwarding-off",
            severity: Severity::Error,
            subject: "interface eth1".to_owned(),
            saw: "one two three four five six seven eight nine ten eleven".to_owned(),
            why: "because".to_owned(),
            mend: vec![
                Mend::Command("sysctl -w net.ipv4.conf.eth1.forwarding=1 and then something that is long".to_owned()),
                Mend::Configuration("[host.sysctls]\n\"net.ipv4.conf.eth1.forwarding\" = 1".to_owned()),
                Mend::Advice("or not".to_owned()),
            ],
        }
    }

    #[test]
    fn words_are_wrapped_and_commands_are_not() {
        let want = "\
error[forwarding-off]: interface eth1
  saw    one two three four five six
         seven eight nine ten eleven
  why    because
  run    sysctl -w net.ipv4.conf.eth1.forwarding=1 and then something that is long
  write  [host.sysctls]
         \"net.ipv4.conf.eth1.forwarding\" = 1
  advice or not

";
        assert_eq!(text(&[finding()], false, Some(40)), want);
        assert_eq!(text(&[finding()], false, Some(3)), want, "a terminal of three columns is none");
        assert!(text(&[finding()], false, None).contains("six seven eight nine ten eleven\n"));
    }

    #[test]
    fn colour_is_around_words_and_nothing_else_changes() {
        let colored = text(&[finding()], true, Some(40));
        assert!(colored.contains("\u{1b}["));
        let plain: String = anstream::adapter::strip_str(&colored).to_string();
        assert_eq!(plain, text(&[finding()], false, Some(40)));
    }
}
