use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use super::*;
use crate::model::Desired;
use crate::plan::Plan;
use crate::reconcile::{Board as _, PassError, Picture, Report, Status};

/// A service manager that hears everything, and the announcer that tells it.
struct Scene {
    manager: UnixDatagram,
    announcer: Announcer,
    board: StatusCell,
    start: Instant,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn new(watchdog: Option<u64>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_nonblocking(true).unwrap();
        let (board, start) = (StatusCell::default(), Instant::now());
        let limit = watchdog.map(Duration::from_secs);
        let announcer = Announcer::new(Manager::named(path.as_os_str()).unwrap(), limit, board.clone(), start);
        Self { manager, announcer, board, start, _folder: folder }
    }

    /// What has come, a message each; `|` between its lines.
    fn heard(&self) -> Vec<String> {
        heard(&self.manager)
    }

    /// The loop makes a pass for this reason and rests, so many seconds after the start.
    fn pass(&mut self, why: Why, status: Status, result: &Result<Report, PassError>, second: u64) -> Option<u64> {
        self.announcer.begins(why);
        self.board.post(status);
        let desired = Desired::default();
        self.announcer.passed(&Passed { why, took: Duration::ZERO, services: None, result, desired: &desired });
        self.rest(second)
    }

    fn rest(&mut self, second: u64) -> Option<u64> {
        self.announcer.rests(self.start + Duration::from_secs(second)).map(|wait| wait.as_secs())
    }
}

fn heard(manager: &UnixDatagram) -> Vec<String> {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length) = manager.recv(&mut buffer) {
        all.push(String::from_utf8_lossy(&buffer[..length]).replace('\n', "|"));
    }
    all
}

fn good() -> Result<Report, PassError> {
    Ok(Report {
        plan: Plan::default(),
        results: Vec::new(),
        host_results: Vec::new(),
        refused: None,
        unknown: Vec::new(),
        store_error: None,
        notices: Vec::new(),
        picture: Picture::default(),
    })
}

fn bad() -> Result<Report, PassError> {
    Err(PassError::Observe(crate::ipvs::Error::NotPermitted))
}

fn well() -> Status {
    Status { pass_at: 1, ..Status::default() }
}

const START: Why = Why {
    start: true,
    files: false,
    reload: false,
    resync: false,
    retry: false,
    health: false,
    overrides: false,
    api: false,
    docker: false,
    names: false,
    step: false,
    poll: false,
};
const RELOAD: Why = Why { start: false, reload: true, ..START };
const RESYNC: Why = Why { start: false, resync: true, ..START };
const WELL: &str = "STATUS=0 services, 0 destinations; all as configured";

#[test]
fn it_is_ready_after_the_first_pass_that_could_be_made() {
    let mut scene = Scene::new(None);
    assert_eq!(scene.rest(0), None);
    assert_eq!(scene.heard(), ["STATUS=0 services, 0 destinations; the kernel has not been looked at yet"]);
    let blind = Status { blind: true, trouble: Some("no".to_owned()), ..well() };
    scene.pass(START, blind.clone(), &bad(), 1);
    scene.pass(RELOAD, blind, &bad(), 2);
    let told = scene.heard();
    assert_eq!(
        told,
        ["STATUS=0 services, 0 destinations; the kernel cannot be looked at: no"],
        "neither ready nor reloading"
    );
    assert_eq!(scene.pass(RESYNC, well(), &good(), 3), None);
    assert_eq!(scene.heard(), [format!("READY=1|{WELL}")]);
    scene.pass(RESYNC, well(), &good(), 4);
    assert_eq!(scene.heard(), [""; 0], "nothing is new");
}

#[test]
fn a_reload_is_over_when_its_pass_is() {
    let mut scene = Scene::new(None);
    scene.pass(START, well(), &good(), 0);
    scene.heard();
    let before = monotonic_usec();
    for result in [good(), bad()] {
        scene.announcer.begins(RELOAD);
        let told = scene.heard();
        let usec = told[0].strip_prefix("RELOADING=1|MONOTONIC_USEC=").unwrap().parse::<u128>().unwrap();
        assert!((before..=monotonic_usec()).contains(&usec), "{told:?}");
        let desired = Desired::default();
        let passed = Passed { why: RELOAD, took: Duration::ZERO, services: None, result: &result, desired: &desired };
        scene.announcer.passed(&passed);
        assert_eq!(scene.heard(), [""; 0]);
        scene.rest(1);
        assert_eq!(scene.heard(), ["READY=1"], "the status is what it was");
    }
}

