//! Client, director and server on one switch, each in a network namespace, and the ways from the one to the other.
//!
//! ```text
//!            switch ─┬─ client    10.1.0.2; as 10.1.0.3 to the service by nat
//!                    ├─ director  10.1.0.1; services 10.1.0.100 (nat), .101 (dr), .102 (tunnel); HAProxy .103
//!                    └─ server    10.1.0.11 and 10.1.0.12, one nginx; .101 and .102 on its lo
//! ```
//!
//! Nothing differs between the ways but the address that the client asks: the server and its only worker are the same, and those that
//! balance take turns between two of the server's addresses. Only to 10.1.0.3 the server's way leads through the director. To a
//! third address, 10.1.0.13, the client's way leads through it, and IPVS has nothing to do with that: so much a machine in between costs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::netns::{self, Server, within};
use crate::process::run;

/// A way from the client to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Direct,
    Routed,
    Nat,
    Dr,
    Tunnel,
    Haproxy,
}

pub const WAYS: [Way; 6] = [Way::Direct, Way::Routed, Way::Nat, Way::Dr, Way::Tunnel, Way::Haproxy];

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Routed => "routed",
            Self::Nat => "nat",
            Self::Dr => "dr",
            Self::Tunnel => "tunnel",
            Self::Haproxy => "haproxy",
        }
    }

    /// What the client asks.
    pub fn address(self) -> &'static str {
        match self {
            Self::Direct => "10.1.0.11:80",
            Self::Routed => "10.1.0.13:80",
            Self::Nat => "10.1.0.100:80",
            Self::Dr => "10.1.0.101:80",
            Self::Tunnel => "10.1.0.102:80",
            Self::Haproxy => "10.1.0.103:80",
        }
    }

    pub fn is_ipvs(self) -> bool {
        matches!(self, Self::Nat | Self::Dr | Self::Tunnel)
    }
}

/// The length of the body at `/large`.
pub const LARGE: usize = 1 << 20;
/// The body at `/small`.
pub const SMALL: &str = "It works.\n";

pub struct Rig {
    folder: tempfile::TempDir,
    nginx: Server,
    haproxy: Server,
}

const CONFIGURATION: &str = r#"
version = 1

[defaults]
scheduler = "rr"

[[services]]
name = "nat"
address = "tcp://10.1.0.100:80"
destinations = [{ address = "10.1.0.11:80" }, { address = "10.1.0.12:80" }]

[[services]]
name = "dr"
address = "tcp://10.1.0.101:80"
destinations = [{ address = "10.1.0.11:80", forward = "dr" }, { address = "10.1.0.12:80", forward = "dr" }]

[[services]]
name = "tunnel"
address = "tcp://10.1.0.102:80"
destinations = [{ address = "10.1.0.11:80", forward = "tunnel" }, { address = "10.1.0.12:80", forward = "tunnel" }]
"#;

impl Rig {
    /// Builds all of it, the table by `ipvsd apply`, and waits until every way is open.
    pub fn new(ipvsd: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        hosts()?;
        within("director", || {
            let config = folder.path().join("ipvsd.toml");
            fs::write(&config, CONFIGURATION)?;
            let [ipvsd, config, state] = [ipvsd, &config, folder.path()].map(|path| path.to_str().unwrap_or_default());
            run(ipvsd, &["--config", config, "--state-dir", state, "apply"], "").map(drop)
        })?;
        users()?;
        let nginx = within("server", || nginx(folder.path()))?;
        let haproxy = within("director", || haproxy(folder.path()))?;
        let mut rig = Self { folder, nginx, haproxy };
        for way in WAYS {
            if let Err(error) = within("client", || wait_for(way.address())) {
                rig.is_alive()?;
                return Err(error);
            }
        }
        Ok(rig)
    }

    /// HAProxy's socket for questions.
    pub fn haproxy_socket(&self) -> PathBuf {
        self.folder.path().join("haproxy.sock")
    }

    /// Fails if one of the servers has ended.
    pub fn is_alive(&mut self) -> anyhow::Result<()> {
        self.nginx.is_alive().context("nginx")?;
        self.haproxy.is_alive().context("haproxy")
    }
}

