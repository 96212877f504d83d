//! The doctor at a real server.

use super::*;
use crate::frail::Frail;
use crate::netns::{self, ip_batch, ipvsadm};
use crate::network::{Network, VIP};

fn configuration(forward: &str) -> String {
    WEB.replace("10.0.0.11:8080\"", &format!("10.2.0.11:80\", forward = \"{forward}\""))
}

/// A director of one real server, and what the doctor finds there; its answers to clients.
struct Scene {
    network: Network,
    _server: Frail,
}

impl Scene {
    fn set(option: &str) -> Self {
        // With its module there, each namespace that is made from now on has a tunl0.
        ip_batch("link delete v0\nlink add probe type ipip remote 10.2.0.99 local 10.2.0.1\nlink delete probe\n");
        let network = Network::around_here(1);
        // Answers come through this host, with an address of its own.
        set("ipv4/conf/br0/accept_local", "1");
        let server = Frail::start(&network.servers[0], 1, "0.0.0.0:80");
        network.servers[0].run(|| ip_batch("link set lo up\n"));
        ipvsadm(&["-A", "-t", VIP, "-s", "rr"], "");
        ipvsadm(&["-a", "-t", VIP, "-r", "10.2.0.11:80", option], "");
        Self { network, _server: server }
    }

    fn answers(&self) -> bool {
        answers(&self.network.client, VIP)
    }

    fn is_silent(&self) -> bool {
        is_silent(&self.network.client, VIP)
    }

    /// Does something with the doctor's clinic at the real server.
    fn there<T: Send + 'static>(&self, clinic: Clinic, job: impl FnOnce(&Clinic) -> T + Send + 'static) -> T {
        let (done, wait) = std::sync::mpsc::channel();
        let server = &self.network.servers[0];
        server.start(move || drop(done.send(job(&clinic))));
        wait.recv_timeout(Duration::from_secs(60)).expect("it went well at the server")
    }
}

/// A server must not answer for the service's address. What the network learns otherwise, ARP shows: the mend ends that.
#[test]
fn a_server_that_answers_arp() {
    let _kernel = netns::enter();
    let scene = Scene::set("-g");
    // A neighbour of both asks who has it, and is told.
    let neighbour = Host::new();
    ip_batch(&format!(
        "link add n1 type veth peer name eth0 netns {}\nlink set n1 master br0 up\n",
        neighbour.namespace()
    ));
    neighbour
        .run(|| ip_batch("address add 10.2.0.77/24 dev eth0\nlink set eth0 up\nroute add 192.0.2.10/32 dev eth0\n"));
    let told = move || {
        neighbour.run(|| {
            let _ = Command::new("ip").args(["neighbour", "flush", "dev", "eth0"]).stderr(Stdio::null()).status();
            let _ = request(VIP.parse().unwrap(), Duration::from_millis(700));
            netns::ip(&["neighbour", "show", "192.0.2.10"])
        })
    };
    let mac = scene.network.servers[0].run(|| {
        let shown = netns::ip(&["-o", "link", "show", "eth0"]);
        shown.split_whitespace().skip_while(|word| *word != "link/ether").nth(1).unwrap().to_owned()
    });
    scene.network.servers[0].run(|| ip_batch("address add 192.0.2.10/32 dev lo\n"));
    // The director's bridge keeps silent meanwhile: who answers first would be chance.
    set("ipv4/conf/br0/arp_ignore", "1");
    assert!(told().contains(&mac), "the server answers");
    let finding = scene.there(Clinic::open(&configuration("dr")), |clinic| {
        let provoke = || {
            set("ipv4/conf/eth0/arp_ignore", "0");
            set("ipv4/conf/eth0/arp_announce", "0");
        };
        clinic.mends("server-answers-arp", provoke)
    });
    assert_eq!(
        texts(&finding, "command"),
        ["sysctl -w net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2"]
    );
    assert!(!told().contains(&mac), "the server is silent");
    assert!(scene.answers(), "and takes what comes from the director");

    // On the network's own interface the address is answered for, whatever is set.
    scene.network.servers[0]
        .run(|| ip_batch("address delete 192.0.2.10/32 dev lo\naddress add 192.0.2.10/24 dev eth0\n"));
    assert!(told().contains(&mac));
    let finding = scene.there(Clinic::open(&configuration("dr")), |clinic| {
        let finding = clinic.finding("server-answers-arp");
        clinic.run(&command(&finding));
        clinic.is_gone("server-answers-arp");
        finding
    });
    assert_eq!(command(&finding), "ip address add 192.0.2.10/32 dev lo\nip address delete 192.0.2.10/24 dev eth0");
    assert!(!told().contains(&mac));
    assert!(scene.answers());
}

/// What comes out of the tunnel is dropped, unless the filter is loose and the interface has an address, or the filter is off.
#[test]
fn a_server_that_drops_what_comes_out_of_a_tunnel() {
    let _kernel = netns::enter();
    let scene = Scene::set("-i");
    scene.network.servers[0].run(|| {
        for (name, value) in [("all/arp_ignore", "1"), ("all/arp_announce", "2"), ("all/rp_filter", "0")] {
            set(&format!("ipv4/conf/{name}"), value);
        }
        ip_batch("address add 192.0.2.10/32 dev lo\nlink set tunl0 up\n");
    });
    let id = "server-drops-tunnelled";
    set_on(&scene.network.servers[0], "ipv4/conf/tunl0/rp_filter", "1");
    assert!(scene.is_silent());
    let finding = scene.there(Clinic::open(&configuration("tunnel")), move |clinic| {
        clinic.mends(id, || set("ipv4/conf/tunl0/rp_filter", "1"))
    });
    assert_eq!(texts(&finding, "command"), ["sysctl -w net.ipv4.conf.tunl0.rp_filter=0"]);
    assert!(scene.answers(), "the mend helps clients");

    // Loose is not loose enough without an address; and where it is on for all, one interface cannot have it off.
    for (name, value) in [("ipv4/conf/tunl0/rp_filter", "2"), ("ipv4/conf/all/rp_filter", "1")] {
        set_on(&scene.network.servers[0], name, value);
        assert!(scene.is_silent());
    }
    let finding = scene.there(Clinic::open(&configuration("tunnel")), move |clinic| {
        let finding = clinic.finding(id);
        clinic.run(&command(&finding));
        clinic.is_gone(id);
        finding
    });
    assert_eq!(command(&finding), "ip address add 192.0.2.10/32 dev tunl0\nsysctl -w net.ipv4.conf.tunl0.rp_filter=2");
    assert!(scene.answers());
    // With the address there, it is the filter alone.
    let finding = scene.there(Clinic::open(&configuration("tunnel")), move |clinic| {
        clinic.mends(id, || set("ipv4/conf/tunl0/rp_filter", "0"))
    });
    assert_eq!(texts(&finding, "command"), ["sysctl -w net.ipv4.conf.tunl0.rp_filter=2"]);
    assert!(scene.answers());
}
