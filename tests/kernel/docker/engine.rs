//! A real Docker engine, the same for all the tests, in a network namespace which is the director's; and a client.
//!
//! ```text
//!  client 10.1.0.2 ── 10.1.0.1 director 172.17.0.1 ── docker0 ── containers 172.17.0.…
//!      │              192.0.2.10 (the service, by nat)
//!      └─ 10.8.0.2 ─┬─ 10.8.0.1, 10.8.0.100 (the service, by dr) director: own0, a macvlan on p0 as theirs are
//!                   └─ containers 10.8.0.…
//! ```
//!
//! A container's first process is busybox's httpd, which answers with the container's name and which ignores TERM: what is stopped
//! serves on until its grace is over.
//!
//! Starting a container takes three seconds here, and three times that on a busy machine.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::{Value, json};

use crate::netns::{ip_batch, ipvsadm, run};
use crate::network::Host;

/// Longer than anything takes that is waited for, with a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// The services' addresses: where nat leads to the containers, and where dr does.
pub(crate) const VIP: &str = "192.0.2.10:80";
pub(crate) const LAN_VIP: &str = "10.8.0.100:80";
pub(crate) const IMAGE: &str = "web:1";
/// As a registry's are.
pub(crate) const LONG_IMAGE: &str = "registry.example:5000/shop/web:2.1";

static ENGINE: LazyLock<Mutex<Engine>> = LazyLock::new(|| Mutex::new(Engine::first()));

/// The engine, and around it what there is.
pub(crate) struct Engine {
    folder: PathBuf,
    /// The director's namespace. The engine is a child of its thread, and ends with it.
    director: Host,
    pub(crate) client: Host,
    process: Child,
}

