//! Commands beside a daemon.

use std::process::Command;

use super::{GOOD, ipvsd, text};

#[test]
fn a_sighup_during_the_start_does_not_end_it() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    // Where there is no IPVS, it is `modprobe` that makes the start long; and elsewhere nothing is configured.
    std::fs::write(at("a.toml"), "version = 1\nservices = []\n").unwrap();
    std::fs::write(at("modprobe"), format!("#!/bin/sh\n: >{}\nsleep 1\nexit 1\n", at("loading"))).unwrap();
    std::fs::set_permissions(at("modprobe"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    let mut child = Command::new(env!("CARGO_BIN_EXE_ipvsd"))
        .args(["run", "--config", &at("a.toml"), "--state-dir", &at("state")])
        .env("PATH", path)
        .stderr(std::fs::File::create(at("log")).unwrap())
        .spawn()
        .unwrap();
    let begun = || std::fs::exists(at("loading")).unwrap() || std::fs::metadata(at("log")).unwrap().len() > 0;
    while !begun() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    Command::new("kill").args(["-HUP", &pid]).status().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert!(child.wait().unwrap().code().is_some(), "not by the signal");
}

/// A daemon that has `web` in force, and does nothing.
struct Daemon {
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    woken: std::sync::mpsc::Receiver<ipvsd::reconcile::Event>,
}

impl Daemon {
    fn start(state: &std::path::Path) -> Self {
        use ipvsd::daemon::control::{Shared, StatusCell, bind, serve};
        use ipvsd::reconcile::{Board as _, DestinationStatus, Place, Status};
        std::fs::create_dir_all(state).unwrap();
        let socket = bind(state).unwrap();
        let mut status = Status { pass_at: 1, ..Status::default() };
        let web = status.services.entry("tcp://192.0.2.10:80".parse().unwrap()).or_default();
        web.name = Some("web".to_owned());
        let destination = DestinationStatus { configured: Some(100), ..DestinationStatus::default() };
        web.destinations.insert("10.0.0.11:8080".parse().unwrap(), destination);
        let mut board = StatusCell::default();
        board.post(status);
        let (wake, woken) = std::sync::mpsc::channel();
        let shared = Shared {
            board,
            verdicts: None,
            broadcast: Default::default(),
            sources: None,
            wake: Box::new(move |event| wake.send(event).unwrap()),
            clock: Box::new(|| (std::time::Instant::now(), 0)),
            started: 0,
            place: Place::here().unwrap(),
        };
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    ended = serve(socket, shared.into()) => panic!("{ended:?}"),
                    _ = stopped => {}
                }
            });
        });
        Self { stop: Some(stop), thread: Some(thread), woken }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn a_daemon_is_told_and_knows_what_is_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path());
    let drain = ["drain", "web", "10.0.0.11", "--config", "-", "--state-dir", dir.path().to_str().unwrap()];
    let output = ipvsd(&drain, GOOD);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(!text(&output.stderr).contains("no daemon"), "{}", text(&output.stderr));
    let within = std::time::Duration::from_secs(20);
    assert_eq!(daemon.woken.recv_timeout(within), Ok(ipvsd::reconcile::Event::Overrides));

    // A slip in the file does not keep a broken server in service.
    let bad = GOOD.replace("name", "nmae");
    let undrain = [&["undrain"], &drain[1..]].concat();
    let output = ipvsd(&undrain, &bad);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "10.0.0.11:8080 of tcp://192.0.2.10:80 (web) is not drained any more\n");
    assert!(text(&output.stderr).contains("what the daemon has in force"), "{}", text(&output.stderr));
    assert_eq!(daemon.woken.recv_timeout(within), Ok(ipvsd::reconcile::Event::Overrides));
    drop(daemon);
    assert_eq!(ipvsd(&undrain, &bad).status.code(), Some(78), "nobody knows");
}
