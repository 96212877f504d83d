//! A daemon on the fake kernel, with files of its own, checks that say what they are told to, and some traffic.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use ipvsd::api::{About, Answering, Backstage, Broadcast, Order, Ordered, Refusal, Role, Sample, router};
use ipvsd::daemon::control::StatusCell;
use ipvsd::daemon::{Audience, Backroom, FileSource, HookRunner, Overlaid, Runtime, SampleReader, Workshop};
use ipvsd::host::Edge;
use ipvsd::ipvs::{Ipvs as _, SharedFake};
use ipvsd::model::{Api, ApiListen, Desired, DestinationKey, Health, ServiceKey};
use ipvsd::reconcile::{
    Assignments, CheckVerdict, Checker, Company, Config, ConfigSource, Event, FileStore, Loop, Now, Place,
    RecordStore as _, Status, StoredOverrides, Verdict, Verdicts, unix_now,
};

/// Everything there is to see.
pub struct Theatre {
    pub kernel: SharedFake,
    pub checks: Checks,
    pub address: SocketAddr,
    pub dir: tempfile::TempDir,
    wake: Sender<Event>,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    runtime: Option<Runtime>,
}

impl Theatre {
    pub fn start(config: &str, role: Role) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ipvsd.toml"), config).unwrap();
        let state_dir = dir.path().join("state");
        let (kernel, checks, broadcast) = (SharedFake::default(), Checks::default(), Broadcast::default());
        let (wake, events) = channel();
        let board = StatusCell::default();
        let runtime = Runtime::start().unwrap();
        let spawner = runtime.spawner();

        let opened = kernel.clone();
        let open = Box::new(move || Ok(Box::new(opened.clone()) as Box<dyn ipvsd::ipvs::Ipvs>));
        let paths = vec![dir.path().join("ipvsd.toml")];
        let place = Place::here().unwrap();
        let workshop =
            Workshop::new(paths, state_dir.clone(), place.clone(), open, Box::new(|| Box::new(Edge::default())));
        let (told, verdicts) = (Mutex::new(wake.clone()), checks.clone());
        let room = Backroom {
            about: About { version: env!("CARGO_PKG_VERSION").into(), pid: std::process::id(), started: unix_now() },
            overlaid: Arc::new(Overlaid::new(board.clone(), Box::new(move |_| verdicts.verdicts()))),
            sample: SampleReader::default(),
            offers: Arc::default(),
            wake: Arc::new(move |event| told.lock().unwrap().send(event).unwrap_or_default()),
            broadcast: broadcast.clone(),
            workshop: Arc::new(workshop),
        };
        let app = router(Arc::new(Stage { room, kernel: kernel.clone() })).layer(axum::Extension(role));
        let (send, address) = channel();
        spawner.spawn(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            send.send(listener.local_addr().unwrap()).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let app = TowerToHyperService::new(app.clone());
                let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), app);
                tokio::spawn(async move { drop(connection.await) });
            }
        });
        let address = address.recv().unwrap();

        let over = Arc::new(AtomicBool::new(false));
        let (of_loop, of_traffic) = (kernel.clone(), kernel.clone());
        let (mut checker, file, hooks) = (checks.clone(), dir.path().join("ipvsd.toml"), HookRunner::start(&spawner));
        let looping = std::thread::spawn(move || {
            play(of_loop, &mut checker, file, state_dir, place, (hooks, broadcast), board, &events);
        });
        let ended = Arc::clone(&over);
        let traffic = std::thread::spawn(move || {
            for round in 0.. {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                flow(&of_traffic, round);
                std::thread::sleep(Duration::from_millis(250));
            }
        });
        let threads = vec![looping, traffic];
        Self { kernel, checks, address, dir, wake, over, threads, runtime: Some(runtime) }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Writes the file, and has it read.
    pub fn configure(&self, config: &str) {
        std::fs::write(self.dir.path().join("ipvsd.toml"), config).unwrap();
        self.wake(Event::Reload);
    }

    pub fn wake(&self, event: Event) {
        self.wake.send(event).unwrap();
    }

    /// The weight that a destination has in the kernel.
    pub fn weight(&self, service: &str, destination: &str) -> Option<u32> {
        let (service, destination): (ServiceKey, DestinationKey) =
            (service.parse().unwrap(), destination.parse().unwrap());
        Some(self.kernel.lock().table().get(&service)?.destinations.get(&destination)?.settings.weight)
    }

    /// What its checks say of a destination from now on.
    pub fn judge(&self, service: &str, destination: &str, health: Health, reason: &str) {
        self.checks.say((service.parse().unwrap(), destination.parse().unwrap()), health, reason);
        self.wake(Event::Health);
    }

    /// No more HTTP.
    pub fn hang_up(&mut self) {
        self.runtime.take().unwrap().end(Duration::from_secs(5));
    }
}

