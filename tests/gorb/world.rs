//! A loop with everything that the API goes through, in this process: files, the folder of what came over the API, and the routes.
//! The kernel is whatever the test brings.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use ipvsd::api::{About, Broadcast, router};
use ipvsd::daemon::control::StatusCell;
use ipvsd::daemon::{Backroom, FileSource, Overlaid, Runtime, SampleReader, Workshop};
use ipvsd::health::Engine;
use ipvsd::host::Edge;
use ipvsd::ipvs::Ipvs;
use ipvsd::model::{Desired, ServiceKey};
use ipvsd::reconcile::{
    Assignments, Checker, Company, Event, FileStore, Loop, Now, Place, RecordStore as _, StoredOverrides, Verdicts,
};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

/// Nobody checks.
struct NoChecker;

impl Checker for NoChecker {
    fn assign(&mut self, _: &Assignments) {}

    fn assign_part(&mut self, _: &BTreeSet<ServiceKey>, _: &Assignments) {}

    fn set_at_once(&mut self, _: usize) {}

    fn verdicts(&self) -> Arc<Verdicts> {
        Arc::default()
    }

    fn verdicts_of(&self, _: &BTreeSet<ServiceKey>) -> Arc<Verdicts> {
        Arc::default()
    }

    fn take_changed(&mut self) -> BTreeSet<ServiceKey> {
        BTreeSet::new()
    }
}

/// An answer, with its body as text.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: Option<String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What stands in `error`.
    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}

/// See the file.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    router: Router,
    tokio: tokio::runtime::Runtime,
    pub(crate) events: Sender<Event>,
    looping: Option<JoinHandle<()>>,
    _runtime: Runtime,
}

/// The configuration of which nothing is of any matter.
pub(crate) const NOTHING: &str = "version = 1\nservices = []\n[daemon]\ndrain = \"0s\"\n";