impl Engine {
    /// The one that there is, with no containers and an empty table. This thread is in the director's namespace from now on.
    pub(crate) fn start() -> MutexGuard<'static, Self> {
        // A test that has failed leaves it as good as any.
        let engine = ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
        let namespace = File::open(engine.director.namespace()).unwrap();
        move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), Some(LinkNameSpaceType::Network)).unwrap();
        ipvsadm(&["-C"], "");
        let containers = engine.get("/containers/json?all=1");
        for container in containers.as_array().unwrap() {
            engine.remove(container["Id"].as_str().unwrap());
        }
        engine
    }

    fn first() -> Self {
        let (director, client) = (Host::new(), Host::new());
        let of_client = client.namespace().to_owned();
        director.run(move || {
            ip_batch(&format!(
                "link set lo up\naddress add 192.0.2.10/32 dev lo\n\
                 link add c0 type veth peer name eth0 netns {of_client}\n\
                 address add 10.1.0.1/24 dev c0\nlink set c0 up\n\
                 link add p0 type veth peer name eth1 netns {of_client}\nlink set p0 up\n\
                 link add link p0 name own0 type macvlan mode bridge\n\
                 address add 10.8.0.1/24 dev own0\naddress add 10.8.0.100/32 dev own0\nlink set own0 up\n"
            ));
        });
        client.run(|| {
            ip_batch(
                "link set lo up\naddress add 10.1.0.2/24 dev eth0\nlink set eth0 up\n\
                 address add 10.8.0.2/24 dev eth1\nlink set eth1 up\nroute add default via 10.1.0.1\n",
            );
        });
        // A socket's path is short, so this is not beside other tests' folders.
        let folder = PathBuf::from("/run/engine");
        let process = Self::spawn(&director, &folder);
        let engine = Self { folder, director, client, process };
        engine.wait_answer();
        let folder = engine.folder.to_str().unwrap();
        run(&script(), &["--image", folder, IMAGE, LONG_IMAGE], "");
        let lan = json!({"Name": "lan", "Driver": "macvlan", "Options": {"parent": "p0"},
            "IPAM": {"Config": [{"Subnet": "10.8.0.0/24", "Gateway": "10.8.0.1", "IPRange": "10.8.0.32/27"}]}});
        engine.must("/networks/create", &lan);
        let blue = json!({"Name": "blue", "IPAM": {"Config": [{"Subnet": "10.9.0.0/24"}]}});
        engine.must("/networks/create", &blue);
        engine
    }

    /// Containers survive it: they are found again by the next one.
    fn spawn(director: &Host, folder: &Path) -> Child {
        let folder = folder.to_owned();
        director.run(move || {
            std::fs::create_dir_all(&folder).unwrap();
            let log = File::options().append(true).create(true).open(folder.join("log")).unwrap();
            let mut command = Command::new(script());
            command.arg(&folder).arg("--live-restore").stdin(Stdio::null());
            command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
        })
    }

    fn wait_answer(&self) {
        let begin = Instant::now();
        while self.ask("GET", "/_ping", None).is_none_or(|(status, _)| status != 200) {
            assert!(begin.elapsed() < PATIENCE, "no engine: {}", self.log());
            sleep(Duration::from_millis(100));
        }
    }

    /// The end of what it has logged.
    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("docker.sock")
    }

    /// Kills it. The containers go on.
    pub(crate) fn kill(&mut self) {
        kill_process(Pid::from_child(&self.process), Signal::KILL).unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again, and waits until it answers.
    pub(crate) fn come_back(&mut self) {
        self.process = Self::spawn(&self.director, &self.folder);
        self.wait_answer();
    }

    fn ask(&self, method: &str, target: &str, body: Option<&Value>) -> Option<(u16, String)> {
        ask(&self.socket(), method, target, body)
    }

    /// What it answers, which is JSON.
    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Value {
        let (status, body) = self.ask("GET", target, None).expect("the engine answers");
        assert_eq!(status, 200, "GET {target}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Asks for something that it does.
    #[track_caller]
    pub(crate) fn post(&self, target: &str) {
        self.must(target, &Value::Null);
    }

    #[track_caller]
    pub(crate) fn must(&self, target: &str, body: &Value) {
        let (status, said) = self.ask("POST", target, Some(body)).expect("the engine answers");
        assert!((200..300).contains(&status), "POST {target}: {status} {said}\n{}", self.log());
    }

    /// Asks for something, and gives back its end to wait for.
    pub(crate) fn post_in_background(&self, target: &str) -> JoinHandle<()> {
        let (socket, target) = (self.socket(), target.to_owned());
        thread::spawn(move || {
            let (status, said) = ask(&socket, "POST", &target, None).expect("the engine answers");
            assert!((200..300).contains(&status), "POST {target}: {status} {said}");
        })
    }

    /// Creates a container, which has this name, and starts it.
    #[track_caller]
    pub(crate) fn run(&self, name: &str, labels: &Value, more: &Value) {
        self.create(name, labels, more);
        self.post(&format!("/containers/{name}/start"));
    }

    /// Creates a container, which has this name. `more` goes over what is usual.
    #[track_caller]
    pub(crate) fn create(&self, name: &str, labels: &Value, more: &Value) {
        let mut wish = json!({"Image": IMAGE, "Hostname": name, "Labels": labels});
        for (key, value) in more.as_object().into_iter().flatten() {
            wish[key] = value.clone();
        }
        self.must(&format!("/containers/create?name={name}"), &wish);
    }

    /// Takes a container away, whatever it is doing.
    pub(crate) fn remove(&self, name: &str) {
        let (status, said) =
            self.ask("DELETE", &format!("/containers/{name}?force=1"), None).expect("the engine answers");
        assert!(status == 204, "removing {name}: {status} {said}");
    }

    /// The address of a container on a network.
    #[track_caller]
    pub(crate) fn address(&self, name: &str, network: &str) -> String {
        let container = self.get(&format!("/containers/{name}/json"));
        let address = &container["NetworkSettings"]["Networks"][network]["IPAddress"];
        address.as_str().filter(|address| !address.is_empty()).expect("it has an address there").to_owned()
    }

    /// The process identifier of a container's first process.
    #[track_caller]
    pub(crate) fn pid(&self, name: &str) -> Pid {
        let container = self.get(&format!("/containers/{name}/json"));
        Pid::from_raw(container["State"]["Pid"].as_i64().unwrap().try_into().unwrap()).expect("it runs")
    }
}

fn script() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/engine").to_owned()
}

/// Status and body, or nothing while nobody listens there.
fn ask(socket: &Path, method: &str, target: &str, body: Option<&Value>) -> Option<(u16, String)> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(PATIENCE * 2)).unwrap();
    let body = body.filter(|body| !body.is_null()).map(Value::to_string).unwrap_or_default();
    let length = body.len();
    // By 1.0 it sends no chunks.
    write!(
        stream,
        "{method} {target} HTTP/1.0\r\nhost: docker\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}
