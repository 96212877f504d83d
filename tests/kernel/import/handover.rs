//! From keepalived to ipvsd, while a client has a connection.

use super::*;
use crate::daemon_process::Daemon;
use crate::network::{Network, VIP};
use crate::sessions::{InUse, Server, Session};

/// What `packaging/doc/moving.md` says of it.
#[test]
fn keepalived_hands_over_and_no_connection_is_cut() {
    let _kernel = netns::enter();
    let network = Network::around_here(2);
    let _servers: Vec<Server> = network.servers.iter().map(|host| Server::start(host, 9000)).collect();
    let program = Program::new();
    fixture(&program, "handover.keepalived");
    let peer = Peer::keepalived(&program, "handover.keepalived", &["--dont-release-ipvs"]);
    let begin = Instant::now();
    while crate::oracle::weights(&format!("-t {VIP}")).len() < 2 {
        assert!(begin.elapsed() < WITHIN, "keepalived has not filled the table");
        sleep(Duration::from_millis(20));
    }
    let before = Rules::live();
    let in_use = InUse::new(Session::open(&network.client, VIP).unwrap());

    // Beside it, ipvsd has nothing to do, and does nothing.
    import(&program, "keepalived", "handover.keepalived");
    let plan = program.run(CONFIG, &["plan"]);
    assert_eq!(plan.code, Some(0), "{}{}", plan.out, plan.err);
    peer.stop();
    Rules::live().assert_are(&before, &"keepalived has left the table");
    assert_eq!(program.runs(CONFIG, &["apply"], 0), "changed=0 failed=0 unchanged=3\n");
    let mut daemon = Daemon::start(&program, CONFIG);
    Rules::live().assert_are(&before, &"ipvsd has taken over");
    in_use.goes_on(3);
    in_use.rest().exchange().unwrap();
    let shown = crate::oracle::shown(&program, CONFIG);
    let service = crate::oracle::service_in(&shown, "tcp-192.0.2.10-80");
    assert_eq!(service["owner"], "owned", "{service}");
    daemon.end(Signal::TERM);
}
