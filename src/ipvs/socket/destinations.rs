//! Dumps of destinations: one for each service, which makes them nearly all of a read.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::{Kernel, TRIES, dump};
use crate::ipvs::Error;
use crate::ipvs::codec::{Request, decode_destination};
use crate::model::{DestinationKey, LiveDestination, ServiceKey};
use crate::netlink::{Family, Link};

/// What is received at once: what the kernel can make in a page, and in two (`SKB_WITH_OVERHEAD`). A destination takes 356
/// bytes, so these are ten of them, and twenty.
const ROOMS: [usize; 2] = [3_776, 7_168];

/// Sockets for dumps that fit into one small datagram, as nearly all of destinations do. The kernel clears the whole of
/// each datagram that it makes, and makes two for each dump: with 32 KiB each that is half of the cost of a read.
#[derive(Debug)]
pub(super) struct Narrow {
    links: [Link; ROOMS.len()],
    /// Which of them the last service would have fitted into; none if into neither. Services are often alike.
    fits: Option<usize>,
}

impl Narrow {
    pub(super) fn open() -> Result<Self, Error> {
        let [one, two] = ROOMS;
        let links = [Link::with_room(Family::Generic, one)?, Link::with_room(Family::Generic, two)?];
        Ok(Self { links, fits: Some(0) })
    }
}

/// What one dump of destinations found.
#[derive(Debug, Default)]
pub(super) struct Destinations {
    pub(super) known: BTreeMap<DestinationKey, LiveDestination>,
    pub(super) unknown: Vec<String>,
    /// All of it came in one datagram: a consistent view.
    whole: bool,
    bytes: usize,
}

impl Kernel {
    /// One dump, in one datagram if they fit into one of 32 KiB.
    pub(super) fn destinations(&mut self, service: &ServiceKey) -> Result<Destinations, Error> {
        let narrow = &mut self.narrow;
        let link = narrow.fits.and_then(|fits| narrow.links.get_mut(fits));
        let found = match link.map(|link| dump_destinations((link, self.family), service)) {
            Some(Ok(found)) if !found.whole => dump_destinations((&mut self.link, self.family), service)?,
            Some(found) => found?,
            None => dump_destinations((&mut self.link, self.family), service)?,
        };
        narrow.fits = ROOMS.iter().position(|room| found.bytes <= *room);
        Ok(found)
    }

    /// The destinations without those that a torn dump leaves out: all that were seen by dumps whose datagrams end at
    /// different places, until two more of them see nothing new. What another process deletes meanwhile may
    /// be among them; to delete that again does no harm.
    ///
    /// A dump in several datagrams loses what slides over the end of one while others delete, always about there, so
    /// that dumps of the same shape can agree on a loss. The first datagram to a fresh socket is a small one
    /// (`netlink_dump` sizes it by what was received before), and moves all ends.
    pub(super) fn destinations_confirmed(
        &mut self,
        service: &ServiceKey,
    ) -> Result<BTreeMap<DestinationKey, LiveDestination>, Error> {
        let first = self.destinations(service)?;
        let mut seen = first.known;
        if first.whole {
            return Ok(seen);
        }
        for _ in 0..TRIES {
            let before = seen.len();
            self.link.reopen()?;
            for _shape in ["moved ends", "full datagrams"] {
                seen.extend(dump_destinations((&mut self.link, self.family), service)?.known);
            }
            if seen.len() == before {
                break;
            }
        }
        Ok(seen)
    }
}

fn dump_destinations(link: (&mut Link, u16), service: &ServiceKey) -> Result<Destinations, Error> {
    let found = RefCell::new(Destinations::default());
    let exchange = dump(
        link,
        Request::DumpDestinations(service),
        "read the destinations",
        &mut |message| {
            let mut found = found.borrow_mut();
            match decode_destination(message, service) {
                Ok((key, destination)) => drop(found.known.insert(key, destination)),
                Err(words) => found.unknown.push(words),
            }
        },
        &mut || *found.borrow_mut() = Destinations::default(),
    )?;
    Ok(Destinations { whole: exchange.datagrams <= 1, bytes: exchange.bytes, ..found.into_inner() })
}
