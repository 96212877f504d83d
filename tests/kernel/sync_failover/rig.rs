//! The directors, the client and the servers.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use crate::daemon_process::Daemon;
use crate::netns::{self, ip_batch, ipvsadm};
use crate::network::Host;
use crate::program::Program;

const FILE: &str = "ipvsd.toml";
/// The address of the services.
pub(super) const VIP: &str = "10.1.0.100";
pub(super) const SERVERS: [&str; 2] = ["10.1.0.21", "10.1.0.22"];
/// Longer than anything takes that is waited for.
const WITHIN: Duration = Duration::from_secs(20);

/// How the servers are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forward {
    Nat,
    Dr,
}

impl Forward {
    fn as_str(self) -> &'static str {
        match self {
            Self::Nat => "nat",
            Self::Dr => "dr",
        }
    }
}

/// A director and its ipvsd.
pub(super) struct Director {
    host: Host,
    _program: Program,
    _daemon: Daemon,
}

impl Director {
    /// `ipvsd run` in a namespace, with these tables and with services at these addresses, `tcp://10.1.0.100:80`.
    fn start(host: Host, tables: &str, services: &[(&str, &str)], forward: Forward) -> Self {
        let mut text = format!(
            "version = 1\n[daemon]\nresync = \"1s\"\n[host.sysctls]\n\"net.ipv4.ip_forward\" = 1\n{tables}\n\
             [defaults]\nforward = \"{}\"\nscheduler = \"rr\"\n",
            forward.as_str()
        );
        for (number, (address, more)) in services.iter().enumerate() {
            let port = address.rsplit_once(':').unwrap().1;
            let servers = SERVERS.map(|server| format!("{{ address = \"{server}:{port}\" }}")).join(", ");
            text += &format!(
                "[[services]]\nname = \"s{number}\"\naddress = \"{address}\"\n{more}\ndestinations = [{servers}]\n"
            );
        }
        let (program, daemon) = host.run(move || {
            let program = Program::new();
            program.write(FILE, &text);
            let daemon = Daemon::start(&program, FILE);
            (program, daemon)
        });
        Self { host, _program: program, _daemon: daemon }
    }

    pub(super) fn ipvsadm(&self, arguments: &'static [&'static str]) -> String {
        self.host.run(move || ipvsadm(arguments, ""))
    }

    /// The connections that it knows: `TCP ESTABLISHED 10.1.0.2:40000 10.1.0.100:80 10.1.0.21:80`, without the time that each
    /// has left.
    pub(super) fn connections(&self) -> Vec<String> {
        let listed = self.ipvsadm(&["-Lnc"]);
        let lines = listed.lines().filter(|line| line.starts_with("TCP") || line.starts_with("UDP"));
        let without_time = |line: &str| {
            let mut words: Vec<&str> = line.split_whitespace().collect();
            words.remove(1);
            words.join(" ")
        };
        lines.map(without_time).collect()
    }

    /// The packets that it has sent on to servers, as of two seconds ago: that often the kernel sums its counters up.
    pub(super) fn packets(&self) -> u64 {
        let listed = self.ipvsadm(&["-Ln", "--stats", "--exact"]);
        let of_servers = listed.lines().filter(|line| line.trim_start().starts_with("->")).skip(1);
        of_servers.map(|line| line.split_whitespace().nth(3).unwrap().parse::<u64>().unwrap()).sum()
    }
}

/// All of it.
pub(super) struct Pair {
    pub(super) client: Host,
    pub(super) servers: Vec<Host>,
    pub(super) a: Director,
    pub(super) b: Director,
}

