//! The thread that talks to the kernel, to the daemon, and to the files, so that keys never wait for any of them.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use super::events::{Happening, happenings};
use super::state::{News, Note, Question};
use super::table::Table;
use crate::cli::explain::known;
use crate::cli::output::Out;
use crate::cli::picture::Picture;
use crate::cli::{Failure, Global, look, overrides};
use crate::daemon::control::ask_events;
use crate::daemon::orders::Target;
use crate::ipvs::{Ipvs as _, Kernel};
use crate::model::{Action, Desired};
use crate::plan::connections;
use crate::plan::render::words::count;
use crate::reconcile::unix_now;

/// Of so many parts of the time it works in one: a table that takes long to read is read less often.
const PARTS: u32 = 20;
/// An order has come into force by then, mostly.
const SOON: Duration = Duration::from_millis(300);
/// The files are read again after so long, whatever their time of change says: those of a folder have their own.
const FILES: Duration = Duration::from_secs(30);

/// What it is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ask {
    Prepare(Target, Action),
    Give(Target, Action),
}

/// What it has, from one look to the next.
pub(super) struct Reader {
    global: Global,
    out: Out,
    all: bool,
    every: Duration,
    kernel: Option<Kernel>,
    files: Option<Files>,
    /// The last look, which questions are about; none since an order was given.
    last: Option<Arc<Table>>,
}

/// The configuration, and when it was read.
struct Files {
    desired: Option<Arc<Desired>>,
    stamp: Option<(SystemTime, u64)>,
    read: Instant,
    /// What was wrong with it.
    warnings: Vec<String>,
}

impl Reader {
    /// `out` keeps what it is told.
    pub(super) fn new(global: Global, out: Out, every: Duration, all: bool) -> Self {
        Self { global, out, all, every, kernel: None, files: None, last: None }
    }

    /// Looks at everything.
    pub(super) fn look(&mut self) -> Result<Arc<Table>, Failure> {
        let mut kernel = match self.kernel.take() {
            Some(kernel) => kernel,
            None => Kernel::open()?,
        };
        let (live, settings) = (kernel.read()?, kernel.settings()?);
        self.kernel = Some(kernel);
        self.read_files();
        let files = self.files.as_ref();
        let desired = files.and_then(|files| files.desired.clone());
        let mut warnings = files.map(|files| files.warnings.clone()).unwrap_or_default();
        let state_dir = self.global.state_dir_or(desired.as_ref().map(|desired| desired.state_dir.clone()));
        let record = look::record(&state_dir, &self.out)?;
        let daemon = look::daemon(&state_dir, &self.out)?;
        let overrides = look::peek_overrides(&state_dir, &self.out);
        let events = match &daemon {
            Some(_) => events(&state_dir),
            None => Vec::new(),
        };
        warnings.extend(self.out.take_heard());
        let now = unix_now();
        let picture = Picture { live, settings, desired, record, daemon, overrides, all: self.all, now };
        let table = Arc::new(Table::new(picture, events, warnings, self.every));
        self.last = Some(Arc::clone(&table));
        Ok(table)
    }

    /// Reads the configuration, if it is another one than last time.
    fn read_files(&mut self) {
        let stamp = fs::metadata(self.global.config()).ok().and_then(|file| Some((file.modified().ok()?, file.len())));
        if self.files.as_ref().is_some_and(|files| files.stamp == stamp && files.read.elapsed() < FILES) {
            return;
        }
        let look::Surroundings { desired, .. } = self.global.look_around(&self.out);
        let warnings = self.out.take_heard();
        self.files = Some(Files { desired: desired.map(Arc::new), stamp, read: Instant::now(), warnings });
    }

    /// Looks and answers until nobody asks any more.
    pub(super) fn work(mut self, asks: &Receiver<Ask>, tell: impl Fn(News)) {
        let mut next = Instant::now() + self.every;
        loop {
            match asks.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Ask::Prepare(target, action)) => {
                    tell(match self.look_after_an_order(&tell) {
                        Ok(()) => self.prepare(target, action),
                        Err(failure) => News::Said(not_done(failure)),
                    });
                    continue;
                }
                Ok(Ask::Give(target, action)) => {
                    tell(News::Said(self.give(target, action)));
                    self.last = None;
                    next = Instant::now() + SOON.min(self.every);
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let begun = Instant::now();
            tell(match self.look() {
                Ok(table) => News::Table(table),
                Err(failure) => News::Failed(failure.words()),
            });
            let took = begun.elapsed();
            next = Instant::now() + self.every.max(took * (PARTS - 1));
        }
    }

    /// What the next order would leave behind depends on the one before.
    fn look_after_an_order(&mut self, tell: &impl Fn(News)) -> Result<(), Failure> {
        if self.last.is_none() {
            tell(News::Table(self.look()?));
        }
        Ok(())
    }

    /// Whether it may be, and what would come of it.
    fn prepare(&self, target: Target, action: Action) -> News {
        let said = |text: String| News::Said(Note { text, bad: true });
        let Some(table) = &self.last else { return said("the table has not been read yet".to_owned()) };
        let picture = &table.picture;
        let known = known(picture);
        let Target { service, destination } = target;
        // The same words as those of the command, and for the same reasons.
        if let Err(why) = known.resolve(&service.to_string(), &destination.to_string()) {
            return said(why);
        }
        if let Some(refusal) = action.refusal(&known, target) {
            return said(refusal);
        }
        let name = picture.name(&service).map_or_else(|| service.to_string(), str::to_owned);
        let live = picture.live.services.get(&service).and_then(|found| found.destinations.get(&destination));
        let open = match live.map_or(0, connections) {
            0 => String::new(),
            open => format!(" ({} open)", count(usize::try_from(open).unwrap_or(usize::MAX), "connection")),
        };
        let text = match action {
            Action::Undrain => format!("undrain {destination} of {name}?"),
            _ => format!("drain {destination} of {name}{open}?"),
        };
        News::Prepared(Question {
            target,
            action,
            text,
            warnings: action.warning(&known, target).into_iter().collect(),
        })
    }

    /// As the command does it.
    fn give(&self, target: Target, action: Action) -> Note {
        let Target { service, destination } = target;
        let words_of = (service.to_string(), destination.to_string());
        match overrides::order(action, (&words_of.0, &words_of.1), false, &self.global, &self.out) {
            Ok(ordered) => {
                self.out.take_heard();
                let sentences: Vec<&str> = ordered.given.iter().map(|given| given.sentence.as_str()).collect();
                let text = sentences.join("; ");
                match ordered.daemon {
                    true => Note { text, bad: false },
                    false => Note {
                        text: format!("{text}; no daemon is running: `ipvsd apply` brings it into force"),
                        bad: true,
                    },
                }
            }
            Err(failure) => not_done(failure),
        }
    }
}

fn not_done(failure: Failure) -> Note {
    Note { text: format!("not done: {}", failure.words()), bad: true }
}

fn events(state_dir: &Path) -> Vec<Happening> {
    // A daemon of another version may not know the question.
    ask_events(state_dir).ok().flatten().map(|told| happenings(&told)).unwrap_or_default()
}
