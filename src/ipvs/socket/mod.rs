//! The kernel itself, over generic netlink.

mod destinations;
mod family;
mod settings;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::ipvs::codec::{Request, decode_info, decode_service};
use crate::ipvs::{Errno, Error, Info, Ipvs, KernelSettings, Refusal, Setting};
use crate::model::{Live, LiveService, ServiceKey};
use crate::netlink::{Answer, Batch, Exchange, Family, Link};
use crate::plan::Operation;
use destinations::Narrow;

/// How often a read is tried on a socket that loses messages, and a dump that does not hold together.
const TRIES: usize = 6;

/// The IPVS of the network namespace in which it was opened, by a thread that stays in it.
#[derive(Debug)]
pub struct Kernel {
    link: Link,
    narrow: Narrow,
    family: u16,
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
        Ok(Self { link, narrow: Narrow::open()?, family })
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

    fn services(&mut self) -> Result<Live, Error> {
        let live = RefCell::new(Live::default());
        dump(
            (&mut self.link, self.family),
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

/// One dump, again for as long as the kernel says that it does not hold together; `family` is the number of IPVS.
fn dump(
    (link, family): (&mut Link, u16),
    request: Request<'_>,
    doing: &'static str,
    each: &mut dyn FnMut(&[u8]),
    again: &mut dyn FnMut(),
) -> Result<Exchange, Error> {
    for _ in 0..TRIES {
        let mut refused = None;
        let mut batch = link.batch();
        request.push(&mut batch, family);
        let exchange = link.exchange(batch, doing, &mut |_, answer| match answer {
            Answer::Data { payload, .. } => each(payload),
            Answer::Refused(errno, text) => refused = Some((errno, text)),
        })?;
        if let Some((errno, text)) = refused {
            return Err(refused_request(doing, errno, text));
        }
        if !exchange.interrupted {
            return Ok(exchange);
        }
        again();
    }
    Err(Error::Protocol(format!("the table kept changing while trying to {doing}")))
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
