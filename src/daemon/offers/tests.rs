//! Changes against a loop that does what the test says.

use super::*;
use crate::api::{Edit, Edited, IfRefused, NotDone};
use crate::config::{Circumstances, parse_together};
use crate::ipvs::Error;
use crate::model::{DestinationSettings, Forward, Offer, OfferedDestination, Scheduler, ServiceFlags, ServiceSettings};
use crate::plan::Plan;
use crate::reconcile::Picture;
use std::collections::VecDeque;
use std::io;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

/// Of a pass that had nothing to do.
pub(in crate::daemon) fn report() -> Report {
    Report {
        plan: Plan::default(),
        results: Vec::new(),
        host_results: Vec::new(),
        refused: None,
        unknown: Vec::new(),
        store_error: None,
        notices: Vec::new(),
        picture: Picture::default(),
    }
}

struct Stage {
    dir: TempDir,
    offers: Arc<Offers>,
    events: UnboundedReceiver<Event>,
}

type Changing = JoinHandle<Result<(), NotDone>>;

impl Stage {
    fn new(sync: SyncDirectory) -> Self {
        Self::again(tempfile::tempdir().unwrap(), sync)
    }

    fn again(dir: TempDir, sync: SyncDirectory) -> Self {
        let offers = Offers { sync, ..Offers::default() };
        let (wake, events) = unbounded_channel();
        offers.wake_by(move |event| wake.send(event).unwrap_or_default());
        offers.remember(dir.path());
        let text = "version = 1\nservices = []\n".to_owned();
        let files = Arc::new(vec![Source { path: "a.toml".into(), text }]);
        let fragments = crate::config::read_fragments(&folder(dir.path())).unwrap();
        let (parsed, foundation) = parse_together(files, &fragments, Circumstances::NONE).unwrap();
        offers.stock(dir.path(), (foundation, None), &parsed.desired, &fragments);
        Self { dir, offers: Arc::new(offers), events }
    }

    fn begin(&self, edit: Edit) -> Changing {
        tokio::spawn(Arc::clone(&self.offers).change("web".into(), edit))
    }

    /// Waits until a change is queued.
    async fn queued(&mut self) {
        while self.events.recv().await.unwrap() != Event::Api {}
    }

    /// Makes a pass for each of these, once there is something for it: whether the kernel takes it.
    async fn passes(&mut self, taken: &[bool]) {
        for taken in taken {
            self.queued().await;
            self.pass(*taken);
        }
    }

    fn pass(&self, taken: bool) {
        self.offers.take();
        let result = if taken { Ok(report()) } else { Err(PassError::Observe(Error::NotPermitted)) };
        self.offers.passed(&|_| true, &result);
    }