impl Pair {
    /// Director A has the address. `tables` are those of A and of B, `services` addresses and what else is said of each.
    pub(super) fn new(forward: Forward, [of_a, of_b]: [&str; 2], services: &[(&str, &str)]) -> Self {
        let _kernel = netns::enter();
        let [client, a, b, one, two] = std::array::from_fn(|_| Host::new());
        let mut links = "link add br0 type bridge\nlink set br0 up\n".to_owned();
        for (port, host) in [("to-client", &client), ("to-a", &a), ("to-b", &b), ("to-21", &one), ("to-22", &two)] {
            links += &format!(
                "link add {port} type veth peer name eth0 netns {}\nlink set {port} master br0 up\n",
                host.namespace()
            );
        }
        ip_batch(&links);
        client
            .run(|| ip_batch("address add 10.1.0.2/24 dev eth0\naddress add 10.1.0.3/24 dev eth0\nlink set eth0 up\n"));
        for (host, address) in [(&a, 11), (&b, 12)] {
            host.run(move || {
                ip_batch(&format!(
                    "link set lo up\naddress add 10.1.0.{address}/24 dev eth0\nlink set eth0 up\n\
                     link add vip0 link eth0 address 00:00:5e:00:01:64 type macvlan mode private\n\
                     address add {VIP}/32 dev vip0\naddress add 10.1.0.1/32 dev vip0\n"
                ));
                // That of vip0 is nothing that eth0 answers for. It says that it is there when it comes up.
                for (path, value) in [("all/arp_ignore", "1"), ("vip0/arp_notify", "1")] {
                    conf(path, value);
                }
                for interface in ["all", "eth0", "vip0"] {
                    conf(&format!("{interface}/rp_filter"), "0");
                    conf(&format!("{interface}/send_redirects"), "0");
                }
            });
        }
        let servers = vec![one, two];
        for (host, address) in servers.iter().zip(SERVERS) {
            host.run(move || {
                conf("all/arp_ignore", "1");
                conf("all/arp_announce", "2");
                let eth0 = format!("link set lo up\naddress add {address}/24 dev eth0\nlink set eth0 up\n");
                ip_batch(&match forward {
                    Forward::Nat => eth0 + "route add 10.1.0.2/31 via 10.1.0.1\n",
                    Forward::Dr => eth0 + &format!("address add {VIP}/32 dev lo\n"),
                });
            });
        }
        a.run(|| ip_batch("link set vip0 up\n"));
        let a = Director::start(a, of_a, services, forward);
        let b = Director::start(b, of_b, services, forward);
        Self { client, servers, a, b }
    }

    /// Pulls the plug of A, and gives B the address.
    pub(super) fn a_dies(&self) {
        ip_batch("link set to-a down\n");
        self.b.host.run(|| ip_batch("link set vip0 up\n"));
    }

    /// One who listens to what masters say, beside the client.
    pub(super) fn witness(&self) -> Witness {
        Witness(self.client.run(|| {
            let socket = UdpSocket::bind("0.0.0.0:8848").unwrap();
            socket.join_multicast_v4(&Ipv4Addr::new(224, 0, 0, 81), &Ipv4Addr::new(10, 1, 0, 2)).unwrap();
            socket.set_read_timeout(Some(WITHIN)).unwrap();
            socket
        }))
    }
}

/// See [`Pair::witness`].
pub(super) struct Witness(UdpSocket);

impl Witness {
    /// The next message.
    #[track_caller]
    pub(super) fn hears(&self) -> Vec<u8> {
        let mut buffer = vec![0; 65536];
        let length = self.0.recv(&mut buffer).expect("a master says something");
        buffer.truncate(length);
        buffer
    }
}

fn conf(path: &str, value: &str) {
    fs::write(format!("/proc/sys/net/ipv4/conf/{path}"), value).unwrap();
}

/// Waits until something is so.
#[track_caller]
pub(super) fn wait(what: &str, is_it: impl Fn() -> bool, seen: impl Fn() -> String) {
    let begin = Instant::now();
    while !is_it() {
        assert!(begin.elapsed() < WITHIN, "waited for {what}:\n{}", seen());
        std::thread::sleep(Duration::from_millis(100));
    }
}
