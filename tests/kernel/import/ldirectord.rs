use super::*;

/// All that the language has: ranges, names, odd layout, firewall marks, IPv6, each way to forward, and a server that is always on. In
/// one file, as ldirectord runs ipvsadm several times for each server.
#[test]
fn all_of_the_language() {
    let name = "all.ldirectord";
    let program = Program::new();
    fixture(&program, name);
    import(&program, "ldirectord", name);
    let wanted = applied(&program);
    let _kernel = netns::enter();
    let peer = Peer::ldirectord(&program, name);
    becomes(&program, &wanted, name);
    peer.stop();
}