#[test]
fn the_text_is_made_once_a_second_and_sent_when_it_is_another() {
    let mut scene = Scene::new(None);
    scene.pass(START, well(), &good(), 0);
    scene.heard();
    // Within the second: later.
    let outdated = Status { outdated: true, ..well() };
    assert_eq!(scene.pass(RESYNC, outdated.clone(), &good(), 0), Some(1));
    assert_eq!(scene.heard(), [""; 0]);
    assert_eq!(scene.rest(1), None);
    let told = scene.heard();
    assert!(told.len() == 1 && told[0].contains("an older configuration is in force"), "{told:?}");
    // What changes without a pass.
    scene.board.post(well());
    assert_eq!(scene.rest(5), None);
    assert_eq!(scene.heard(), [""; 0]);
    scene.announcer.news();
    scene.rest(6);
    assert_eq!(scene.heard(), [WELL]);
}

#[test]
fn the_watchdog_is_answered_by_a_loop_that_goes_on_and_by_no_other() {
    let mut scene = Scene::new(Some(60));
    assert_eq!(scene.pass(START, well(), &good(), 0), Some(30));
    scene.heard();
    assert_eq!(scene.rest(30), Some(30));
    assert_eq!(scene.heard(), ["WATCHDOG=1"]);
    // In the midst of a pass, when the kernel answers.
    let at = |second| scene.start + Duration::from_secs(second);
    scene.announcer.line.beat(|heart| heart.works(at(40)));
    assert_eq!(scene.heard(), [""; 0]);
    scene.announcer.line.beat(|heart| heart.works(at(50)));
    assert_eq!(scene.heard(), ["WATCHDOG=1"]);
    // It is stuck: nobody else answers, and its announcer's end is no answer either.
    drop(scene.announcer);
    assert_eq!(heard(&scene.manager), ["STOPPING=1|STATUS=Ending; the table stays as it is"]);
}

#[test]
fn without_a_watchdog_nobody_is_woken() {
    let mut scene = Scene::new(None);
    assert_eq!(scene.pass(START, well(), &good(), 0), None);
    assert_eq!(scene.rest(3600), None);
    scene.announcer.line.beat(|_| true);
    assert!(scene.heard().iter().all(|message| !message.contains("WATCHDOG")));
}

#[test]
fn abstract_sockets_are_sockets_and_others_are_not() {
    let name = format!("ipvsd-notify-{}", std::process::id());
    let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    manager.set_nonblocking(true).unwrap();
    Manager::named(format!("@{name}").as_ref()).unwrap().tell("READY=1").unwrap();
    assert_eq!(heard(&manager), ["READY=1"]);
    drop(manager);
    let gone = Manager::named(format!("@{name}").as_ref()).unwrap();
    assert!(gone.tell("READY=1").is_err() && gone.is_first_trouble() && !gone.is_first_trouble());
    for odd in ["vsock:2:9999", "relative", &format!("/{}", "x".repeat(200))] {
        assert!(Manager::named(odd.as_ref()).is_err(), "{odd}");
    }
}

#[test]
fn the_watchdog_is_for_the_process_that_it_names() {
    let text = |text: &str| Some(OsString::from(text));
    let minute = Some(Duration::from_secs(60));
    assert_eq!(watchdog(text("60000000"), None, 7), minute);
    assert_eq!(watchdog(text("60000000"), text("7"), 7), minute);
    assert_eq!(watchdog(text("60000000"), text("8"), 7), None);
    for odd in ["", "0", "-1", "soon"] {
        assert_eq!(watchdog(text(odd), None, 7), None, "{odd}");
    }
    assert_eq!(watchdog(None, text("7"), 7), None);
}
