//! A whole daemon in a process of its own, on the fake kernel: its loop, its checks, its HTTP side, as `ipvsd run` puts them together.
//! One destination goes up and down all the time, and how long that takes to be in the kernel is told.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ipvsd::api::{About, Broadcast, router, serve};
use ipvsd::daemon::control::StatusCell;
use ipvsd::daemon::{Audience, Backroom, FileSource, HookRunner, Overlaid, Runtime, Sampler, Workshop};
use ipvsd::health::Engine;
use ipvsd::host::Edge;
use ipvsd::ipvs::{Ipvs, SharedFake};
use ipvsd::reconcile::{Company, Event, FileStore, Loop, Now, Place, RecordStore as _, StoredOverrides, unix_now};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::sync::watch;

const FLIPPED: &str = "tcp://192.0.2.1:80";

/// What the parent knows of it. Ends with the value.
pub struct Daemon {
    pub address: SocketAddr,
    pub child: Child,
    /// It ends when nobody holds this any more.
    _stdin: ChildStdin,
    flips: Arc<Mutex<Vec<Duration>>>,
}

/// What it takes.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// KiB.
    pub resident: u64,
    pub highest: u64,
    pub files: usize,
    pub threads: u64,
}

impl Daemon {
    /// With so many services of three destinations each.
    pub fn start(services: u32, tls: bool) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "daemon::daemon", "--nocapture"])
            .env("IPVSD_HOSTILE", format!("{services} {tls}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("it says where it listens").unwrap();
            if let Some(address) = line.split("listens at ").nth(1) {
                break address.parse().unwrap();
            }
        };
        let flips = Arc::<Mutex<Vec<Duration>>>::default();
        let told = Arc::clone(&flips);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(took) = line.strip_prefix("flip ").and_then(|took| took.parse().ok()) {
                    told.lock().unwrap().push(Duration::from_millis(took));
                }
            }
        });
        let stdin = child.stdin.take().unwrap();
        Self { address, child, _stdin: stdin, flips }
    }

    /// How long each flip took since this was asked last.
    pub fn flips(&self) -> Vec<Duration> {
        std::mem::take(&mut self.flips.lock().unwrap())
    }

    pub fn figures(&self) -> Figures {
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = fs::read_to_string(process.join("status")).unwrap();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_ascii_whitespace().next().unwrap().parse().unwrap()
        };
        Figures {
            resident: number("VmRSS:"),
            highest: number("VmHWM:"),
            files: fs::read_dir(process.join("fd")).unwrap().count(),
            threads: number("Threads:"),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test: the daemon, if a parent wants it to be.
#[test]
#[ignore = "it is started by the others; by hand: IPVSD_HOSTILE='10 false' cargo test --test http_hostile -- --ignored --exact daemon::daemon --nocapture"]
fn daemon() {
    let Ok(wanted) = std::env::var("IPVSD_HOSTILE") else { return };
    let (services, tls) = wanted.split_once(' ').unwrap();
    run(services.parse().unwrap(), tls.parse().unwrap());
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn configuration(
    folder: &std::path::Path,
    services: u32,
    tls: bool,
    listen: SocketAddr,
    checked: SocketAddr,
) -> String {
    let mut text = format!(
        "version = 1\n[daemon]\nstate_dir = \"{0}/state\"\n[api]\nlisten = \"{listen}\"\nwrites_per_second = 10000\ndefault_host = \
         \"192.0.2.200\"\n",
        folder.display()
    );
    if tls {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        fs::write(folder.join("tls.pem"), cert.pem()).unwrap();
        fs::write(folder.join("tls.key"), signing_key.serialize_pem()).unwrap();
        text += &format!("tls = {{ certificate = \"{0}/tls.pem\", key = \"{0}/tls.key\" }}\n", folder.display());
    }
    text += &format!(
        "[checks.port]\ntcp = {{}}\ninterval = \"500ms\"\ntimeout = \"500ms\"\nrise = 1\nfall = 1\n[[services]]\nname = \"flips\"\n\
         address = \"{FLIPPED}\"\ncheck = \"port\"\ndestinations = [{{ address = \"{checked}\" }}, {{ address = \"10.0.0.1:80\", \
         check = \"none\" }}]\n"
    );
    for number in 0..services {
        let [_, b, c, d] = number.to_be_bytes();
        text += &format!(
            "[[services]]\nname = \"service-{number}\"\naddress = \"tcp://198.18.{c}.{d}:{}\"\ndestinations = [{{ address = \
             \"10.1.{c}.{d}:80\" }}, {{ address = \"10.2.{c}.{d}:80\" }}, {{ address = \"10.3.{c}.{d}:80\" }}]\n",
            80 + u32::from(b)
        );
    }
    text
}

fn run(services: u32, tls: bool) {
    let dir = tempfile::tempdir().unwrap();
    let (listen, checked) = (free(), free());
    let file = dir.path().join("ipvsd.toml");
    fs::write(&file, configuration(dir.path(), services, tls, listen, checked)).unwrap();

    let (kernel, board, broadcast) = (SharedFake::default(), StatusCell::default(), Broadcast::default());
    let (events, received) = channel();
    let wake = move |event| events.send(event).unwrap_or_default();
    let mut source = FileSource::new(vec![file.clone()], None);
    let desired = source.first().unwrap_or_else(|problems| panic!("{problems}"));
    let (io, http) = (Runtime::start().unwrap(), Runtime::named("ipvsd-http").unwrap());
    let hooks = HookRunner::start(&io.spawner());
    let (mut engine, runner) = Engine::new(wake.clone(), desired.checks_at_once);
    io.spawner().spawn_local(|| runner.run());
    let of_kernel = || {
        let kernel = kernel.clone();
        move || Ok(Box::new(kernel.clone()) as Box<dyn Ipvs>)
    };
    let sampler = Sampler::start(of_kernel()).unwrap();
    let reader = engine.reader();
    let place = Place::here().unwrap();
    let host = Box::new(|| Box::new(Edge::default()) as _);
    let workshop = Workshop::new(vec![file], desired.state_dir.clone(), place.clone(), Box::new(of_kernel()), host);
    let stage = Backroom {
        about: About { version: env!("CARGO_PKG_VERSION").into(), pid: std::process::id(), started: unix_now() },
        overlaid: Arc::new(Overlaid::new(board.clone(), Box::new(move |_| reader()))),
        wake: Arc::new(wake.clone()),
        sample: sampler.reader(),
        broadcast: broadcast.clone(),
        workshop: Arc::new(workshop),
        offers: source.offers(),
    };
    let ((api, wanted), (listening, mut listens)) = (watch::channel(None), watch::channel(None));
    http.spawner().spawn(serve(router(Arc::new(stage)), wanted, listening));
    source.offers().wake_by(wake.clone());
    let mut audience = Audience::new(hooks, broadcast, move |wanted| drop(api.send_replace(wanted)));

    let (of_loop, posted) = (kernel.clone(), board.clone());
    let looping = thread::spawn(move || {
        let mut store = FileStore::new(&desired.state_dir, place);
        let (record, _) = store.load().unwrap();
        let (mut overrides, mut board, mut kernel) = (StoredOverrides::new(&desired.state_dir), board, of_loop);
        let company = Company {
            source: &mut source,
            store: &mut store,
            overrides: &mut overrides,
            checker: &mut engine,
            listener: &mut audience,
            host: &mut Edge::default(),
            board: &mut board,
        };
        Loop::new(&mut kernel, company, (desired, record), Now::read()).run(&received, &Now::read);
    });
    let is_there = || listens.borrow_and_update().is_some() && posted.get().pass_at > 0;
    wait(is_there);
    println!("listens at {listen}");
    let stop = wake;
    thread::spawn(move || {
        // Its end is the parent's.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        stop(Event::Stop);
    });
    let (service, destination) = (FLIPPED.parse().unwrap(), checked.to_string().parse().unwrap());
    let weight = || Some(kernel.lock().table().get(&service)?.destinations.get(&destination)?.settings.weight);
    let mut door = None;
    while !looping.is_finished() {
        let flipped = Instant::now();
        let is_up = door.is_none();
        door = is_up.then(|| TcpListener::bind(checked).unwrap());
        while (weight() > Some(0)) != is_up && !looping.is_finished() {
            // What is accepted would else wait for ever.
            if let Some(door) = &door {
                door.set_nonblocking(true).unwrap();
                while door.accept().is_ok() {}
            }
            thread::sleep(Duration::from_millis(5));
        }
        println!("flip {}", flipped.elapsed().as_millis());
        thread::sleep(Duration::from_millis(200));
    }
}

fn wait(mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(120), "in vain");
        thread::sleep(Duration::from_millis(10));
    }
}
