//! The command line: one file for each subcommand, which differ in where they stop on the same path.

mod apply;
mod check;
mod diff;
mod doctor;
mod drain;
mod exit;
mod explain;
mod health;
mod import;
mod layout;
mod look;
mod output;
mod overrides;
mod picture;
mod plan;
mod run;
mod schema;
mod screen;
mod show;
mod times;
mod top;
mod weight;

pub use exit::Exit;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::config::{self, Problems};
use crate::daemon::{self, facts};
use crate::model::Desired;
use output::Out;

/// Keeps the kernel's IPVS load balancer as a file says it should be.
#[derive(Debug, Parser)]
#[command(name = "ipvsd", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(
    after_help = "Exit codes: 0 done or nothing to do, 1 failed (`doctor`: there is an error), 2 `plan` and `diff`: there are \
changes, 64 usage, 78 the configuration is wrong."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Args)]
struct Global {
    /// A configuration file (TOML or YAML) or a directory of them; - is standard input
    /// [default: /etc/ipvsd/ipvsd.toml, else /etc/ipvsd/ipvsd.yaml]
    #[arg(long, short, global = true, value_name = "PATH", env = "IPVSD_CONFIG")]
    config: Option<PathBuf>,
    /// Where the ownership record and the overrides are kept, instead of the configuration's daemon.state_dir
    #[arg(long, global = true, value_name = "DIR", env = "IPVSD_STATE_DIR")]
    state_dir: Option<PathBuf>,
    /// A file of the variables that `${NAME}` in the configuration stands for, over those of the environment: lines NAME=VALUE, as the
    /// daemon's unit has them in EnvironmentFile=. May be given several times
    #[arg(long, global = true, value_name = "FILE")]
    environment: Vec<PathBuf>,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check configuration files, and list everything that is wrong with them
    Check(check::Check),
    /// Show what `apply` would do; exit code 2 if there is anything
    Plan(plan::PlanCommand),
    /// Compare two configurations: what would change from the first to the second; exit code 2 if there is anything
    Diff(diff::Diff),
    /// Make the kernel's table as the configuration says, once
    Apply(apply::Apply),
    /// Keep the kernel's table as the configuration says
    Run(run::Run),
    /// Show the live table, with counters, rates, what is owned, and how well it is
    Show(show::Show),
    /// A page of the terminal that follows the table: rates, connections, health and drains; `?` there shows its keys
    Top(top::Top),
    /// Say in a paragraph why the weight of a destination is what it is
    Explain(explain::Explain),
    /// Take new connections away from a destination, and let those that it has go on
    Drain(drain::Drain),
    /// Take a `drain` back
    Undrain(drain::Undrain),
    /// Give a destination another weight than the configured one, or take that back
    Weight(weight::Weight),
    /// Say whether a destination is up or down, whatever its checks say, or let them decide again
    Health(health::SetHealth),
    /// List what was set with `drain`, `weight` and `health`
    Overrides(overrides::ListOverrides),
    /// Look at configuration, kernel and host together, and tell what is wrong and how to mend it; exit code 1 if it is bad
    Doctor(doctor::Doctor),
    /// Print the live table, or what was written for another program, as a configuration
    Import(import::Import),
    /// Print the JSON Schema of the configuration
    Schema(schema::Schema),
}

/// Why a command did not come to its end.
enum Failure {
    Config(Problems),
    Usage(String),
    Other(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        match error.downcast::<Problems>() {
            Ok(problems) => Self::Config(problems),
            Err(error) => Self::Other(error),
        }
    }
}

impl Failure {
    /// In a line, for a page that goes on.
    fn words(self) -> String {
        match self {
            Self::Config(_) => "the configuration is not good; see `ipvsd check`".to_owned(),
            Self::Usage(text) => text,
            Self::Other(error) => output::with_reasons(&error),
        }
    }
}

type Outcome = Result<Exit, Failure>;

/// The definitions of the command line, for those who write of it: the manual page, the completions of shells.
pub fn command() -> clap::Command {
    Cli::command()
}

/// The whole program: reads the command line, does what it says, and says how it went.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let error = with_hint(error);
            // There is nowhere to say that the terminal is gone.
            let _ = error.print();
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            return code.into();
        }
    };
    let Cli { global, command } = cli;
    let format = command.format();
    let mut out = Out::new(global.color, format);
    let result = command.run(&global, &mut out);
    let exit = result.unwrap_or_else(|failure| match failure {
        Failure::Config(problems) => {
            out.problems(&problems);
            Exit::Config
        }
        Failure::Usage(text) => {
            out.error(&text);
            Exit::Usage
        }
        Failure::Other(error) => {
            // A reader that has seen enough is no failure.
            if !output::is_broken_pipe(&error) {
                out.error(&output::with_reasons(&error));
            }
            Exit::Failed
        }
    });
    exit.into()
}

