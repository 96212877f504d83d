//! Interfaces, addresses and routes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;

use crate::host::rtnl::{AddressInfo, Error, LinkInfo, Route, Rtnl};
use crate::model::Family;

/// `RTF_UP`, `RTF_REJECT`, `RTF_ADDRCONF` (`include/uapi/linux/route.h`, `ipv6_route.h`).
const UP: u32 = 0x1;
const REJECT: u32 = 0x200;
const ADVERTISED: u32 = 0x4_0000;

#[derive(Debug, Default)]
pub(super) struct Network {
    pub links: Vec<LinkInfo>,
    pub addresses: Vec<AddressInfo>,
    pub routes: BTreeMap<IpAddr, Option<Route>>,
    pub defaults: BTreeMap<Family, String>,
    pub advertised: BTreeSet<String>,
}

/// With the routes to `to`; those that the kernel will not tell (of a family that it does not have) are left out.
pub(super) fn look(to: &[IpAddr]) -> Result<Network, Error> {
    let mut rtnl = Rtnl::open()?;
    let routes = rtnl.routes(to)?;
    let routes = to.iter().zip(routes).filter_map(|(address, route)| Some((*address, route.ok()?))).collect();
    let six = DefaultRoutes::of_v6(&read("ipv6_route"));
    let four = DefaultRoutes::of_v4(&read("route"));
    let mut defaults = BTreeMap::new();
    defaults.extend(four.best().map(|interface| (Family::V4, interface)));
    defaults.extend(six.best().map(|interface| (Family::V6, interface)));
    Ok(Network {
        links: rtnl.links()?,
        addresses: rtnl.addresses()?,
        routes,
        defaults,
        advertised: six
            .0
            .into_iter()
            .filter(|route| route.flags & ADVERTISED != 0)
            .map(|route| route.interface)
            .collect(),
    })
}

/// The main table's default routes, of proc(5); without IPv6 there is no such file.
fn read(name: &str) -> String {
    fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default()
}

#[derive(Debug, PartialEq, Eq)]
struct DefaultRoute {
    interface: String,
    metric: u32,
    flags: u32,
}

#[derive(Debug, PartialEq, Eq)]
struct DefaultRoutes(Vec<DefaultRoute>);

impl DefaultRoutes {
    /// `Iface Destination Gateway Flags RefCnt Use Metric Mask …`, the metric in decimal, all else in hexadecimal.
    fn of_v4(text: &str) -> Self {
        let route = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [interface, destination, _, flags, _, _, metric, mask, ..] = fields.as_slice() else { return None };
            let metric = metric.parse().ok()?;
            Self::usable(interface, flags, metric).filter(|_| zero(destination) && zero(mask))
        };
        Self(text.lines().skip(1).filter_map(route).collect())
    }

    /// `destination length source length gateway metric refcount use flags interface`, in hexadecimal.
    fn of_v6(text: &str) -> Self {
        let route = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [destination, length, _, _, _, metric, _, _, flags, interface] = fields.as_slice() else { return None };
            let metric = u32::from_str_radix(metric, 16).ok()?;
            Self::usable(interface, flags, metric).filter(|_| zero(destination) && zero(length))
        };
        Self(text.lines().filter_map(route).collect())
    }

    fn usable(interface: &str, flags: &str, metric: u32) -> Option<DefaultRoute> {
        let flags = u32::from_str_radix(flags, 16).ok()?;
        (flags & UP != 0 && flags & REJECT == 0).then(|| DefaultRoute {
            interface: interface.to_owned(),
            metric,
            flags,
        })
    }

    fn best(&self) -> Option<String> {
        self.0.iter().min_by_key(|route| route.metric).map(|route| route.interface.clone())
    }
}

fn zero(hexadecimal: &str) -> bool {
    hexadecimal.bytes().all(|byte| byte == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_routes_of_ipv4() {
        let text = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                    eth1\t00000000\t0101010A\t0003\t0\t0\t200\t00000000\t0\t0\t0\n\
                    eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
                    *\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n\
                    eth2\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n\
                    eth3\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(DefaultRoutes::of_v4(text).best().as_deref(), Some("eth0"));
        assert_eq!(DefaultRoutes::of_v4("").best(), None);
    }

    #[test]
    fn default_routes_of_ipv6_and_who_told_them() {
        let zeros = "0".repeat(32);
        let text = format!(
            "{zeros} 00 {zeros} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00450003     eth0\n\
             {zeros} 00 {zeros} 00 fe800000000000000000000000000002 00000100 00000001 00000000 00000003     eth1\n\
             {zeros} 00 {zeros} 00 {zeros} ffffffff 00000001 00000000 00200200       lo\n\
             20010db8000000000000000000000000 40 {zeros} 00 {zeros} 00000100 00000001 00000000 00000001     eth2\n"
        );
        let routes = DefaultRoutes::of_v6(&text);
        assert_eq!(routes.best().as_deref(), Some("eth1"));
        let told: Vec<&str> =
            routes.0.iter().filter(|route| route.flags & ADVERTISED != 0).map(|route| &*route.interface).collect();
        assert_eq!(told, ["eth0"]);
    }
}
