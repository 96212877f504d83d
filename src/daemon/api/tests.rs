//! Orders and plans, on the fake kernel and files of their own.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::daemon::control::StatusCell;
use crate::host::Edge;
use crate::ipvs::{Error, Fake, SharedFake};
use crate::model::{Action, Live};
use crate::reconcile::{Board as _, DestinationStatus, OverrideStore, Place, ServiceStatus};

const CONFIG: &str = r#"
version = 1
[[services]]
name = "web"
address = "tcp://192.0.2.10:80"
destinations = [{ address = "10.0.0.11:80" }, { address = "10.0.0.12:80", weight = 7 }]
"#;

struct Scene {
    dir: tempfile::TempDir,
    kernel: SharedFake,
    room: Backroom,
    woken: Arc<AtomicUsize>,
}

impl Scene {
    /// A daemon that has made its first pass.
    fn new() -> Self {
        Self::with(|kernel| {
            let kernel = kernel.clone();
            Box::new(move || Ok(Box::new(kernel.clone())))
        })
    }

    fn with(open: impl FnOnce(&SharedFake) -> OpenKernel) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ipvsd.toml"), CONFIG).unwrap();
        let kernel = SharedFake::default();
        let mut board = StatusCell::default();
        let destination =
            |weight| DestinationStatus { configured: Some(weight), effective: weight, ..DestinationStatus::default() };
        let web = ServiceStatus {
            name: Some("web".into()),
            destinations: [("10.0.0.11:80", 100), ("10.0.0.12:80", 7)]
                .map(|(key, weight)| (key.parse().unwrap(), destination(weight)))
                .into(),
            ..ServiceStatus::default()
        };
        let services = [("tcp://192.0.2.10:80".parse().unwrap(), web)].into();
        board.post(Status { pass_at: 1, services, ..Status::default() });
        let woken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&woken);
        let paths = vec![dir.path().join("ipvsd.toml")];
        let host: OpenHost = Box::new(|| Box::new(Edge::default()));
        let place = Place::here().unwrap();
        let workshop = Workshop::new(paths, dir.path().join("state"), place, open(&kernel), host);
        let room = Backroom {
            about: About { version: "1".into(), pid: 1, started: 1 },
            overlaid: Arc::new(Overlaid::new(board, Box::new(|_| Arc::default()))),
            sample: SampleReader::default(),
            wake: Arc::new(move |event| {
                assert_eq!(event, Event::Overrides);
                counter.fetch_add(1, Ordering::Relaxed);
            }),
            broadcast: Broadcast::default(),
            workshop: Arc::new(workshop),
            offers: Arc::default(),
        };
        Self { dir, kernel, room, woken }
    }

    fn state(&self) -> std::path::PathBuf {
        self.dir.path().join("state")
    }

    async fn order(&self, service: &str, destination: &str, action: Action) -> Result<Ordered, Refusal> {
        self.room.order(Order { service: service.into(), destination: destination.into(), action }).await
    }
}

fn overrides(state: &Path) -> usize {
    OverrideStore::new(state).read().unwrap().services.values().map(|of| of.len()).sum()
}

#[tokio::test]
async fn an_order_is_written_down_and_said_as_the_commands_say_it() {
    let scene = Scene::new();
    let ordered = scene.order("web", "10.0.0.11", Action::Drain).await.unwrap();
    let [only] = &ordered.overrides[..] else { panic!("{ordered:?}") };
    assert_eq!(only.text, "10.0.0.11:80 of tcp://192.0.2.10:80 (web) is drained");
    assert!(only.changed && only.drained_since.is_some());
    assert_eq!(ordered.warnings, ["10.0.0.11:80 of tcp://192.0.2.10:80 (web) is not in the kernel's table yet"]);
    assert_eq!((scene.woken.load(Ordering::Relaxed), overrides(&scene.state())), (1, 1));

    let again = scene.order("tcp://192.0.2.10:80", "10.0.0.11:80", Action::Drain).await.unwrap();
    assert!(!again.overrides[0].changed && again.overrides[0].text.contains("is drained already, since "));
    scene.order("web", "10.0.0.11", Action::Undrain).await.unwrap();
    assert_eq!(overrides(&scene.state()), 0);
}

