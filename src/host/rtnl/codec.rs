//! rtnetlink's messages as bytes: what is asked of the kernel and what it answers. Pure, and total: no input makes the
//! decoder panic, and attributes that it does not know are skipped.
//!
//! After `include/uapi/linux/{rtnetlink,if_link,if_addr}.h`, and `net/core/rtnetlink.c`, `net/ipv4/devinet.c`,
//! `net/ipv6/addrconf.c`, `net/ipv4/route.c`, `net/ipv6/route.c` for what is done with them. See rtnetlink(7).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use neli::consts::rtnl::{Ifa, IfaF, Iff, Ifla, IflaInfo, RtAddrFamily, RtScope, Rta, Rtm, Rtn};

use super::{AddressInfo, LinkInfo, Route, RouteKind};
use crate::netlink::{Attribute, Attributes, Batch, Flags, Writer};

/// `sizeof(struct ifinfomsg)`.
const LINK_HEADER: usize = 16;
/// `sizeof(struct ifaddrmsg)`.
const ADDRESS_HEADER: usize = 8;
/// `sizeof(struct rtmsg)`.
const ROUTE_HEADER: usize = 12;
/// `RTEXT_FILTER_SKIP_STATS`: no counters of interfaces.
const SKIP_STATS: u32 = 1 << 3;
/// `RTA_VIA`: a gateway of another family than the destination's. neli has it with some C libraries only.
const VIA: u16 = 18;
/// `RTAX_MTU`, within `RTA_METRICS`.
const METRIC_MTU: u16 = 2;
/// The kind of our interfaces (`drivers/net/dummy.c`).
const DUMMY: &str = "dummy";

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request<'a> {
    DumpLinks,
    Link(&'a str),
    AddDummy(&'a str),
    SetUp(u32),
    DeleteLink(u32),
    DumpAddresses,
    AddAddress { index: u32, address: IpAddr },
    DeleteAddress { index: u32, address: IpAddr, prefix: u8 },
    Route(IpAddr),
}

impl Request<'_> {
    /// Appends the request to a batch.
    pub(super) fn push(self, batch: &mut Batch) {
        let new = Flags::CREATE | Flags::EXCL;
        let (kind, flags) = match self {
            Request::DumpLinks => (Rtm::Getlink, Flags::DUMP),
            Request::Link(_) => (Rtm::Getlink, Flags::empty()),
            Request::AddDummy(_) => (Rtm::Newlink, new),
            Request::SetUp(_) => (Rtm::Setlink, Flags::empty()),
            Request::DeleteLink(_) => (Rtm::Dellink, Flags::empty()),
            Request::DumpAddresses => (Rtm::Getaddr, Flags::DUMP),
            Request::AddAddress { .. } => (Rtm::Newaddr, new),
            Request::DeleteAddress { .. } => (Rtm::Deladdr, Flags::empty()),
            Request::Route(_) => (Rtm::Getroute, Flags::empty()),
        };
        batch.push(kind.into(), flags, |out| body(out, self));
    }
}

fn body(out: &mut Writer<'_>, request: Request<'_>) {
    match request {
        Request::DumpLinks => {
            link(out, 0, Iff::empty());
            out.u32(Ifla::ExtMask.into(), SKIP_STATS);
        }
        Request::Link(name) => {
            link(out, 0, Iff::empty());
            out.text(Ifla::Ifname.into(), name);
            out.u32(Ifla::ExtMask.into(), SKIP_STATS);
        }
        Request::AddDummy(name) => {
            link(out, 0, Iff::empty());
            out.text(Ifla::Ifname.into(), name);
            out.nested(Ifla::Linkinfo.into(), |out| out.text(IflaInfo::Kind.into(), DUMMY));
        }
        Request::SetUp(index) => link(out, index, Iff::UP),
        Request::DeleteLink(index) => link(out, index, Iff::empty()),
        Request::DumpAddresses => {
            out.header(&[RtAddrFamily::Unspecified.into(), 0, 0, 0, 0, 0, 0, 0]);
        }
        Request::AddAddress { index, address: on } => {
            address(out, index, on, host_prefix(on));
            if on.is_ipv6() {
                // `struct ifa_cacheinfo`: preferred for no time, valid for ever.
                let mut lifetimes = [0; 16];
                lifetimes[4..8].fill(u8::MAX);
                out.bytes(Ifa::Cacheinfo.into(), &lifetimes);
            }
        }
        Request::DeleteAddress { index, address: on, prefix } => address(out, index, on, prefix),
        Request::Route(to) => {
            let mut header = [0; ROUTE_HEADER];
            header[0] = family_of(to);
            header[1] = host_prefix(to);
            out.header(&header);
            out.bytes(Rta::Dst.into(), &octets(to));
        }
    }
}

/// `struct ifinfomsg`: an interface by its number (0: whatever the attributes say), and flags to set.
fn link(out: &mut Writer<'_>, index: u32, set: Iff) {
    let mut header = [0; LINK_HEADER];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&set.bits().to_ne_bytes());
    // ifi_change: which of the flags are meant.
    header[12..].copy_from_slice(&set.bits().to_ne_bytes());
    out.header(&header);
}

/// `struct ifaddrmsg` and the address. IPv4 compares IFA_LOCAL, and the prefix only together with IFA_ADDRESS.
fn address(out: &mut Writer<'_>, index: u32, address: IpAddr, prefix: u8) {
    let flags = if address.is_ipv6() { IfaF::NODAD } else { IfaF::empty() };
    let mut header = [family_of(address), prefix, flags.bits(), RtScope::Universe.into(), 0, 0, 0, 0];
    header[4..].copy_from_slice(&index.to_ne_bytes());
    out.header(&header);
    out.bytes(Ifa::Local.into(), &octets(address));
    out.bytes(Ifa::Address.into(), &octets(address));
}

