//! Interfaces, addresses and routes of one network namespace, over rtnetlink.
//!
//! The verbs say what the kernel has and do what they are told: which address belongs where, and whose it is, others
//! decide. A number of an interface (`index`) is the kernel's, and is not used again for another interface while the
//! system runs.

mod codec;
mod error;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

pub use error::{Error, Refusal};

use crate::netlink::{self, Answer, Batch, Errno, Family, Link};
use codec::{Request, decode_address, decode_link, decode_route};

/// How often a read is tried on a socket that loses messages, and a dump of what changes meanwhile.
const TRIES: usize = 6;

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkInfo {
    pub index: u32,
    pub name: String,
    /// What kind of virtual interface it is ("dummy", "veth", "macvlan", "ipip"); none for hardware, and for `lo`.
    pub kind: Option<String>,
    /// Set up by the administrator (`IFF_UP`), whether there is a carrier or not.
    pub up: bool,
    pub loopback: bool,
    /// Bytes.
    pub mtu: u32,
}

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressInfo {
    /// The interface.
    pub index: u32,
    /// The host's own address, not that of a peer.
    pub address: IpAddr,
    /// The length of the prefix, of the peer's address if there is one.
    pub prefix: u8,
    /// The other end, where the address was given one.
    pub peer: Option<IpAddr>,
    /// IPv6: duplicate address detection is not over, or has found a duplicate: nobody can be reached at it yet.
    pub tentative: bool,
}

/// What becomes of packets to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteKind {
    Unicast,
    /// The destination is an address of this host.
    Local,
    Broadcast,
    Anycast,
    Multicast,
    /// Dropped without a word.
    Blackhole,
    /// Answered with "host unreachable".
    Unreachable,
    /// Answered with "administratively prohibited".
    Prohibit,
    /// `rtm_type` of `struct rtmsg`.
    Other(u8),
}

/// The way of packets to a destination, after all rules and tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    pub kind: RouteKind,
    /// The number of the interface by which they leave; none for those that go nowhere.
    pub device: Option<u32>,
    /// The next hop, if the destination is not on the interface's own network. It may be of the other family.
    pub gateway: Option<IpAddr>,
    /// The source address that this host would take.
    pub source: Option<IpAddr>,
    /// Bytes: the route's own, or what was learnt about the path; without one it is the interface's.
    pub mtu: Option<u32>,
}

impl Route {
    fn of_kind(kind: RouteKind) -> Self {
        Self { kind, device: None, gateway: None, source: None, mtu: None }
    }
}

/// The interfaces, addresses and routes of the network namespace in which it was opened.
#[derive(Debug)]
pub struct Rtnl {
    link: Link,
}

impl Rtnl {
    /// Opens a socket in this thread's network namespace. Reads need no permission, changes CAP_NET_ADMIN.
    ///
    /// # Errors
    ///
    /// [`Error::Netlink`] if the system gives no socket.
    pub fn open() -> Result<Self, Error> {
        Ok(Self { link: Link::open(Family::Route)? })
    }

    /// All interfaces, in the kernel's order.
    ///
    /// # Errors
    ///
    /// [`Error::Netlink`], also if they change faster than they can be read.
    pub fn links(&mut self) -> Result<Vec<LinkInfo>, Error> {
        self.dump(Request::DumpLinks, "read the interfaces", |kind, message| decode_link(kind, message).map(Some))
    }

    /// The interface of that name. It may be an alternative one (`ip link property`), and [`LinkInfo::name`] another then.
    ///
    /// # Errors
    ///
    /// As [`Rtnl::links`].
    pub fn link(&mut self, name: &str) -> Result<Option<LinkInfo>, Error> {
        if !is_name(name) {
            return Ok(None);
        }
        match self.ask(&[Request::Link(name)], "read an interface", decode_link)?.pop() {
            Some(Ok(link)) => Ok(Some(link)),
            Some(Err(Refusal { errno: Errno::NODEV, .. })) | None => Ok(None),
            Some(Err(refusal)) => Err(refusal.into()),
        }
    }

    /// Adds a dummy interface, which is down at first. The kernel loads the module if it can.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], for example if there is an interface of that name: [`Refusal::already_exists`].
    pub fn add_dummy(&mut self, name: &str) -> Result<(), Error> {
        let request = Request::AddDummy(name);
        if !is_name(name) {
            // The kernel would take a percent sign for a pattern, and cut at a NUL.
            return Err(Refusal::new(request, Errno::INVAL, None).into());
        }
        self.change_one(request)
    }

