//! The kernel itself, over generic netlink.

mod family;
mod settings;

use std::collections::{BTreeMap, BTreeSet};

use crate::ipvs::codec::{Request, decode_destination, decode_info, decode_service};
use crate::ipvs::{Errno, Error, Info, Ipvs, KernelSettings, Refusal, Setting};
use crate::model::{DestinationKey, Live, LiveDestination, LiveService, ServiceKey};
use crate::netlink::{Answer, Batch, Family, Link};
use crate::plan::Operation;

/// How often a read is tried on a socket that loses messages, and a dump that does not hold together.
const TRIES: usize = 6;

/// The IPVS of the network namespace in which it was opened, by a thread that stays in it.
#[derive(Debug)]
pub struct Kernel {
    link: Link,
    family: u16,
}

/// What one dump of destinations found.
#[derive(Debug, Default)]
struct Destinations {
    known: BTreeMap<DestinationKey, LiveDestination>,
    unknown: Vec<String>,
    /// All of it came in one datagram: a consistent view.
    whole: bool,
}

impl Kernel {
    /// Finds IPVS in this thread's network namespace, and tries to load its module if it is not there.
    ///
    /// # Errors
    ///
    /// [`Error::NoFamily`] if there is no IPVS, [`Error::Netlink`] if there is no netlink. Permission
    /// is asked for by the kernel at the first request only.
    pub fn open() -> Result<Self, Error> {
        let mut link = Link::open(Family::Generic)?;
        let family = family::resolve(&mut link)?;
        Ok(Self { link, family })
    }

    /// Makes a read that can be repeated, again if the socket lost something; and looks the family up again if the
    /// kernel does not know it any more, since the module was loaded anew.
    fn reading<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        let mut tries = 1;
        loop {
            match read(self) {
                Err(Error::Refused { refusal: Refusal { errno: Errno::NOENT, .. }, .. }) if tries < TRIES => {
                    self.family = family::resolve(&mut self.link)?;
                }
                Err(error) if tries < TRIES && is_passing(&error) => {}
                done => return done,
            }
            tries += 1;
        }
    }

    /// One dump, again for as long as the kernel says that it does not hold together.
    fn dump(
        &mut self,
        request: Request<'_>,
        doing: &'static str,
        each: &mut dyn FnMut(&[u8]),
        again: &mut dyn FnMut(),
    ) -> Result<usize, Error> {
        for _ in 0..TRIES {
            let mut refused = None;
            let mut batch = self.link.batch();
            request.push(&mut batch, self.family);
            let exchange = self.link.exchange(batch, doing, &mut |_, answer| match answer {
                Answer::Data { payload, .. } => each(payload),
                Answer::Refused(errno, text) => refused = Some((errno, text)),
            })?;
            if let Some((errno, text)) = refused {
                return Err(refused_request(doing, errno, text));
            }
            if !exchange.interrupted {
                return Ok(exchange.datagrams);
            }
            again();
        }
        Err(Error::Protocol(format!("the table kept changing while trying to {doing}")))
    }

    fn services(&mut self) -> Result<Live, Error> {
        let live = std::cell::RefCell::new(Live::default());
        self.dump(
            Request::DumpServices,
            "read the services",
            &mut |message| {
                let mut live = live.borrow_mut();
                match decode_service(message) {
                    Ok((key, service)) => drop(live.services.insert(key, service)),
                    Err(words) if live.unknown.contains(&words) => {}
                    Err(words) => live.unknown.push(words),
                }
            },
            &mut || *live.borrow_mut() = Live::default(),
        )?;
        Ok(live.into_inner())
    }

    fn destinations(&mut self, service: &ServiceKey) -> Result<Destinations, Error> {
        let found = std::cell::RefCell::new(Destinations::default());
        let datagrams = self.dump(
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
        Ok(Destinations { whole: datagrams <= 1, ..found.into_inner() })
    }

    /// The destinations without those that a torn dump leaves out: all that were seen by dumps whose datagrams end at
    /// different places, until two more of them see nothing new. What another process deletes meanwhile may
    /// be among them; to delete that again does no harm.
    ///
    /// A dump in several datagrams loses what slides over the end of one while others delete, always about there, so
    /// that dumps of the same shape can agree on a loss. The first datagram to a fresh socket is a small one
    /// (`netlink_dump` sizes it by what was received before), and moves all ends.
    fn destinations_confirmed(
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
                seen.extend(self.destinations(service)?.known);
            }
            if seen.len() == before {
                break;
            }
        }
        Ok(seen)
    }

    /// Single reads, batched: each is exact.
    fn single_services(&mut self, keys: &[ServiceKey]) -> Result<BTreeMap<ServiceKey, LiveService>, Error> {
        const DOING: &str = "read a service";
        let mut found = BTreeMap::new();
        let mut failed = None;
        let family = self.family;
        let mut push = |index: usize, batch: &mut Batch| {
            if let Some(key) = keys.get(index) {
                Request::Service(key).push(batch, family);
            }
        };
        self.link.exchange_all(keys.len(), DOING, &mut push, &mut |index, answer| match answer {
            Answer::Data { payload, .. } => match (keys.get(index), decode_service(payload)) {
                (Some(key), Ok((answered, service))) if *key == answered => drop(found.insert(answered, service)),
                (Some(key), Ok((answered, _))) => {
                    failed = Some(Error::Protocol(format!("asked for {key}, the kernel answered {answered}")));
                }
                (_, Err(words)) => failed = Some(Error::Protocol(words)),
                (None, Ok(_)) => {}
            },
            Answer::Refused(Errno::SRCH, _) => {}
            Answer::Refused(errno, text) => failed = Some(refused_request(DOING, errno, text)),
        })?;
        failed.map_or(Ok(found), Err)
    }
}

