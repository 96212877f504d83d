//! `ipvsd run`: puts the loop, the watchers and the files together, and takes them apart again in order.

mod api;
mod containers;
pub mod control;
mod facts;
mod files;
mod hooks;
mod last_good;
mod limits;
mod lock;
mod log;
mod moved;
mod notify;
mod offers;
pub(crate) mod orders;
pub(crate) mod plans;
mod private;
mod runtime;
mod sampler;

pub use api::{Audience, Backroom, Http, OpenHost, OpenKernel, Overlaid, Workshop};
pub use containers::{Containers, SourcesReader, Stays, hold_unknown};
pub use facts::facts;
pub use files::FileSource;
pub use hooks::HookRunner;
pub use last_good::forget as forget_last_good;
pub use lock::{Lock, LockError};
pub use log::{LogFormat, parse_level, start as start_log};
pub use notify::Announcer;
pub use offers::{Offers, load, load_now};
pub use runtime::{Runtime, Spawner};
pub use sampler::{SampleReader, Sampler};

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::Context as _;
use tracing::{info, warn};

use crate::api::{About, Broadcast};
use crate::health::Engine;
use crate::host::Edge;
use crate::ipvs::{Ipvs as _, Kernel};
use crate::model::{Desired, ServiceKey};
use crate::reconcile::{
    Company, Event, FileStore, Found, Loop, Now, Place, RecordStore as _, StoredOverrides, unix_now,
};
use crate::watch::SignalWatcher;
use control::{Shared, StatusCell};

/// How long hooks may take when everything else has ended.
const PATIENCE_WITH_HOOKS: Duration = Duration::from_secs(2);
/// How long each thread may take.
const PATIENCE_WITH_THREADS: Duration = Duration::from_secs(2);

/// Runs until SIGTERM or SIGINT. `source` has been loaded once, and gave `desired`.
///
/// The order matters. Watchers are there before the first pass, so that no change falls into a gap; the lock
/// goes after all that it is for. The table is left as it is.
pub fn run(mut source: FileSource, mut desired: Desired, force: bool) -> anyhow::Result<()> {
    let (wake, events) = channel();
    // Nobody listens any more when the loop has ended, and then nobody needs to.
    let wake = move |event| wake.send(event).unwrap_or_default();
    // First of all: until then a SIGHUP is the end.
    let _signals = SignalWatcher::start(wake.clone()).context("cannot watch for signals")?;

    let _lock = Lock::take(&desired.state_dir)?;
    let place = Place::here().context("cannot tell which network namespace this is")?;
    let mut store = FileStore::new(&desired.state_dir, place.clone());
    let (record, found) = store.load()?;
    say_how_found(&found);
    source.hold(&record, &mut desired);

    let mut ipvs = Kernel::open()?;
    let kernel = ipvs.info()?;
    let (major, minor, patch) = kernel.version;

    // What waits on many sockets has a thread of its own.
    limits::take_all(desired.checks_at_once, desired.api.is_some());
    let runtime = Runtime::start().context("cannot start the thread for checks and hooks")?;
    let spawner = runtime.spawner();
    let hooks = HookRunner::start(&spawner);
    let (mut engine, runner) = Engine::new(wake.clone(), desired.checks_at_once);
    spawner.spawn_local(|| runner.run());
    let mut board = StatusCell::default();
    let mut overrides = StoredOverrides::new(&desired.state_dir);
    let sources = source.containers().reader();
    let broadcast = Broadcast::default();
    let told = (board.clone(), Arc::clone(&sources), broadcast.clone());
    answer(&desired, &spawner, told, &engine, wake.clone(), place.clone());
    spawner.spawn(source.containers().follower(&desired.state_dir, place.clone(), wake.clone()));
    spawner.spawn(source.containers().resolver(&desired.state_dir, place.clone(), wake.clone()));
    let sampler = Sampler::start(|| Ok(Box::new(Kernel::open()?))).context("cannot start the thread that samples")?;
    let workshop = Workshop::of_this_machine(source.paths().to_vec(), desired.state_dir.clone(), place);
    let (of_all, of_some) = (engine.reader(), engine.reader_of());
    let verdicts = Box::new(move |services: Option<&BTreeSet<ServiceKey>>| match services {
        None => of_all(),
        Some(services) => of_some(services),
    });
    let about = About { version: env!("CARGO_PKG_VERSION").to_owned(), pid: std::process::id(), started: unix_now() };
    let stage = Backroom {
        about,
        overlaid: Arc::new(Overlaid::new(board.clone(), verdicts).with_sources(sources)),
        wake: Arc::new(wake.clone()),
        sample: sampler.reader(),
        broadcast: broadcast.clone(),
        workshop: Arc::new(workshop),
        offers: source.offers(),
    };
    let mut http = Http::new(stage);
    let mut audience = Audience::new(hooks.clone(), broadcast, |api| http.want(api))
        .with_announcer(Announcer::of_this_process(board.clone()));

    source.offers().wake_by(wake.clone());
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
        overrides: &mut overrides,
        checker: &mut engine,
        listener: &mut audience,
        host: &mut Edge::default(),
        board: &mut board,
    };
    Loop::new(&mut ipvs, company, (desired, record), Now::read()).with_force(force).run(&events, &Now::read);
    // The hooks get to say what was seen last; then all that runs beside the loop ends.
    drop(audience);
    let http = http.close();
    hooks.end(PATIENCE_WITH_HOOKS);
    if let Some(http) = http {
        http.end(PATIENCE_WITH_THREADS);
    }
    runtime.end(PATIENCE_WITH_THREADS);
    drop(sampler);

    info!("ended; the table stays as it is");
    Ok(())
}

/// Lets a daemon be asked, and told to look. One that cannot be is better than none.
fn answer(
    desired: &Desired,
    spawner: &Spawner,
    (board, sources, broadcast): (StatusCell, SourcesReader, Broadcast),
    engine: &Engine,
    wake: impl Fn(Event) + Send + Sync + 'static,
    place: Place,
) {
    let socket = match control::bind(&desired.state_dir) {
        Ok(socket) => socket,
        Err(error) => {
            warn!("`ipvsd show` will not know what this daemon knows: {error}");
            return;
        }
    };
    let shared = Shared {
        board,
        verdicts: Some(Box::new(engine.reader())),
        broadcast,
        sources: Some(sources),
        wake: Box::new(wake),
        clock: Box::new(|| {
            let Now { at, unix } = Now::read();
            (at, unix)
        }),
        started: unix_now(),
        place,
    };
    spawner.spawn(async move {
        if let Err(error) = control::serve(socket, Arc::new(shared)).await {
            warn!("`ipvsd show` will not know what this daemon knows: {error}");
        }
    });
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
