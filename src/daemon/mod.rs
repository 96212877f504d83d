//! `ipvsd run`: puts the loop, the watchers and the files together, and takes them apart again in order.

pub mod control;
mod facts;
mod files;
mod hooks;
mod lock;
mod log;
mod runtime;

pub use facts::facts;
pub use files::FileSource;
pub use hooks::HookRunner;
pub use lock::{Lock, LockError};
pub use log::{LogFormat, parse_level, start as start_log};
pub use runtime::{Runtime, Spawner};

use std::sync::mpsc::channel;

use anyhow::Context as _;
use tracing::{info, warn};

use crate::ipvs::{Ipvs as _, Kernel};
use crate::model::{Desired, Overrides};
use crate::reconcile::{Company, Event, FileStore, Found, Loop, NoChecker, Now, Place, RecordStore as _};
use crate::watch::SignalWatcher;

/// Runs until SIGTERM or SIGINT. `source` has been loaded once, and gave `desired`.
///
/// The order matters. Watchers are there before the first pass, so that no change falls into a gap; the lock
/// goes after all that it is for. The table is left as it is.
pub fn run(mut source: FileSource, desired: Desired, force: bool) -> anyhow::Result<()> {
    let (wake, events) = channel();
    // Nobody listens any more when the loop has ended, and then nobody needs to.
    let wake = move |event| wake.send(event).unwrap_or_default();
    // First of all: until then a SIGHUP is the end.
    let _signals = SignalWatcher::start(wake.clone()).context("cannot watch for signals")?;

    let _lock = Lock::take(&desired.state_dir)?;
    let place = Place::here().context("cannot tell which network namespace this is")?;
    let mut store = FileStore::new(&desired.state_dir, place);
    let (record, found) = store.load()?;
    say_how_found(&found);

    let mut ipvs = Kernel::open()?;
    let kernel = ipvs.info()?;
    let (major, minor, patch) = kernel.version;

    // Whatever changed between the first reading and the watching.
    wake(Event::Files);
    source.watch(wake);

    info!(
        version = env!("CARGO_PKG_VERSION"),
        pid = std::process::id(),
        ipvs = %format_args!("{major}.{minor}.{patch}"),
        services = desired.table.services.len(),
        destinations = desired.table.destination_count(),
        owned = record.services.len(),
        "started"
    );
    let company = Company {
        source: &mut source,
        store: &mut store,
        overrides: &mut Overrides::default(),
        checker: &mut NoChecker,
        listener: &mut (),
        board: &mut (),
    };
    Loop::new(&mut ipvs, company, (desired, record), Now::read()).with_force(force).run(&events, &Now::read);
    info!("ended; the table stays as it is");
    Ok(())
}

/// Says what a person should know about the ownership record.
pub fn say_how_found(found: &Found) {
    match found {
        Found::Read | Found::Absent => {}
        Found::Elsewhere => {
            info!("the ownership record is of another boot or network namespace: starting with an empty one");
        }
        Found::Damaged { moved_to, why } => warn!(
            "the ownership record was damaged ({why}) and is now {}: starting with an empty one; what is not in the \
             configuration is left alone",
            moved_to.display()
        ),
    }
}
