use super::*;

fn loaded(name: &str, more: &[&str]) {
    let program = Program::new();
    for file in more.iter().chain([&name]) {
        fixture(&program, file);
    }
    import(&program, "keepalived", name);
    let wanted = applied(&program);
    let _kernel = netns::enter();
    let peer = Peer::keepalived(&program, name, &[]);
    becomes(&program, &wanted, name);
    peer.stop();
}

#[test]
fn every_way_to_forward() {
    loaded("forwarding.keepalived", &[]);
}

#[test]
fn groups_of_addresses() {
    loaded("groups.keepalived", &[]);
}

/// Includes, definitions, lines that are repeated, odd layout, and all that keepalived repairs.
#[test]
fn all_of_the_language() {
    loaded("nasty.keepalived", &["one.included", "two.included"]);
}