    /// Sets an interface up; one that is up stays so.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], for example if it is gone: [`Refusal::is_missing`].
    pub fn set_up(&mut self, index: u32) -> Result<(), Error> {
        self.change_one(Request::SetUp(index))
    }

    /// Deletes a virtual interface, with its addresses.
    ///
    /// # Errors
    ///
    /// As [`Rtnl::set_up`].
    pub fn delete_link(&mut self, index: u32) -> Result<(), Error> {
        self.change_one(Request::DeleteLink(index))
    }

    /// All IPv4 and IPv6 addresses of all interfaces, in the kernel's order.
    ///
    /// # Errors
    ///
    /// As [`Rtnl::links`].
    pub fn addresses(&mut self) -> Result<Vec<AddressInfo>, Error> {
        self.dump(Request::DumpAddresses, "read the addresses", decode_address)
    }

    /// Adds an address alone, as /32 or /128, to an interface: scope universe, and IPv6 without duplicate address
    /// detection, so that it can be used at once, and deprecated, so that it is not taken for the source of this host's own
    /// packets (RFC 6724, rule 3).
    ///
    /// What is no host's address is for others to refuse: of IPv4 the kernel takes multicast and broadcast addresses, and
    /// 0.0.0.0 without a word, which it then does not add. An interface that goes down loses its IPv6 addresses, and keeps
    /// those of IPv4.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], for example if it is there: [`Refusal::already_exists`].
    pub fn add_address(&mut self, index: u32, address: IpAddr) -> Result<(), Error> {
        self.change_one(Request::AddAddress { index, address })
    }

    /// Adds many addresses as [`Rtnl::add_address`] does, in few sends: one result each, in the same order. One that is
    /// refused stops no other.
    ///
    /// # Errors
    ///
    /// [`Error::Netlink`]: it is not known then which of them are there. Read again.
    pub fn add_addresses(&mut self, index: u32, addresses: &[IpAddr]) -> Result<Vec<Result<(), Refusal>>, Error> {
        let requests: Vec<_> = addresses.iter().map(|&address| Request::AddAddress { index, address }).collect();
        self.change(&requests, "add addresses")
    }

    /// Deletes an address, with the prefix that it has. A shorter IPv4 prefix than /32 takes with it what the interface has
    /// of the same prefix beside it ("secondary"), unless the sysctl `promote_secondaries` is set.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], for example if it is not there: [`Refusal::is_missing`].
    pub fn delete_address(&mut self, index: u32, address: IpAddr, prefix: u8) -> Result<(), Error> {
        self.change_one(Request::DeleteAddress { index, address, prefix })
    }

    /// Deletes many addresses, each with its prefix, as [`Rtnl::delete_address`] does, in few sends: one result each, in the
    /// same order.
    ///
    /// # Errors
    ///
    /// As [`Rtnl::add_addresses`].
    pub fn delete_addresses(
        &mut self,
        index: u32,
        addresses: &[(IpAddr, u8)],
    ) -> Result<Vec<Result<(), Refusal>>, Error> {
        let delete = |&(address, prefix): &(IpAddr, u8)| Request::DeleteAddress { index, address, prefix };
        let requests: Vec<_> = addresses.iter().map(delete).collect();
        self.change(&requests, "delete addresses")
    }

    /// The way to a destination, as the kernel would send this host's own packets; none if no route leads there.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the kernel cannot say, for example since it has no IPv6.
    pub fn route(&mut self, to: IpAddr) -> Result<Option<Route>, Error> {
        match self.routes(&[to])?.pop() {
            Some(route) => Ok(route?),
            None => Ok(None),
        }
    }

    /// The ways to many destinations, as [`Rtnl::route`] gives them, in few sends: one result each, in the same order.
    ///
    /// # Errors
    ///
    /// [`Error::Netlink`].
    pub fn routes(&mut self, to: &[IpAddr]) -> Result<Vec<Result<Option<Route>, Refusal>>, Error> {
        let requests: Vec<_> = to.iter().copied().map(Request::Route).collect();
        let answers = self.ask(&requests, "look up routes", decode_route)?;
        Ok(answers.into_iter().map(|answer| answer.map(Some).or_else(no_way)).collect())
    }

    fn change_one(&mut self, request: Request<'_>) -> Result<(), Error> {
        let mut results = self.change(&[request], "change an interface")?;
        Ok(results.pop().unwrap_or(Ok(()))?)
    }