    fn kept(&self) -> Vec<String> {
        let files = fs::read_dir(folder(self.dir.path())).into_iter().flatten();
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn web(destinations: &[&str]) -> Offer {
    let settings = DestinationSettings { forward: Forward::Nat, weight: 1, max_connections: 0, min_connections: 0 };
    let destinations = destinations.iter().map(|at| OfferedDestination {
        name: (*at).to_owned(),
        key: at.parse().unwrap(),
        settings,
        check: None,
    });
    Offer {
        id: "web".into(),
        key: "tcp://192.0.2.1:80".parse().unwrap(),
        settings: ServiceSettings { scheduler: Scheduler::new("rr"), flags: ServiceFlags(0), persistence: None },
        destinations: destinations.collect(),
        note: String::new(),
    }
}

/// As a PUT of it does.
fn put(offer: Offer) -> Edit {
    Box::new(move |known| match known {
        Some(known) if *known.offer == offer => Ok(Edited::Same { about: None }),
        _ => Ok(Edited::Put { offer, about: None, refused: IfRefused::Undo }),
    })
}

/// As a PUT of a backend does.
fn backend() -> Edit {
    Box::new(|known| match known {
        Some(_) => Ok(Edited::Put { offer: web(&["10.0.0.1:80"]), about: None, refused: IfRefused::Undo }),
        None => Err(NotDone::new(axum::http::StatusCode::NOT_FOUND, "")),
    })
}

fn delete() -> Edit {
    Box::new(|_| Ok(Edited::Delete))
}

async fn status(changing: Changing) -> u16 {
    changing.await.unwrap().map_or_else(|error| error.status.as_u16(), |()| 200)
}

#[tokio::test]
async fn an_equal_one_waits_for_the_first_and_shares_its_lot() {
    let mut stage = Stage::new(sync_directory);
    let first = stage.begin(put(web(&[])));
    stage.queued().await;
    let second = stage.begin(put(web(&[])));
    // The first is refused and taken back; then the second is a change of its own.
    stage.pass(false);
    stage.passes(&[true, false, true]).await;
    assert_eq!((status(first).await, status(second).await), (500, 500));
    assert!(stage.offers.known("web").is_none() && stage.kept().is_empty());

    let first = stage.begin(put(web(&[])));
    stage.queued().await;
    let second = stage.begin(put(web(&[])));
    stage.pass(true);
    stage.queued().await;
    assert!(stage.offers.lock().queue.is_empty(), "it is only looked at");
    let part = stage.offers.take().unwrap();
    assert_eq!((part.services.len(), part.look.len()), (0, 1));
    stage.offers.passed(&|_| true, &Ok(report()));
    assert_eq!((status(first).await, status(second).await), (200, 200));
    // It may have come to be otherwise meanwhile.
    let third = stage.begin(put(web(&[])));
    stage.passes(&[false]).await;
    assert_eq!(status(third).await, 500);
    assert!(stage.offers.known("web").is_some(), "and stays");
}

#[tokio::test]
async fn nothing_is_built_on_what_is_taken_back() {
    let mut stage = Stage::new(sync_directory);
    let service = stage.begin(put(web(&[])));
    stage.queued().await;
    let of_it = stage.begin(backend());
    stage.pass(false);
    stage.passes(&[true]).await;
    assert_eq!((status(service).await, status(of_it).await), (500, 404));
    assert!(stage.offers.known("web").is_none() && stage.kept().is_empty());
    // And with what was there before it, all of that is there again.
    let put_all = stage.begin(put(web(&["10.0.0.1:80", "10.0.0.2:80"])));
    stage.passes(&[true]).await;
    assert_eq!(status(put_all).await, 200);
    let fewer = stage.begin(put(web(&[])));
    stage.passes(&[false, true]).await;
    assert_eq!(status(fewer).await, 500);
    assert_eq!(*stage.offers.known("web").unwrap().offer, web(&["10.0.0.1:80", "10.0.0.2:80"]));
}

#[tokio::test]
async fn what_is_asked_for_by_name_is_known_before_it_goes_and_until_it_is_done() {
    let key: ServiceKey = "tcp://192.0.2.1:80".parse().unwrap();
    let mut stage = Stage::new(sync_directory);
    let made = stage.begin(put(web(&["10.0.0.1:80"])));
    stage.passes(&[true]).await;
    assert_eq!(status(made).await, 200);
    let file = asked::file(stage.dir.path());
    assert!(stage.offers.asked().is_empty() && !file.exists());

    let gone = stage.begin(delete());
    stage.queued().await;
    assert_eq!(stage.offers.asked(), [key].into());
    // A pass that was made meanwhile, by the files as they were before.
    stage.offers.passed(&|_| true, &Ok(report()));
    assert_eq!(stage.offers.asked(), [key].into());
    assert_eq!(stage.kept(), Vec::<String>::new());

    // The process ends here, and the next one knows of it.
    drop(gone);
    let Stage { dir, .. } = stage;
    let stage = Stage::again(dir, sync_directory);
    assert_eq!(stage.offers.asked(), [key].into());
    stage.pass(false);
    assert_eq!(stage.offers.asked(), [key].into(), "it has failed");
    stage.pass(true);
    assert!(stage.offers.asked().is_empty());
    // The file goes with the next change.
    let mut stage = stage;
    let made = stage.begin(put(web(&["10.0.0.1:80"])));
    stage.passes(&[true]).await;
    assert_eq!(status(made).await, 200);
    assert!(!file.exists());
    let less = stage.begin(put(web(&[])));
    stage.queued().await;
    assert_eq!(fs::read_to_string(&file).unwrap(), "tcp://192.0.2.1:80\n", "a backend goes");
    stage.pass(true);
    assert_eq!(status(less).await, 200);
    assert!(stage.offers.asked().is_empty() && !file.exists());
}

/// The folder cannot be synced.
fn broken(directory: &Path) -> io::Result<()> {
    match directory.ends_with("api.d") {
        true => Err(io::Error::other("the disk is broken")),
        false => Ok(()),
    }
}

#[tokio::test]
async fn what_is_done_and_not_safe_is_said_to_be_so() {
    let mut stage = Stage::new(broken);
    let made = stage.begin(put(web(&[])));
    stage.passes(&[true]).await;
    let error = made.await.unwrap().unwrap_err();
    assert_eq!(error.status.as_u16(), 507);
    assert!(error.words.starts_with("it is done, and whether it outlives a power cut is not known"), "{}", error.words);
    assert!(error.words.ends_with("the disk is broken"), "{}", error.words);
    assert!(stage.offers.known("web").is_some() && stage.kept() == ["web.toml"]);
}

#[tokio::test]
async fn what_cannot_be_written_changes_nothing() {
    let mut stage = Stage::new(sync_directory);
    fs::write(folder(stage.dir.path()), "in the way").unwrap();
    let error = stage.begin(put(web(&[]))).await.unwrap().unwrap_err();
    assert_eq!(error.status.as_u16(), 507, "{}", error.words);
    assert!(error.words.starts_with("cannot write "), "{}", error.words);
    assert!(stage.offers.known("web").is_none());
    fs::remove_file(folder(stage.dir.path())).unwrap();
    let made = stage.begin(put(web(&[])));
    stage.passes(&[true]).await;
    assert_eq!(status(made).await, 200);
    // To delete takes no room.
    fs::create_dir(asked::file(stage.dir.path())).unwrap();
    let gone = stage.begin(delete());
    stage.passes(&[true]).await;
    assert_eq!(status(gone).await, 200);
    assert!(stage.offers.known("web").is_none() && stage.kept().is_empty());
}

#[tokio::test]
async fn two_of_one_service_come_one_after_the_other_and_others_do_not_wait() {
    let mut stage = Stage::new(sync_directory);
    let mut order = VecDeque::new();
    for at in ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"] {
        order.push_back((at, stage.begin(put(web(&[at])))));
        tokio::task::yield_now().await;
    }
    let mut other = web(&[]);
    (other.id, other.key) = ("dns".into(), "udp://192.0.2.1:53".parse().unwrap());
    let other = tokio::spawn(Arc::clone(&stage.offers).change("dns".into(), put(other)));
    stage.queued().await;
    stage.queued().await;
    assert_eq!(stage.offers.lock().queue.len(), 2, "one of each");
    stage.pass(true);
    assert_eq!(status(other).await, 200);
    while let Some((at, changing)) = order.pop_front() {
        assert_eq!(status(changing).await, 200);
        if !order.is_empty() {
            stage.queued().await;
            let known = stage.offers.known("web").unwrap();
            assert_ne!(known.offer.destinations[0].name, at, "the next one has begun");
            stage.pass(true);
        }
    }
    assert_eq!(stage.offers.known("web").unwrap().offer.destinations[0].name, "10.0.0.3:80");
}