impl Ipvs for Kernel {
    fn info(&mut self) -> Result<Info, Error> {
        const DOING: &str = "say its version";
        self.reading(|kernel| {
            let mut answered = Err(Error::Protocol("no answer to the question for the version".to_owned()));
            let mut batch = kernel.link.batch();
            Request::Info.push(&mut batch, kernel.family);
            kernel.link.exchange(batch, DOING, &mut |_, answer| match answer {
                Answer::Data { payload, .. } => {
                    answered = decode_info(payload)
                        .ok_or_else(|| Error::Protocol("the answer has no version or table size in it".to_owned()));
                }
                Answer::Refused(errno, text) => answered = Err(refused_request(DOING, errno, text)),
            })?;
            answered
        })
    }

    fn read(&mut self) -> Result<Live, Error> {
        self.reading(|kernel| {
            let mut live = kernel.services()?;
            let Live { services, unknown } = &mut live;
            for (key, service) in services {
                let found = kernel.destinations(key)?;
                service.destinations = found.known;
                unknown.extend(found.unknown);
            }
            Ok(live)
        })
    }

    fn read_services(&mut self, keys: &[ServiceKey]) -> Result<BTreeMap<ServiceKey, LiveService>, Error> {
        let keys: Vec<ServiceKey> = keys.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        self.reading(|kernel| {
            let mut found = kernel.single_services(&keys)?;
            for (key, service) in &mut found {
                service.destinations = kernel.destinations_confirmed(key)?;
            }
            Ok(found)
        })
    }

    fn execute(&mut self, operations: &[&Operation]) -> Result<Vec<Result<(), Refusal>>, Error> {
        let mut results: Vec<Result<(), Refusal>> = vec![Ok(()); operations.len()];
        let family = self.family;
        let mut push = |index: usize, batch: &mut Batch| {
            if let Some(operation) = operations.get(index) {
                Request::Carry(operation).push(batch, family);
            }
        };
        self.link.exchange_all(operations.len(), "carry out operations", &mut push, &mut |index, answer| {
            if let Answer::Refused(errno, text) = answer
                && let (Some(result), Some(operation)) = (results.get_mut(index), operations.get(index))
            {
                *result = Err(Refusal::new(operation, errno, text));
            }
        })?;
        let forbidden = |result: &Result<(), Refusal>| matches!(result, Err(refusal) if refusal.errno == Errno::PERM);
        if !results.is_empty() && results.iter().all(forbidden) {
            return Err(Error::NotPermitted);
        }
        Ok(results)
    }

    fn settings(&mut self) -> Result<KernelSettings, Error> {
        Ok(KernelSettings { timeouts: self.read_timeouts()?, sync: self.read_daemons()? })
    }

    fn set(&mut self, setting: Setting<'_>) -> Result<Result<(), Refusal>, Error> {
        self.change(setting)
    }
}

fn refused_request(doing: &'static str, errno: Errno, text: Option<String>) -> Error {
    match errno {
        Errno::PERM => Error::NotPermitted,
        _ => Error::Refused { doing, refusal: Refusal::of_request(errno, text) },
    }
}

/// Whether a read that failed so is worth another try at once: the socket is a new one by now.
fn is_passing(error: &Error) -> bool {
    match error {
        Error::Netlink(error) => error.is_passing(),
        Error::Protocol(_) => true,
        Error::Refused { refusal, .. } => refusal.retry() == super::error::Retry::Soon,
        Error::NoFamily(_) | Error::NotPermitted => false,
    }
}
