//! Routes.

use std::net::IpAddr;

use ipvsd::host::rtnl::{Route, RouteKind, Rtnl};
use serde_json::Value;

use super::{enter, index, ip};
use crate::netns::ip_batch;
use crate::nlmon::Tap;

/// `RTM_GETROUTE`.
const GET: u16 = 26;

const ROUTES: &str = "\
link set lo up
link add v0 type veth peer name v1
link add v2 type veth peer name v3
link set v0 addrgenmode none
link set v1 addrgenmode none
link set v2 addrgenmode none
link set v3 addrgenmode none
addr add 192.0.2.1/24 brd + dev v0
addr add 198.51.100.1/24 dev v0
addr add 2001:db8::1/64 dev v0 nodad
addr add fe80::1/64 dev v0 nodad
addr add 2001:db8:2::1/64 dev v2 nodad
link set v1 up
link set v0 up
link set v3 up
link set v2 up
route add 10.1.0.0/16 via 192.0.2.7
route add 10.2.0.0/16 via 192.0.2.7 mtu 1380
route add 10.3.0.0/16 via 198.51.100.7 src 198.51.100.1 mtu lock 1300
route add 10.4.0.0/16 via inet6 fe80::7 dev v0
route add 10.5.0.0/16 dev v2
route add blackhole 10.6.0.0/16
route add unreachable 10.7.0.0/16
route add prohibit 10.8.0.0/16
route add throw 10.9.0.0/16
route add 2001:db8:101::/48 via 2001:db8::7
route add 2001:db8:102::/48 via 2001:db8::7 mtu 1380
route add 2001:db8:103::/48 via fe80::7 dev v2
route add 2001:db8:105::/48 dev v2
route add blackhole 2001:db8:106::/48
route add unreachable 2001:db8:107::/48
route add prohibit 2001:db8:108::/48
route add throw 2001:db8:109::/48
route add 10.11.0.0/16 nexthop via 192.0.2.7 dev v0 nexthop via 192.0.2.8 dev v0
";

/// Where they lead. What follows the address is the kind; an address that no route leads to has none.
const TO: &[&str] = &[
    "10.1.0.1 unicast",
    "10.2.0.1 unicast",
    "10.3.0.1 unicast",
    "10.4.0.1 unicast",
    "10.5.0.1 unicast",
    "10.6.0.1 blackhole",
    "10.7.0.1 unreachable",
    "10.8.0.1 prohibit",
    "10.9.0.1",
    "10.11.0.1 unicast",
    "203.0.113.1",
    "192.0.2.1 local",
    "192.0.2.9 unicast",
    "192.0.2.255 broadcast",
    "127.0.0.1 local",
    "127.9.9.9 local",
    "224.0.0.1",
    "0.0.0.0 local",
    "2001:db8:101::1 unicast",
    "2001:db8:102::1 unicast",
    "2001:db8:103::1 unicast",
    "2001:db8:105::1 unicast",
    "2001:db8:106::1 blackhole",
    "2001:db8:107::1 unreachable",
    "2001:db8:108::1 prohibit",
    "2001:db8:109::1",
    "2001:db8:999::1",
    "2001:db8::1 local",
    "2001:db8::9 unicast",
    "::1 local",
    "ff02::1 multicast",
    "fe80::9 unicast",
    "::",
];

/// `ip` has only the errno's words for what leads nowhere.
const NO_WAYS: &[(&str, &str)] = &[
    ("", "RTNETLINK answers: Network is unreachable"),
    ("blackhole", "RTNETLINK answers: Invalid argument"),
    ("unreachable", "RTNETLINK answers: No route to host"),
    ("prohibit", "RTNETLINK answers: Permission denied"),
];

fn kind(word: &str) -> RouteKind {
    match word {
        "unicast" => RouteKind::Unicast,
        "local" => RouteKind::Local,
        "broadcast" => RouteKind::Broadcast,
        "multicast" => RouteKind::Multicast,
        "anycast" => RouteKind::Anycast,
        "blackhole" => RouteKind::Blackhole,
        "unreachable" => RouteKind::Unreachable,
        "prohibit" => RouteKind::Prohibit,
        other => panic!("a route of kind {other}"),
    }
}

/// What `ip route get` shows, with the names of interfaces resolved; or what it says instead.
fn shown(rtnl: &mut Rtnl, to: &str) -> Result<Route, String> {
    let entry = ip(&["route", "get", to])?[0].clone();
    let address = |value: &Value| value.as_str().map(|text| text.parse::<IpAddr>().unwrap());
    Ok(Route {
        kind: kind(entry["type"].as_str().unwrap_or("unicast")),
        device: entry["dev"].as_str().map(|name| index(rtnl, name)),
        gateway: address(&entry["gateway"]).or_else(|| address(&entry["via"]["host"])),
        source: address(&entry["prefsrc"]),
        mtu: entry["metrics"][0]["mtu"].as_u64().map(|mtu| u32::try_from(mtu).unwrap()),
    })
}

#[test]
fn what_ip_shows_we_read() {
    let mut rtnl = enter();
    ip_batch(ROUTES);
    let to: Vec<(&str, &str)> = TO.iter().map(|line| line.split_once(' ').unwrap_or((line, ""))).collect();
    let addresses: Vec<IpAddr> = to.iter().map(|(address, _)| address.parse().unwrap()).collect();
    let mut tap = Tap::place();
    let routes = rtnl.routes(&addresses).unwrap();
    assert_eq!(tap.sends(GET), [to.len()], "all in one send");
    let (mut gateways, mut mtus) = (0, Vec::new());
    for ((text, word), route) in to.into_iter().zip(routes) {
        let route = route.unwrap();
        assert_eq!(route, rtnl.route(text.parse().unwrap()).unwrap(), "{text} alone");
        assert_eq!(route.map(|route| route.kind), (!word.is_empty()).then(|| kind(word)), "{text}");
        match shown(&mut rtnl, text) {
            Ok(shown) => assert_eq!(route, Some(shown), "{text}"),
            Err(said) => {
                assert!(NO_WAYS.contains(&(word, said.as_str())), "{text} {word}: {said}");
                let nothing = |route: Route| (route.device, route.gateway, route.source, route.mtu);
                assert_eq!(route.map(nothing), route.map(|_| (None, None, None, None)), "{text}");
            }
        }
        gateways += usize::from(route.is_some_and(|route| route.gateway.is_some()));
        mtus.extend(route.and_then(|route| route.mtu));
    }
    assert_eq!((gateways, mtus), (8, vec![1380, 1300, 1380]));
}

/// With a default route all leads somewhere, and away from an interface that goes down.
#[test]
fn a_default_route() {
    let mut rtnl = enter();
    ip_batch(ROUTES);
    let to = ["203.0.113.1", "10.6.0.1", "224.0.0.1", "255.255.255.255", "2001:db8:999::1"];
    ip_batch("route add default via 192.0.2.7\nroute add ::/0 via 2001:db8::7\n");
    for text in to {
        let route = rtnl.route(text.parse().unwrap()).unwrap().unwrap();
        match shown(&mut rtnl, text) {
            Ok(shown) => assert_eq!(route, shown, "{text}"),
            Err(said) => assert_eq!((route.kind, said.as_str()), (RouteKind::Blackhole, NO_WAYS[1].1), "{text}"),
        }
    }
    ip_batch("link set v0 down\n");
    for text in ["203.0.113.1", "192.0.2.9", "2001:db8:999::1", "2001:db8::9"] {
        assert_eq!(rtnl.route(text.parse().unwrap()).unwrap(), None, "{text}");
    }
}