impl World {
    /// With this in a file, and services without an address at 192.0.2.1.
    pub(crate) fn new(config: &str, kernel: impl FnOnce() -> Box<dyn Ipvs> + Send + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("conf.d")).unwrap();
        fs::write(dir.path().join("conf.d/ipvsd.toml"), config).unwrap();
        Self::again(dir, kernel)
    }

    /// As after a restart.
    pub(crate) fn again(dir: TempDir, kernel: impl FnOnce() -> Box<dyn Ipvs> + Send + 'static) -> Self {
        Self::start(dir, false, kernel)
    }

    /// With checks, if they are to be made.
    pub(crate) fn start(dir: TempDir, checks: bool, kernel: impl FnOnce() -> Box<dyn Ipvs> + Send + 'static) -> Self {
        let state_dir = dir.path().join("state");
        let mut source = FileSource::new(vec![dir.path().join("conf.d")], Some(state_dir.clone()))
            .with_offers(Some("192.0.2.1".parse().unwrap()));
        let desired = source.first().unwrap_or_else(|problems| panic!("{problems}"));
        let (events, received) = channel();
        let offers = source.offers();
        let wake = {
            let events = events.clone();
            move |event| events.send(event).unwrap_or_default()
        };
        offers.wake_by(wake.clone());
        let runtime = Runtime::start().unwrap();
        let (engine, runner) = Engine::new(wake.clone(), 100);
        runtime.spawner().spawn_local(|| runner.run());
        let reader = engine.reader();
        let checker: Box<dyn Checker + Send> = if checks { Box::new(engine) } else { Box::new(NoChecker) };
        let board = StatusCell::default();
        let stage = Backroom {
            about: About { version: "0".into(), pid: 1, started: 0 },
            overlaid: Arc::new(Overlaid::new(
                board.clone(),
                if checks { Box::new(move |_| reader()) } else { Box::new(|_| Arc::default()) },
            )),
            wake: Arc::new(wake),
            sample: SampleReader::default(),
            broadcast: Broadcast::default(),
            workshop: Arc::new(Workshop::of_this_machine(Vec::new(), state_dir.clone(), Place::here().unwrap())),
            offers,
        };
        let first = board.clone();
        let looping =
            thread::spawn(move || make_passes((source, desired), (board, checker), state_dir, kernel, &received));
        let deadline = Instant::now() + Duration::from_secs(20);
        while first.get().pass_at == 0 {
            assert!(Instant::now() < deadline && !looping.is_finished(), "no first pass");
            thread::sleep(Duration::from_millis(2));
        }
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { dir, router: router(Arc::new(stage)), tokio, events, looping: Some(looping), _runtime: runtime }
    }

    /// Ends the loop, and gives what stays.
    pub(crate) fn end(mut self) -> TempDir {
        self.events.send(Event::Stop).unwrap();
        self.looping.take().unwrap().join().unwrap();
        let empty = tempfile::tempdir().unwrap();
        std::mem::replace(&mut self.dir, empty)
    }

    pub(crate) fn ask(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let request = request(method, path, body);
        self.tokio.block_on(async {
            let response = self.router.clone().oneshot(request).await.unwrap();
            let status = response.status().as_u16();
            let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
            let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            Answer { status, kind, body: String::from_utf8(body.to_vec()).unwrap() }
        })
    }

    #[allow(dead_code, reason = "the tests on a kernel ask one thing at a time")]
    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    #[allow(dead_code, reason = "as above")]
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.tokio.block_on(future)
    }

    /// What GORB answers when it did it: 200, and nothing else.
    #[track_caller]
    pub(crate) fn done(&self, method: &str, path: &str, body: &str) {
        let answer = self.ask(method, path, body.to_owned());
        assert_eq!(
            (answer.status, answer.kind.as_deref(), answer.body.as_str()),
            (200, None, ""),
            "{method} {path} {body}"
        );
    }

    /// An error, and what it says.
    #[track_caller]
    pub(crate) fn refused(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let answer = self.ask(method, path, body.to_owned());
        assert_eq!(answer.kind.as_deref(), Some("application/json"), "{method} {path} {body}: {answer:?}");
        (answer.status, answer.error())
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, "");
        assert_eq!(
            (answer.status, answer.kind.as_deref()),
            (StatusCode::OK.as_u16(), Some("application/json")),
            "{path}"
        );
        answer.json()
    }

    /// The files of what came over the API, by name.
    pub(crate) fn kept(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).into_iter().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.dir.path().join("state/api.d")
    }

    #[allow(dead_code, reason = "the tests on a kernel have no use for it")]
    /// Wakes the loop, and gives it the time for it.
    pub(crate) fn reload(&self) {
        self.events.send(Event::Reload).unwrap();
        thread::sleep(Duration::from_millis(300));
    }
}

pub(crate) fn request(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder().method(method).uri(path).body(body.into()).unwrap()
}

impl Drop for World {
    fn drop(&mut self) {
        _ = self.events.send(Event::Stop);
        if let Some(looping) = self.looping.take() {
            _ = looping.join();
        }
    }
}

fn make_passes(
    (mut source, desired): (FileSource, Desired),
    (mut board, mut checker): (StatusCell, Box<dyn Checker + Send>),
    state_dir: PathBuf,
    kernel: impl FnOnce() -> Box<dyn Ipvs>,
    events: &std::sync::mpsc::Receiver<Event>,
) {
    let mut kernel = kernel();
    let mut store = FileStore::new(&state_dir, Place::here().unwrap());
    let (record, _) = store.load().unwrap();
    let mut overrides = StoredOverrides::new(&state_dir);
    let company = Company {
        source: &mut source,
        store: &mut store,
        overrides: &mut overrides,
        checker: &mut *checker,
        listener: &mut (),
        host: &mut Edge::default(),
        board: &mut board,
    };
    Loop::new(&mut *kernel, company, (desired, record), Now::read()).run(events, &Now::read);
}
