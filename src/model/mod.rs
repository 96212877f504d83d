//! The vocabulary of ipvsd: pure data, no IO, no clock, no log.
//!
//! Everything else speaks in these types. Keys ([`ServiceKey`], [`DestinationKey`]) are what the kernel
//! identifies an entry by and can never be edited; settings ([`ServiceSettings`], [`DestinationSettings`])
//! are everything else, and always edited in place. A [`Table`] is both, sorted; a [`Live`] table carries
//! what the kernel counts, too.

mod address;
mod api;
mod check;
mod desired;
mod destination;
mod docker;
mod health;
mod host;
mod live;
mod named;
mod offer;
mod overrides;
mod record;
mod scheduler;
mod service;
mod sync;
mod table;

pub use address::ParseKeyError;
pub use api::{Api, ApiListen, ApiTls};
pub use check::{
    Check, Checks, Dns, DnsRecord, DnsTransport, Flap, Grpc, Http, Match, NamedCheck, Pass, Probe, SharedChecks,
    StatusSet, Timing, Tls, Via,
};
pub use desired::{Desired, Manage, MaxDelete, Scope, ServiceOrigin};
pub use destination::{Checksum, DestinationKey, DestinationSettings, Forward, Tunnel, TunnelType};
pub use docker::{Auto, Docker, DockerTls, Endpoint, Quiesced, Reach, SERVICE_LABEL, Selector};
pub use health::{Health, Hooks, Initial, OnDown, Policy, Share};
pub use host::{Host, HostKey, HostValue, OwnedHost, ParseHostKeyError, Timeout};
pub use live::{Live, LiveDestination, LiveService, Stats};
pub use named::{Named, Written, host_and_port};
pub use offer::{Offer, OfferedDestination};
pub use overrides::{Action, Forced, HealthOverride, Override, Overrides, WeightOverride};
pub use record::{Drain, Helped, OwnedService, Record};
pub use scheduler::Scheduler;
pub use service::{Family, Netmask, Persistence, Protocol, ServiceFlags, ServiceKey, ServiceSettings};
pub use sync::{Footing, SyncRole, SyncSettings};
pub use table::{Service, ServiceView, Table, TableView};
