//! What can go wrong with interfaces, addresses and routes, in words.

use std::fmt;
use std::net::IpAddr;

use super::codec::{Request, host_prefix};
use crate::netlink::{self, Errno};

/// A request was not carried out, or not answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no talking to the kernel: it is not known what was carried out.
    #[error(transparent)]
    Netlink(#[from] netlink::Error),
    /// The kernel refused the request.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// The kernel's answer to a request that it did not carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was asked for: "add 192.0.2.10/32 to interface 7".
    pub doing: String,
    pub errno: Errno,
    /// The reason in plain words, with the mend where there is one.
    pub reason: String,
    /// What the kernel itself added (the text of an extended ACK).
    pub kernel_text: Option<String>,
}

impl Refusal {
    pub(super) fn new(request: Request<'_>, errno: Errno, kernel_text: Option<String>) -> Self {
        Self { doing: doing(request), errno, reason: reason(request, errno), kernel_text }
    }

    /// Whether what was to be added is there already.
    pub fn already_exists(&self) -> bool {
        self.errno == Errno::EXIST
    }

    /// Whether what was to be deleted or changed is not there: the address, or the whole interface.
    pub fn is_missing(&self) -> bool {
        matches!(self.errno, Errno::ADDRNOTAVAIL | Errno::NODEV | Errno::NXIO)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.doing, self.reason)?;
        if let Some(text) = &self.kernel_text {
            write!(f, " (kernel: {text})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

fn doing(request: Request<'_>) -> String {
    match request {
        Request::DumpLinks => "read the interfaces".to_owned(),
        Request::Link(name) => format!("read the interface `{name}`"),
        Request::AddDummy(name) => format!("add the dummy interface `{name}`"),
        Request::SetUp(index) => format!("set interface {index} up"),
        Request::DeleteLink(index) => format!("delete interface {index}"),
        Request::DumpAddresses => "read the addresses".to_owned(),
        Request::AddAddress { index, address } => {
            format!("add {address}/{} to interface {index}", host_prefix(address))
        }
        Request::DeleteAddress { index, address, prefix } => {
            format!("delete {address}/{prefix} from interface {index}")
        }
        Request::Route(address) => format!("look up the route to {address}"),
    }
}

fn reason(request: Request<'_>, errno: Errno) -> String {
    let about = match request {
        Request::AddAddress { address, .. } | Request::DeleteAddress { address, .. } | Request::Route(address) => {
            Some(address)
        }
        _ => None,
    };
    let known = match (request, errno) {
        (_, Errno::OPNOTSUPP | Errno::AFNOSUPPORT) if about.is_some_and(|address| address.is_ipv6()) => {
            Some("the kernel has no IPv6 (it was booted with ipv6.disable=1, or has no module ipv6)".to_owned())
        }
        (Request::AddDummy(name), _) => dummy(name, errno),
        (Request::AddAddress { address, .. }, _) => added_address(address, errno),
        // ENXIO: an interface without IPv6, for the size of its MTU.
        (Request::DeleteAddress { .. }, Errno::ADDRNOTAVAIL | Errno::NXIO) => {
            Some("the interface does not have the address".to_owned())
        }
        (Request::DeleteLink(_), Errno::OPNOTSUPP) => Some("it is not of a kind that can be deleted".to_owned()),
        _ => None,
    };
    known.unwrap_or_else(|| plainly(errno))
}

/// An errno that means the same everywhere.
fn plainly(errno: Errno) -> String {
    match errno {
        Errno::PERM => {
            "not permitted: it takes CAP_NET_ADMIN in the network namespace (run as root, or grant the capability)"
                .to_owned()
        }
        Errno::NODEV => "there is no such interface".to_owned(),
        Errno::NOMEM | Errno::NOBUFS => "the kernel is out of memory".to_owned(),
        other => std::io::Error::from(other).to_string(),
    }
}

/// `rtnl_newlink` in `net/core/rtnetlink.c`.
fn dummy(name: &str, errno: Errno) -> Option<String> {
    let text = match errno {
        Errno::EXIST => format!("there is an interface `{name}` already"),
        Errno::OPNOTSUPP | Errno::NODEV => {
            "the kernel has no dummy interfaces: load the module dummy (`modprobe dummy`), or install the kernel's module \
             package"
                .to_owned()
        }
        Errno::INVAL | Errno::RANGE => format!(
            "`{name}` cannot be the name of an interface: it takes 1 to 15 bytes, no slash, colon, percent sign or space \
             in them, and none of `.`, `..`, `all` and `default`"
        ),
        _ => return None,
    };
    Some(text)
}

/// `inet_rtm_newaddr` in `net/ipv4/devinet.c`, `inet6_addr_add` and `ipv6_add_addr` in `net/ipv6/addrconf.c`.
fn added_address(address: IpAddr, errno: Errno) -> Option<String> {
    let text = match errno {
        Errno::EXIST => "the interface has the address already".to_owned(),
        Errno::ADDRNOTAVAIL => format!("{address} cannot be an address of that interface"),
        Errno::ACCESS if address.is_ipv6() => {
            "IPv6 is off on that interface (sysctl net.ipv6.conf.INTERFACE.disable_ipv6)".to_owned()
        }
        Errno::INVAL if address.is_ipv6() => {
            "the interface's MTU is too small for IPv6, which takes 1280 bytes at least".to_owned()
        }
        _ => return None,
    };
    Some(text)
}
