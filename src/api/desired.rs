//! What is desired, as the HTTP side sees it, and how it is changed from there.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use axum::http::StatusCode;

use crate::model::{DestinationKey, Offer};

/// A service that is desired.
#[derive(Debug, Clone)]
pub struct Known {
    /// As it is kept; of one that stands in a file, what can be said of it so.
    pub offer: Arc<Offer>,
    /// It stands in a file that a person wrote, where only a person changes it.
    pub claimed: Option<Claimed>,
}

/// The file that claims something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub file: PathBuf,
    /// 1-based.
    pub line: usize,
    /// Nobody but the API would have written it, and somebody has changed it by hand: it may be deleted, and nothing else.
    pub edited: bool,
}

impl fmt::Display for Claimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, line) = (self.file.display(), self.line);
        match self.edited {
            false => write!(f, "the configuration claims it at {file}:{line}: change it there"),
            true => write!(
                f,
                "{file} was changed by hand: change it there, or move it among the files of the configuration"
            ),
        }
    }
}

/// What becomes of a service, given what it is. It is asked while nothing else changes it, on a thread that may wait a little.
pub type Edit = Box<dyn FnOnce(Option<&Known>) -> Result<Edited, NotDone> + Send>;

/// What an [`Edit`] comes to.
pub enum Edited {
    /// It is asked for already: the loop sees that it is so.
    Same {
        /// The one destination that this is about; nothing: the service.
        about: Option<DestinationKey>,
    },
    Put {
        offer: Offer,
        /// The same.
        about: Option<DestinationKey>,
        refused: IfRefused,
    },
    /// What the kernel refuses of it stays so, and is tried again.
    Delete,
}

/// What becomes of a change that the kernel refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfRefused {
    /// The service is again what it was before.
    Undo,
    /// It stays, and is tried again.
    Keep,
}

/// Why something was not done. Either nothing has changed, or the words say what has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotDone {
    pub status: StatusCode,
    pub words: String,
}

impl NotDone {
    pub fn new(status: StatusCode, words: impl Into<String>) -> Self {
        Self { status, words: words.into() }
    }
}