fn family_of(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => RtAddrFamily::Inet.into(),
        IpAddr::V6(_) => RtAddrFamily::Inet6.into(),
    }
}

/// The prefix length of one address alone: 32 or 128.
pub(super) fn host_prefix(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// An address of the family, in as many bytes as the family has.
fn ip(family: u8, bytes: &[u8]) -> Option<IpAddr> {
    match RtAddrFamily::from(family) {
        RtAddrFamily::Inet => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        RtAddrFamily::Inet6 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
        _ => None,
    }
}

fn number(header: &[u8], at: usize) -> u32 {
    header.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}

/// Text up to the first NUL. The kernel takes names that are not UTF-8, and such a one must not hide the others.
fn text(attribute: &Attribute<'_>) -> String {
    let text = attribute.value.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

fn is(kind: u16, wanted: Rtm) -> bool {
    Rtm::from(kind) == wanted
}

/// An interface in an answer to RTM_GETLINK; or, in words, why it makes no sense.
pub(super) fn decode_link(kind: u16, message: &[u8]) -> Result<LinkInfo, &'static str> {
    if !is(kind, Rtm::Newlink) {
        return Err("asked for interfaces, the kernel answered something else");
    }
    let (header, attributes) = message.split_at_checked(LINK_HEADER).ok_or("an interface is cut short")?;
    let flags = Iff::from_bits_truncate(number(header, 8));
    let (mut name, mut kind, mut mtu) = (None, None, None);
    for attribute in Attributes(attributes) {
        match Ifla::from(attribute.kind) {
            Ifla::Ifname => name = Some(text(&attribute)),
            Ifla::Mtu => mtu = attribute.as_number(),
            Ifla::Linkinfo => {
                let found = attribute.nested().find(|found| IflaInfo::from(found.kind) == IflaInfo::Kind);
                kind = found.map(|found| text(&found));
            }
            _ => {}
        }
    }
    Ok(LinkInfo {
        index: number(header, 4),
        name: name.ok_or("an interface has no name")?,
        kind,
        up: flags.contains(Iff::UP),
        loopback: flags.contains(Iff::LOOPBACK),
        mtu: mtu.ok_or("an interface has no mtu")?,
    })
}

/// An address in an answer to RTM_GETADDR, `None` if it is neither IPv4 nor IPv6; or, in words, why it makes no sense.
pub(super) fn decode_address(kind: u16, message: &[u8]) -> Result<Option<AddressInfo>, &'static str> {
    if !is(kind, Rtm::Newaddr) {
        return Err("asked for addresses, the kernel answered something else");
    }
    let (header, attributes) = message.split_at_checked(ADDRESS_HEADER).ok_or("an address is cut short")?;
    let [family, prefix, flags, ..] = *header else {
        return Err("an address is cut short");
    };
    if !matches!(RtAddrFamily::from(family), RtAddrFamily::Inet | RtAddrFamily::Inet6) {
        return Ok(None);
    }
    let flags = IfaF::from_bits_truncate(flags);
    let (mut local, mut address) = (None, None);
    for attribute in Attributes(attributes) {
        match Ifa::from(attribute.kind) {
            Ifa::Local => local = ip(family, attribute.value),
            Ifa::Address => address = ip(family, attribute.value),
            _ => {}
        }
    }
    let own = local.or(address).ok_or("an address has no bytes of its family")?;
    Ok(Some(AddressInfo {
        index: number(header, 4),
        address: own,
        prefix,
        peer: address.filter(|address| *address != own),
        tentative: flags.intersects(IfaF::TENTATIVE | IfaF::DADFAILED),
    }))
}

/// The answer to RTM_GETROUTE; or, in words, why it makes no sense.
pub(super) fn decode_route(kind: u16, message: &[u8]) -> Result<Route, &'static str> {
    if !is(kind, Rtm::Newroute) {
        return Err("asked for a route, the kernel answered something else");
    }
    let (header, attributes) = message.split_at_checked(ROUTE_HEADER).ok_or("a route is cut short")?;
    let [family, _, _, _, _, _, _, kind, ..] = *header else {
        return Err("a route is cut short");
    };
    let mut route = Route::of_kind(route_kind(kind));
    for attribute in Attributes(attributes) {
        match Rta::from(attribute.kind) {
            _ if attribute.kind == VIA => route.gateway = via(attribute.value),
            Rta::Oif => route.device = attribute.as_number(),
            Rta::Gateway => route.gateway = ip(family, attribute.value),
            Rta::Prefsrc => route.source = ip(family, attribute.value),
            Rta::Metrics => route.mtu = mtu(&attribute),
            _ => {}
        }
    }
    Ok(route)
}

fn route_kind(number: u8) -> RouteKind {
    match Rtn::from(number) {
        Rtn::Unicast => RouteKind::Unicast,
        Rtn::Local => RouteKind::Local,
        Rtn::Broadcast => RouteKind::Broadcast,
        Rtn::Anycast => RouteKind::Anycast,
        Rtn::Multicast => RouteKind::Multicast,
        Rtn::Blackhole => RouteKind::Blackhole,
        Rtn::Unreachable => RouteKind::Unreachable,
        Rtn::Prohibit => RouteKind::Prohibit,
        _ => RouteKind::Other(number),
    }
}

/// `struct rtvia`: the family in two bytes, and an address of it.
fn via(value: &[u8]) -> Option<IpAddr> {
    let (family, address) = value.split_first_chunk()?;
    ip(u16::from_ne_bytes(*family).try_into().ok()?, address)
}

fn mtu(metrics: &Attribute<'_>) -> Option<u32> {
    metrics.nested().find(|metric| metric.kind == METRIC_MTU)?.as_number()
}