#[tokio::test]
async fn what_cannot_be_ordered_is_refused_with_the_reason() {
    let scene = Scene::new();
    let nobody = scene.order("wed", "10.0.0.11", Action::Drain).await.unwrap_err();
    assert_eq!(nobody, Refusal::Unknown("no service `wed`: did you mean `web`? (known: web)".into()));
    let Refusal::Unknown(text) = scene.order("web", "10.0.0.99", Action::Drain).await.unwrap_err() else { panic!() };
    assert!(text.starts_with("no destination `10.0.0.99` of web"), "{text}");
    let given = crate::model::Override { drained_since: Some(1), ..Default::default() };
    let (service, gone) = ("tcp://192.0.2.10:80".parse().unwrap(), "10.0.0.77:80".parse().unwrap());
    let store = OverrideStore::new(&scene.state());
    store.change(Duration::ZERO, 1, |overrides| overrides.set(service, gone, given)).unwrap();
    let conflict = scene.order("web", "10.0.0.77", Action::Drain).await.unwrap_err();
    let want = "10.0.0.77:80 of tcp://192.0.2.10:80 (web) is not in the configuration any more";
    assert_eq!(conflict, Refusal::Conflict(want.into()));
    std::fs::write(scene.state().join("overrides.json"), "{").unwrap();
    let Refusal::Failed(text) = scene.order("web", "10.0.0.11", Action::Drain).await.unwrap_err() else { panic!() };
    assert!(text.contains("are damaged"), "{text}");
    assert_eq!(scene.woken.load(Ordering::Relaxed), 0);

    let mut scene = Scene::new();
    scene.room.overlaid = Arc::new(Overlaid::new(StatusCell::default(), Box::new(|_| Arc::default())));
    let early = scene.order("web", "10.0.0.11", Action::Drain).await.unwrap_err();
    assert_eq!(early, Refusal::Busy("the first pass has not ended yet: try again".into()));
}

#[tokio::test]
async fn a_kernel_that_cannot_be_read_keeps_nobody_from_a_drain() {
    let scene = Scene::with(|_| Box::new(|| Err(Error::NotPermitted)));
    let ordered = scene.order("web", "10.0.0.11", Action::Drain).await.unwrap();
    assert!(
        ordered.warnings[0].starts_with("the override is given without a look at the kernel's table"),
        "{ordered:?}"
    );
    assert_eq!(overrides(&scene.state()), 1);
    assert!(matches!(scene.room.plan().await.unwrap_err(), Refusal::Failed(_)));
}

#[tokio::test]
async fn a_plan_is_of_the_files_as_they_are_now() {
    let scene = Scene::new();
    let plan = scene.room.plan().await.unwrap();
    assert_eq!(plan["operations"].as_array().unwrap().len(), 3);
    assert_eq!(plan["operations"][0]["name"], "web");
    assert_eq!(*scene.kernel.lock().take_log(), [], "it only looks");
    std::fs::write(scene.dir.path().join("ipvsd.toml"), CONFIG.replace("weight", "wieght")).unwrap();
    let Refusal::Conflict(text) = scene.room.plan().await.unwrap_err() else { panic!() };
    assert!(text.contains("ipvsd.toml:6") && text.contains("there is `weight`"), "{text}");
}

/// A kernel that takes its time.
struct Slow(SharedFake);

impl crate::ipvs::Ipvs for Slow {
    fn info(&mut self) -> Result<crate::ipvs::Info, Error> {
        self.0.info()
    }

    fn read(&mut self) -> Result<Live, Error> {
        std::thread::sleep(Duration::from_millis(300));
        self.0.read()
    }

    fn read_services(
        &mut self,
        keys: &[ServiceKey],
    ) -> Result<std::collections::BTreeMap<ServiceKey, crate::model::LiveService>, Error> {
        std::thread::sleep(Duration::from_millis(300));
        self.0.read_services(keys)
    }

    fn execute(&mut self, _: &[&crate::plan::Operation]) -> Result<Vec<Result<(), crate::ipvs::Refusal>>, Error> {
        panic!("nobody changes anything here")
    }

    fn settings(&mut self) -> Result<crate::ipvs::KernelSettings, Error> {
        self.0.settings()
    }

    fn set(&mut self, _: crate::ipvs::Setting<'_>) -> Result<Result<(), crate::ipvs::Refusal>, Error> {
        panic!("nobody changes anything here")
    }
}

#[tokio::test]
async fn whoever_goes_away_leaves_nothing_half_done() {
    let scene = Scene::with(|kernel| {
        let kernel = kernel.clone();
        Box::new(move || Ok(Box::new(Slow(kernel.clone()))))
    });
    let order = scene.order("web", "10.0.0.11", Action::Drain);
    assert!(tokio::time::timeout(Duration::from_millis(50), order).await.is_err(), "it takes longer");
    // The next one waits for its turn, and sees the first one done.
    let second = scene.order("web", "10.0.0.11", Action::Drain).await.unwrap();
    assert!(!second.overrides[0].changed);
    assert_eq!((scene.woken.load(Ordering::Relaxed), overrides(&scene.state())), (2, 1));
    let _: &Fake = &scene.kernel.lock();
}
