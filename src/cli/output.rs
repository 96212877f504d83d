//! Printing. Data goes to standard output, everything said about it to standard error.

use std::cell::RefCell;
use std::io::{self, Write};
use std::os::fd::AsFd;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use super::{Color, Format};
use crate::config::Problems;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Where a command prints to.
pub(super) struct Out {
    stdout: AutoStream<io::Stdout>,
    choice: ColorChoice,
    format: Format,
    /// Warnings, instead of printing them.
    heard: Option<RefCell<Vec<String>>>,
}

impl Out {
    pub(super) fn new(color: Color, format: Format) -> Self {
        let choice = match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self { stdout: AutoStream::new(io::stdout(), choice), choice, format, heard: None }
    }

    /// Another one for a page that is drawn: warnings are kept for it, and not printed into it.
    pub(super) fn listening(&self) -> Self {
        let stdout = AutoStream::new(io::stdout(), self.choice);
        Self { stdout, choice: self.choice, format: self.format, heard: Some(RefCell::default()) }
    }

    /// The warnings that were kept, each once.
    pub(super) fn take_heard(&self) -> Vec<String> {
        self.heard.as_ref().map(RefCell::take).unwrap_or_default()
    }

    /// Whether standard output takes colour.
    pub(super) fn color(&self) -> bool {
        self.stdout.current_choice() != ColorChoice::Never
    }

    /// Whether standard error takes colour.
    pub(super) fn color_of_errors(&self) -> bool {
        AutoStream::new(io::stderr(), self.choice).current_choice() != ColorChoice::Never
    }

    /// Prints data.
    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        // Where there is nothing to strip, a long text need not be looked through for it, state by state.
        if text.bytes().all(|byte| byte == b'\n' || !byte.is_ascii_control()) {
            io::stdout().write_all(text.as_bytes())?;
        } else {
            self.stdout.write_all(text.as_bytes())?;
        }
        self.stdout.flush()
    }

    /// Prints data as JSON.
    pub(super) fn json(&mut self, value: &Value) -> io::Result<()> {
        let mut text = format!("{value:#}");
        text.push('\n');
        self.text(&text)
    }

    /// Says what is wrong with a configuration: in the asked format, or for people.
    pub(super) fn problems(&mut self, problems: &Problems) {
        match self.format {
            // Standard output may be gone; the exit code still says it.
            Format::Json => drop(self.json(&json!({ "problems": problems.to_json() }))),
            Format::Text => self.say(&problems.render(self.color_of_errors())),
        }
    }

    /// Says what is odd about a configuration that is in force all the same.
    pub(super) fn warnings(&self, problems: &Problems) {
        if self.heard.is_none() && !problems.list.is_empty() && self.format == Format::Text {
            self.say(&problems.render(self.color_of_errors()));
        }
    }

    /// Says what there is to say about a text beside what was made of it, for people, whatever the format.
    pub(super) fn report(&self, problems: &Problems) {
        if !problems.list.is_empty() {
            self.say(&problems.render(self.color_of_errors()));
            self.say("\n");
        }
    }

    /// Says an error that is not the configuration's.
    pub(super) fn error(&mut self, text: &str) {
        match self.format {
            Format::Json => drop(self.json(&json!({ "error": text }))),
            Format::Text => self.say(&format!("{ERROR}error{ERROR:#}: {text}\n")),
        }
    }

    /// Says something that a person should know.
    pub(super) fn warn(&self, text: &str) {
        if let Some(heard) = &self.heard {
            let mut heard = heard.borrow_mut();
            if !heard.iter().any(|one| one == text) {
                heard.push(text.to_owned());
            }
            return;
        }
        self.say(&format!("{WARNING}warning{WARNING:#}: {text}\n"));
    }

    /// Says why the exit code is not 0, where the data is printed all the same.
    pub(super) fn complain(&self, text: &str) {
        self.say(&format!("{ERROR}error{ERROR:#}: {text}\n"));
    }

    /// Writes to standard error as it is, for progress.
    pub(super) fn progress(&self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// How many characters fit on a line of standard output, if it is a terminal.
    pub(super) fn width(&self) -> Option<usize> {
        width(io::stdout())
    }

    /// How many characters fit on a line of standard error, if it is a terminal.
    pub(super) fn width_of_errors(&self) -> Option<usize> {
        width(io::stderr())
    }

    fn say(&self, text: &str) {
        // Nobody may be listening.
        let _ = AutoStream::new(io::stderr(), self.choice).lock().write_all(text.as_bytes());
    }
}

fn width(stream: impl AsFd) -> Option<usize> {
    // A terminal that does not know its width, as over a serial line, is one of the usual width.
    let columns = rustix::termios::tcgetwinsize(stream).ok()?.ws_col;
    Some(if columns == 0 { 80 } else { usize::from(columns) })
}

/// An error with its reasons, each said once: many of ours quote theirs.
pub(super) fn with_reasons(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for reason in error.chain().map(ToString::to_string).filter(|reason| !reason.is_empty()) {
        if text.is_empty() {
            text = reason;
        } else if !text.contains(&reason) {
            text += &format!(": {reason}");
        }
    }
    text
}

/// Whether an error is that the reader of our output went away.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