impl Drop for Theatre {
    fn drop(&mut self) {
        let _ = self.wake.send(Event::Stop);
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[allow(clippy::too_many_arguments, reason = "it is the whole company")]
fn play(
    mut kernel: SharedFake,
    checker: &mut Checks,
    file: PathBuf,
    state_dir: PathBuf,
    place: Place,
    (hooks, broadcast): (HookRunner, Broadcast),
    mut board: StatusCell,
    events: &std::sync::mpsc::Receiver<Event>,
) {
    let mut source = Source(FileSource::new(vec![file], Some(state_dir.clone())));
    let desired = with_api(source.0.first().unwrap());
    let mut store = FileStore::new(&state_dir, place);
    let (record, _) = store.load().unwrap();
    let company = Company {
        source: &mut source,
        store: &mut store,
        overrides: &mut StoredOverrides::new(&state_dir),
        checker,
        listener: &mut Audience::new(hooks, broadcast, drop),
        host: &mut Edge::default(),
        board: &mut board,
    };
    Loop::new(&mut kernel, company, (desired, record), Now::read()).run(events, &Now::read);
}

fn with_api(desired: Desired) -> Desired {
    let api = Api {
        listen: ApiListen::Tcp("127.0.0.1:0".parse().unwrap()),
        tls: None,
        tokens: None,
        writes_per_second: 10,
        default_host: None,
        metrics_services: 1000,
        metrics_destinations: 1000,
    };
    Desired { api: Some(api), ..desired }
}

struct Source(FileSource);

impl ConfigSource for Source {
    fn load(&mut self, afresh: bool) -> Config {
        match self.0.load(afresh) {
            Config::New(desired) => Config::New(Box::new(with_api(*desired))),
            other => other,
        }
    }

    fn changed(&mut self) -> bool {
        self.0.changed()
    }

    fn poll(&self) -> Option<Duration> {
        None
    }
}

/// New connections go where there is weight, and go away where there is none.
fn flow(kernel: &SharedFake, round: u32) {
    let mut kernel = kernel.lock();
    for (number, service) in kernel.table().values_mut().enumerate() {
        let weights: u64 = service.destinations.values().map(|of| u64::from(of.settings.weight)).sum();
        service.stats.connection_rate = 0;
        for (place, destination) in service.destinations.values_mut().enumerate() {
            let wave = (f64::from(round) / 9.0 + f64::from(u32::try_from(place + number * 3).unwrap())).sin();
            let share = u64::from(destination.settings.weight) * 240 / weights.max(1);
            // Between two thirds and four thirds of it.
            destination.stats.connection_rate = (share as f64 * (1.0 + wave / 3.0)) as u64;
            destination.stats.in_byte_rate = destination.stats.connection_rate * 800;
            destination.stats.out_byte_rate = destination.stats.connection_rate * 14_000;
            destination.active_connections = match destination.settings.weight {
                0 => destination.active_connections.saturating_sub(2),
                _ => u32::try_from(destination.stats.connection_rate / 3).unwrap(),
            };
            service.stats.connection_rate += destination.stats.connection_rate;
            service.stats.in_byte_rate = service.stats.connection_rate * 800;
            service.stats.out_byte_rate = service.stats.connection_rate * 14_000;
        }
    }
}

/// What the page is served from, with counters that are read when somebody asks.
struct Stage {
    room: Backroom,
    kernel: SharedFake,
}

impl Backstage for Stage {
    fn about(&self) -> &About {
        self.room.about()
    }

    fn status(&self) -> Arc<Status> {
        self.room.status()
    }

    fn verdicts(&self) -> Arc<Verdicts> {
        self.room.verdicts()
    }

    fn sample(&self) -> Arc<Sample> {
        let live = self.kernel.clone().read().unwrap();
        Arc::new(Sample { unix_ms: unix_now() * 1000, live })
    }

    fn wake(&self, event: Event) {
        self.room.wake(event);
    }

    fn unix(&self) -> u64 {
        self.room.unix()
    }

    fn broadcast(&self) -> &Broadcast {
        self.room.broadcast()
    }

    fn order(&self, order: Order) -> Answering<Result<Ordered, Refusal>> {
        self.room.order(order)
    }

    fn plan(&self) -> Answering<Result<serde_json::Value, Refusal>> {
        self.room.plan()
    }
}

/// Checks that say what they are told to; up until then.
#[derive(Clone, Default)]
pub struct Checks(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    verdicts: Verdicts,
    changed: BTreeSet<ServiceKey>,
}

impl Checks {
    fn say(&self, of: (ServiceKey, DestinationKey), health: Health, reason: &str) {
        let mut state = self.0.lock().unwrap();
        state.verdicts.destinations.insert(of, verdict(health, reason));
        state.changed.insert(of.0);
    }
}

fn verdict(health: Health, reason: &str) -> Verdict {
    let check = CheckVerdict {
        name: "web".into(),
        kind: "http",
        health,
        reason: reason.into(),
        flapping: false,
        took: Some(Duration::from_millis(3)),
    };
    Verdict { health, reason: reason.into(), since: Instant::now(), checks: vec![check] }
}

impl Checker for Checks {
    fn assign(&mut self, assignments: &Assignments) {
        let mut state = self.0.lock().unwrap();
        let before = std::mem::take(&mut state.verdicts.destinations);
        let of = |key: &(ServiceKey, DestinationKey)| before.get(key).cloned().unwrap_or(verdict(Health::Up, ""));
        state.verdicts.destinations = assignments.keys().map(|key| (*key, of(key))).collect();
    }

    fn assign_part(&mut self, services: &BTreeSet<ServiceKey>, assignments: &Assignments) {
        let mut state = self.0.lock().unwrap();
        let before: BTreeMap<_, _> = std::mem::take(&mut state.verdicts.destinations);
        let others = before.iter().filter(|((service, _), _)| !services.contains(service));
        let mut after: BTreeMap<_, _> = others.map(|(key, verdict)| (*key, verdict.clone())).collect();
        for key in assignments.keys() {
            after.insert(*key, before.get(key).cloned().unwrap_or(verdict(Health::Up, "")));
        }
        state.verdicts.destinations = after;
    }

    fn verdicts(&self) -> Arc<Verdicts> {
        Arc::new(self.0.lock().unwrap().verdicts.clone())
    }

    fn verdicts_of(&self, services: &BTreeSet<ServiceKey>) -> Arc<Verdicts> {
        let mut verdicts = self.0.lock().unwrap().verdicts.clone();
        verdicts.destinations.retain(|(service, _), _| services.contains(service));
        Arc::new(verdicts)
    }

    fn take_changed(&mut self) -> BTreeSet<ServiceKey> {
        std::mem::take(&mut self.0.lock().unwrap().changed)
    }
}