/// `ipvsd show web`: there is a command for that.
fn with_hint(mut error: clap::Error) -> clap::Error {
    let is_word = |value: &ContextValue| matches!(value, ContextValue::String(word) if !word.starts_with('-'));
    let is_show = |value: &ContextValue| value.to_string().contains("ipvsd show");
    if error.kind() == ErrorKind::UnknownArgument
        && error.get(ContextKind::InvalidArg).is_some_and(is_word)
        && error.get(ContextKind::Usage).is_some_and(is_show)
    {
        let tip =
            "`ipvsd explain SERVICE DESTINATION` tells of one destination; `ipvsd show` has no names to choose by";
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

impl Command {
    fn run(self, global: &Global, out: &mut Out) -> Outcome {
        config::add_variables(&global.environment)?;
        match self {
            Self::Check(command) => command.run(global, out),
            Self::Plan(command) => command.run(global, out),
            Self::Diff(command) => command.run(global, out),
            Self::Apply(command) => command.run(global, out),
            Self::Run(command) => command.run(global, out),
            Self::Show(command) => command.run(global, out),
            Self::Top(command) => command.run(global, out),
            Self::Explain(command) => command.run(global, out),
            Self::Drain(command) => command.run(global, out),
            Self::Undrain(command) => command.run(global, out),
            Self::Weight(command) => command.run(global, out),
            Self::Health(command) => command.run(global, out),
            Self::Overrides(command) => command.run(global, out),
            Self::Doctor(command) => command.run(global, out),
            Self::Import(command) => command.run(global, out),
            Self::Schema(command) => command.run(out),
        }
    }

    /// The format in which errors are said as well.
    fn format(&self) -> Format {
        match self {
            Self::Check(command) => command.output,
            Self::Plan(command) => command.output,
            Self::Diff(command) => command.output,
            Self::Apply(command) => command.output,
            Self::Show(command) => command.output.of_errors(),
            Self::Explain(command) => command.output,
            Self::Drain(command) => command.about.output,
            Self::Undrain(command) => command.about.output,
            Self::Weight(command) => command.about.output,
            Self::Health(command) => command.about.output,
            Self::Overrides(command) => command.output,
            Self::Doctor(command) => command.output,
            Self::Import(command) => command.output.of_errors(),
            Self::Run(_) | Self::Top(_) => Format::Text,
            Self::Schema(_) => Format::Json,
        }
    }
}

impl Global {
    /// The path of the configuration.
    fn config(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(config::default_path)
    }

    /// The same for a command that goes by what it says, and not by one of two.
    fn one_config(&self) -> Result<PathBuf, Failure> {
        self.config.clone().map_or_else(|| Ok(config::only_default_path()?), Ok)
    }

    /// A command line that does something with the same configuration, for a shell in any folder.
    fn command_line(&self, command: &str) -> String {
        let option = |name: &str, path: &Option<PathBuf>| {
            let path = path.as_ref()?;
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            Some(format!(" --{name} {}", quoted(&path.display().to_string())))
        };
        let options = [option("config", &self.config), option("state-dir", &self.state_dir)];
        let variables = self.environment.iter().cloned().map(Some).map(|path| option("environment", &path));
        format!("ipvsd{} {command}", options.into_iter().chain(variables).flatten().collect::<String>())
    }

    /// The configuration, with what the command line overrides; warnings are printed.
    fn load(&self, out: &Out) -> Result<Desired, Failure> {
        let loaded = daemon::load(&[self.one_config()?], self.state_dir.as_deref(), Some(&facts()))?;
        self.take(loaded, out)
    }

    /// The same, with names looked up now.
    fn load_now(&self, out: &Out) -> Result<Desired, Failure> {
        let loaded = daemon::load_now(&[self.one_config()?], None, self.state_dir.as_deref(), Some(&facts()))?;
        self.take(loaded, out)
    }

    fn take(&self, loaded: config::Loaded, out: &Out) -> Result<Desired, Failure> {
        let config::Loaded { sources, mut desired, warnings, .. } = loaded;
        out.warnings(&Problems { sources, list: warnings });
        if let Some(state_dir) = &self.state_dir {
            desired.state_dir = std::path::absolute(state_dir)?;
        }
        Ok(desired)
    }
}

/// A word for a shell.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:,@".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_for_a_shell_is_one_word() {
        for (word, want) in [
            ("/etc/ipvsd/ipvsd.toml", "/etc/ipvsd/ipvsd.toml"),
            ("/tmp/a b", "'/tmp/a b'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), want);
        }
    }
}