    /// Carries the requests out, in order: one result each.
    fn change(&mut self, requests: &[Request<'_>], doing: &'static str) -> Result<Vec<Result<(), Refusal>>, Error> {
        let mut results = vec![Ok(()); requests.len()];
        self.link.exchange_all(requests.len(), doing, &mut push(requests), &mut |index, answer| {
            if let (Answer::Refused(errno, text), Some(request)) = (answer, requests.get(index))
                && let Some(result) = results.get_mut(index)
            {
                *result = Err(Refusal::new(*request, errno, text));
            }
        })?;
        Ok(results)
    }

    /// Asks questions with one answer each.
    fn ask<T>(
        &mut self,
        requests: &[Request<'_>],
        doing: &'static str,
        decode: impl Fn(u16, &[u8]) -> Result<T, &'static str>,
    ) -> Result<Vec<Result<T, Refusal>>, Error> {
        self.reading(|link| {
            let mut answers: Vec<_> = requests.iter().map(|_| Err(protocol("a question got no answer"))).collect();
            link.exchange_all(requests.len(), doing, &mut push(requests), &mut |index, answer| {
                let (Some(request), Some(slot)) = (requests.get(index), answers.get_mut(index)) else {
                    return;
                };
                *slot = match answer {
                    Answer::Data { kind, payload } => decode(kind, payload).map(Ok).map_err(protocol),
                    Answer::Refused(errno, text) => Ok(Err(Refusal::new(*request, errno, text))),
                };
            })?;
            answers.into_iter().collect()
        })
    }

    /// One dump, whole.
    fn dump<T>(
        &mut self,
        request: Request<'_>,
        doing: &'static str,
        decode: impl Fn(u16, &[u8]) -> Result<Option<T>, &'static str>,
    ) -> Result<Vec<T>, Error> {
        self.reading(|link| {
            let mut found = Vec::new();
            let mut failed = None;
            let mut batch = link.batch();
            request.push(&mut batch);
            let exchange = link.exchange(batch, doing, &mut |_, answer| match answer {
                Answer::Data { kind, payload } => match decode(kind, payload) {
                    Ok(entry) => found.extend(entry),
                    Err(words) => failed = Some(protocol(words)),
                },
                Answer::Refused(errno, text) => failed = Some(Refusal::new(request, errno, text).into()),
            })?;
            match failed {
                Some(error) => Err(error),
                None if exchange.interrupted => Err(protocol("what was read kept changing meanwhile")),
                None => Ok(found),
            }
        })
    }

    /// Makes a read, again if the socket lost something, and if the kernel says that it does not hold together.
    fn reading<T>(&mut self, mut read: impl FnMut(&mut Link) -> Result<T, Error>) -> Result<T, Error> {
        for _ in 1..TRIES {
            match read(&mut self.link) {
                Err(Error::Netlink(error)) if error.is_passing() => {}
                done => return done,
            }
        }
        read(&mut self.link)
    }
}

fn protocol(words: &str) -> Error {
    netlink::Error::Protocol(words.to_owned()).into()
}

/// For [`Link::exchange_all`].
fn push(requests: &[Request<'_>]) -> impl FnMut(usize, &mut Batch) {
    |index, batch| {
        if let Some(request) = requests.get(index) {
            request.push(batch);
        }
    }
}

/// What an interface can be called (`dev_valid_name` in `net/core/dev.c`), without what the kernel would take for a pattern
/// or for the name's end.
fn is_name(name: &str) -> bool {
    let strange = |byte: u8| matches!(byte, b'/' | b':' | b'%' | 0 | 0x0b) || byte.is_ascii_whitespace();
    matches!(name.len(), 1..=15) && name != "." && name != ".." && !name.bytes().any(strange)
}

/// What a refusal means instead of a route (`fib_props` in `net/ipv4/fib_semantics.c`, `ip6_rt_type_to_error` in
/// `net/ipv6/route.c`): no route at all, or one that leads nowhere.
fn no_way(refusal: Refusal) -> Result<Option<Route>, Refusal> {
    let kind = match refusal.errno {
        Errno::NETUNREACH => return Ok(None),
        Errno::HOSTUNREACH => RouteKind::Unreachable,
        Errno::ACCESS => RouteKind::Prohibit,
        Errno::INVAL => RouteKind::Blackhole,
        _ => return Err(refusal),
    };
    Ok(Some(Route::of_kind(kind)))
}
