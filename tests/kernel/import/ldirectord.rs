use super::*;

fn loaded(name: &str) {
    let program = Program::new();
    fixture(&program, name);
    import(&program, "ldirectord", name);
    let wanted = applied(&program);
    let _kernel = netns::enter();
    let peer = Peer::ldirectord(&program, name);
    becomes(&program, &wanted, name);
    peer.stop();
}

#[test]
fn a_usual_file() {
    loaded("usual.ldirectord");
}

/// Ranges, names, odd layout, firewall marks, IPv6, and a server that is always off.
#[test]
fn a_nasty_file() {
    loaded("nasty.ldirectord");
}
