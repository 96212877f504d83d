//! What surrounds the kernel's table, for commands that must show what they can whatever else is broken.

use std::path::{Path, PathBuf};

use super::output::{Out, with_reasons};
use super::{Failure, Global};
use crate::config::peek_state_dir;
use crate::daemon;
use crate::daemon::control::{Answer, ask_status};
use crate::model::{Desired, Overrides, Record};
use crate::reconcile::unix_now;
use crate::reconcile::{FileStore, OverrideStore, OverridesError, Place};

/// Where the state is kept when no configuration says otherwise.
const STATE_DIR: &str = "/var/lib/ipvsd";

/// The configuration, if it is good, and the state directory in any case.
pub(super) struct Surroundings {
    pub(super) desired: Option<Desired>,
    pub(super) state_dir: PathBuf,
}

impl Global {
    /// Names are worth having, but a configuration that is wrong or missing must not keep the live table from whoever
    /// came to look at it.
    pub(super) fn look_around(&self, out: &Out) -> Surroundings {
        let path = self.config();
        let desired = match daemon::load(std::slice::from_ref(&path), self.state_dir.as_deref(), None) {
            Ok(loaded) => Some(loaded.desired),
            Err(_) => {
                // Whoever named no file may well have none.
                if self.config.is_some() || !is_missing(&path) {
                    out.warn(&self.lacking("names are missing here"));
                }
                None
            }
        };
        let configured = desired.as_ref().map(|desired| desired.state_dir.clone());
        Surroundings { desired, state_dir: self.state_dir_or(configured) }
    }

    /// That there is no configuration, or none that is good, and what comes of it.
    pub(super) fn lacking(&self, so: &str) -> String {
        let path = self.config();
        if is_missing(&path) {
            let path = path.display();
            return format!("there is no configuration at {path}, so {so}; name it with --config or IPVSD_CONFIG");
        }
        format!("the configuration {} is not good, so {so}; see `ipvsd check`", path.display())
    }

    /// The state directory: the command line's, the configuration's, even of one that is not good, or the usual one.
    pub(super) fn state_dir_or(&self, configured: Option<PathBuf>) -> PathBuf {
        let peeked = || peek_state_dir(&[self.config()]);
        self.state_dir.clone().or(configured).or_else(peeked).unwrap_or_else(|| PathBuf::from(STATE_DIR))
    }
}

/// Standard input is always there.
fn is_missing(path: &Path) -> bool {
    path != Path::new("-") && matches!(path.try_exists(), Ok(false))
}

/// What is owned; with a warning, nothing, if that cannot be known.
pub(super) fn record(state_dir: &Path, out: &Out) -> Result<Record, Failure> {
    Ok(match FileStore::new(state_dir, Place::here()?).peek() {
        Ok((record, damage)) => {
            if let Some(damage) = damage {
                out.warn(&damage);
            }
            record
        }
        Err(error) => {
            out.warn(&format!("what is owned is not known: {error}"));
            Record::default()
        }
    })
}

/// The overrides in force; with a warning, none, if they cannot be known. For looking only: to act on that would lift them.
pub(super) fn peek_overrides(state_dir: &Path, out: &Out) -> Overrides {
    overrides(state_dir).unwrap_or_else(|error| {
        out.warn(&error.to_string());
        Overrides::default()
    })
}

/// The overrides in force.
pub(super) fn overrides(state_dir: &Path) -> Result<Overrides, OverridesError> {
    let mut overrides = OverrideStore::new(state_dir).read()?;
    overrides.expire(unix_now());
    Ok(overrides)
}

/// What the running daemon says, if there is one, and if it works on the table of this network namespace.
pub(super) fn daemon(state_dir: &Path, out: &Out) -> Result<Option<Answer>, Failure> {
    let here = Place::here()?;
    Ok(match ask_status(state_dir) {
        Ok(Some(answer)) if answer.place != here => {
            out.warn(&format!(
                "the daemon with state directory {} works in another network namespace",
                state_dir.display()
            ));
            None
        }
        Ok(answer) => answer,
        Err(error) => {
            out.warn(&with_reasons(&error.into()));
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Color;

    #[test]
    fn a_file_that_is_not_there_is_not_called_bad() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ipvsd.toml");
        let global = |config: &Path| Global {
            config: Some(config.to_owned()),
            state_dir: None,
            environment: Vec::new(),
            color: Color::Never,
        };
        let of = path.display();
        let wanted = format!("there is no configuration at {of}, so it is; name it with --config or IPVSD_CONFIG");
        assert_eq!(global(&path).lacking("it is"), wanted);
        std::fs::write(&path, "version = 2").unwrap();
        let wanted = format!("the configuration {of} is not good, so it is; see `ipvsd check`");
        assert_eq!(global(&path).lacking("it is"), wanted);
        assert!(global(Path::new("-")).lacking("it is").contains("is not good"));
    }
}
