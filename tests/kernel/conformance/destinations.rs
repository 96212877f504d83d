//! What a destination can be given, and what comes back.

use super::*;

pub(crate) fn weights_and_thresholds_have_ranges(on: &mut Subject<'_>) {
    const LARGEST: u32 = i32::MAX as u32;
    on.accepts(add(WEB, &scheduled("rr")));
    let limits =
        |max_connections, min_connections| DestinationSettings { max_connections, min_connections, ..weighing(1) };
    on.keeps_destination(WEB, ONE, weighing(0));
    on.keeps_destination(WEB, ONE, weighing(LARGEST));
    on.keeps_destination(WEB, ONE, limits(5, 0));
    on.keeps_destination(WEB, ONE, limits(5, 5));
    on.keeps_destination(WEB, ONE, limits(LARGEST, LARGEST));
    on.refuses(add_destination(WEB, ONE, weighing(LARGEST + 1)), Errno::RANGE);
    on.refuses(add_destination(WEB, ONE, limits(5, 6)), Errno::RANGE);
    on.refuses(add_destination(WEB, ONE, limits(0, 1)), Errno::RANGE);
    on.accepts(add_destination(WEB, ONE, weighing(1)));
    on.refuses(edit_destination(WEB, ONE, weighing(u32::MAX)), Errno::RANGE);
    on.refuses(edit_destination(WEB, ONE, limits(5, 6)), Errno::RANGE);
    assert_eq!(on.destination(WEB, ONE), weighing(1));
    let large = limits(LARGEST + 1, 0);
    if on.thresholds_are_checked {
        on.refuses(edit_destination(WEB, ONE, large), Errno::INVAL);
        on.refuses(add_destination(WEB, "10.0.0.2:80", large), Errno::INVAL);
    } else {
        on.accepts(edit_destination(WEB, ONE, large));
        assert_eq!(on.destination(WEB, ONE), large);
        on.keeps_destination(WEB, "10.0.0.2:80", large);
    }
}

pub(crate) fn a_destination_has_a_unicast_address(on: &mut Subject<'_>) {
    on.accepts(add(WEB, &scheduled("rr")));
    on.accepts(add(WEB6, &scheduled("rr")));
    for address in ["0.0.0.0:80", "224.0.0.1:80", "239.255.255.255:80", "255.255.255.255:80", "192.0.2.255:80"] {
        let why = on.refuses(add_destination(WEB, address, weighing(1)), Errno::INVAL);
        assert!(why.contains(address.trim_end_matches(":80")), "{why}");
    }
    for address in ["[::]:80", "[ff02::1]:80", "[::ffff:10.0.0.1]:80", "[fe80::1]:80", "[febf::1]:80"] {
        on.refuses(add_destination(WEB6, address, weighing(1)), Errno::INVAL);
    }
    for address in ["127.0.0.1:80", "192.0.2.254:80", "192.0.2.7:0", "240.0.0.1:80", "0.0.0.1:80"] {
        on.keeps_destination(WEB, address, weighing(1));
    }
    for address in ["[::1]:80", "[::10.0.0.1]:80", "[2001:db8:ffff::1]:80", "[fc00::1]:80", "[fec0::1]:80"] {
        on.keeps_destination(WEB6, address, weighing(1));
    }
}

pub(crate) fn a_gue_tunnel_has_a_port(on: &mut Subject<'_>) {
    on.accepts(add(WEB, &scheduled("rr")));
    let gue = |port| forwarded(Forward::Tunnel(Tunnel { kind: TunnelType::Gue, port, checksum: Checksum::Off }));
    assert_eq!(on.refuses(add_destination(WEB, ONE, gue(0)), Errno::INVAL), "a gue tunnel needs a port");
    on.accepts(add_destination(WEB, ONE, gue(6080)));
    on.refuses(edit_destination(WEB, ONE, gue(0)), Errno::INVAL);
    assert_eq!(on.destination(WEB, ONE), gue(6080));
}

pub(crate) fn every_forwarding_method_comes_back(on: &mut Subject<'_>) {
    on.accepts(add(WEB, &scheduled("rr")));
    let mut all = vec![Forward::Nat, Forward::Dr, Forward::Local, Forward::Bypass];
    all.extend((5..=7).map(Forward::Other));
    for kind in [TunnelType::Ipip, TunnelType::Gue, TunnelType::Gre, TunnelType::Other(77)] {
        for checksum in [Checksum::Off, Checksum::On, Checksum::Remote, Checksum::Other(3)] {
            all.push(Forward::Tunnel(Tunnel { kind, port: 6080, checksum }));
        }
    }
    for forward in &all {
        on.keeps_destination(WEB, ONE, forwarded(*forward));
    }
    on.accepts(add_destination(WEB, ONE, weighing(1)));
    for forward in all {
        on.accepts(edit_destination(WEB, ONE, forwarded(forward)));
        assert_eq!(on.destination(WEB, ONE), forwarded(forward));
    }
}

pub(crate) fn the_other_family_takes_a_tunnel(on: &mut Subject<'_>) {
    for (service, there) in [(WEB, ONE6), (WEB6, ONE), ("fwmark:1", ONE6), ("fwmark6:1", ONE)] {
        on.accepts(add(service, &scheduled("rr")));
        for forward in [Forward::Nat, Forward::Dr, Forward::Local] {
            let why = on.refuses(add_destination(service, there, forwarded(forward)), Errno::INVAL);
            assert!(why.contains("only forward = \"tunnel\""), "{why}");
        }
        let tunnel = forwarded(Forward::Tunnel(Tunnel::default()));
        on.accepts(add_destination(service, there, tunnel));
        on.refuses(edit_destination(service, there, weighing(1)), Errno::INVAL);
        assert_eq!(on.destination(service, there), tunnel);
        on.accepts(delete_destination(service, there));
        assert!(on.read().services[&key(service)].destinations.is_empty());
    }
}