/// The namespaces, what connects them, and their addresses.
fn hosts() -> anyhow::Result<()> {
    // With it comes a tunl0 in each namespace, which takes what any director sends.
    run("modprobe", &["ipip"], "")?;
    for name in ["switch", "client", "director", "server"] {
        netns::add(name)?;
    }
    within("switch", || netns::ip("link add br0 type bridge\nlink set br0 up\n"))?;
    for name in ["client", "director", "server"] {
        within("switch", || {
            netns::ip(&format!(
                "link add {name} type veth peer name eth0 netns {name}\nlink set {name} master br0\nlink set {name} up\n"
            ))
        })?;
    }
    within("client", || {
        netns::ip(
            "address add 10.1.0.2/24 dev eth0\naddress add 10.1.0.3/24 dev eth0\nlink set eth0 up\n\
             route add 10.1.0.100/32 dev eth0 src 10.1.0.3\nroute add 10.1.0.13/32 via 10.1.0.1 src 10.1.0.2\n",
        )
    })?;
    within("director", || {
        netns::ip("address add 10.1.0.1/24 dev eth0\nlink set eth0 up\n")?;
        for last in 100..=103 {
            netns::ip(&format!("address add 10.1.0.{last}/32 dev lo\n"))?;
        }
        netns::sysctls(&[
            ("net/ipv4/ip_forward", "1"),
            ("net/ipv4/conf/all/send_redirects", "0"),
            ("net/ipv4/conf/eth0/send_redirects", "0"),
        ])
    })?;
    within("server", || {
        netns::sysctls(&[("net/ipv4/conf/all/arp_ignore", "1"), ("net/ipv4/conf/all/arp_announce", "2")])?;
        netns::ip(
            "address add 10.1.0.11/24 dev eth0\naddress add 10.1.0.12/24 dev eth0\naddress add 10.1.0.13/24 dev eth0\nlink set eth0 up\n\
             address add 10.1.0.101/32 dev lo\naddress add 10.1.0.102/32 dev lo\n\
             route add 10.1.0.3/32 via 10.1.0.1\nlink set tunl0 up\n",
        )?;
        netns::sysctls(&[("net/ipv4/conf/all/rp_filter", "0"), ("net/ipv4/conf/tunl0/rp_filter", "0")])
    })
}

/// nginx and HAProxy look users up; the machine has none.
fn users() -> anyhow::Result<()> {
    for (path, line) in [("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"), ("/etc/group", "root:x:0:\n")] {
        if !Path::new(path).exists() {
            fs::write(path, line)?;
        }
    }
    Ok(())
}

fn nginx(folder: &Path) -> anyhow::Result<Server> {
    let (root, config) = (folder.display(), folder.join("nginx.conf"));
    fs::write(folder.join("large"), vec![b'x'; LARGE])?;
    fs::write(folder.join("small"), SMALL)?;
    // It makes a folder for each of these at its start, in /var/lib/nginx if they are not named.
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {root}/{kind};\n"))
        .concat();
    let text = format!(
        "user root root;\ndaemon off;\nmaster_process off;\nworker_processes 1;\npid {root}/nginx.pid;\nerror_log stderr;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n{temporary}  access_log off;\n  sendfile on;\n  tcp_nopush on;\n  keepalive_requests 1000000000;\n  keepalive_timeout 1h;\n\
         \x20 open_file_cache max=10;\n  server {{ listen 80 backlog=4096; root {root}; }}\n}}\n"
    );
    fs::write(&config, text)?;
    let config = config.to_str().context("an odd path")?;
    Server::start("nginx", &["-e", "stderr", "-c", config], &folder.join("nginx.log"))
}

fn haproxy(folder: &Path) -> anyhow::Result<Server> {
    let config = folder.join("haproxy.cfg");
    let text = format!(
        "global\n  maxconn 4096\n  stats socket {}/haproxy.sock\n\
         defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 1h\n  timeout server 1h\n\
         listen front\n  bind {}\n  balance roundrobin\n  server a 10.1.0.11:80\n  server b 10.1.0.12:80\n",
        folder.display(),
        Way::Haproxy.address()
    );
    fs::write(&config, text)?;
    let config = config.to_str().context("an odd path")?;
    Server::start("haproxy", &["-db", "-f", config], &folder.join("haproxy.log"))
}

/// Waits until somebody answers there.
fn wait_for(address: &str) -> anyhow::Result<()> {
    let begin = Instant::now();
    let address = address.parse()?;
    loop {
        match std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)) {
            Ok(_) => return Ok(()),
            Err(error) if begin.elapsed() > Duration::from_secs(60) => bail!("nobody answers at {address}: {error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}
