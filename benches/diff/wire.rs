//! The table as it goes over netlink: operations to the kernel, and dumps from it.

use ipvsd::ipvs::codec::{Request, decode_destination, decode_service};
use ipvsd::model::{DestinationKey, ServiceKey, Table};
use ipvsd::netlink::{Attributes, Batch, Body, Flags, Writer, messages};
use ipvsd::plan::Operation;

/// As many as `Link` puts into one send.
const REQUESTS: usize = 128;
/// Any number will do.
const FAMILY: u16 = 0x1b;

/// The bytes of all operations, and how many they are.
pub fn encode(operations: &[&Operation]) -> usize {
    let mut batch = Batch::default();
    let mut bytes = 0;
    for some in operations.chunks(REQUESTS) {
        batch = batch.renew(1);
        for operation in some {
            Request::Carry(operation).push(&mut batch, FAMILY);
        }
        bytes += std::hint::black_box(batch.acknowledged()).len();
    }
    bytes
}

/// The bytes of each batch.
pub fn encoded(operations: &[&Operation]) -> Vec<Vec<u8>> {
    let batch = |some: &[&Operation]| {
        let mut batch = Batch::new(1);
        some.iter().for_each(|operation| Request::Carry(operation).push(&mut batch, FAMILY));
        batch.acknowledged().to_vec()
    };
    operations.chunks(REQUESTS).map(batch).collect()
}

/// Copies the bytes of each batch to where those of the last one were.
pub fn copy(batches: &[Vec<u8>], to: &mut Vec<u8>) -> usize {
    batches
        .iter()
        .map(|batch| {
            to.clear();
            to.extend_from_slice(batch);
            std::hint::black_box(&*to).len()
        })
        .sum()
}

/// A dump of the services, and one of the destinations of each, as Linux 6.12 makes them.
pub struct Dumps {
    services: Vec<Vec<u8>>,
    destinations: Vec<(ServiceKey, Vec<u8>)>,
}

impl Dumps {
    pub fn new(table: &Table) -> Self {
        let keys: Vec<ServiceKey> = table.services.keys().copied().collect();
        // So many come in one datagram.
        let services = keys.chunks(90).map(|keys| datagram(keys, service));
        let destinations = table.services.iter().map(|(key, service)| {
            let keys: Vec<DestinationKey> = service.destinations.keys().rev().copied().collect();
            (*key, datagram(&keys, destination))
        });
        Self { services: services.collect(), destinations: destinations.collect() }
    }

    /// How many entries could be understood.
    pub fn decode(&self) -> usize {
        let services = self.services.iter().flat_map(|bytes| payloads(bytes));
        let services = services.filter(|payload| std::hint::black_box(decode_service(payload)).is_ok()).count();
        let destinations =
            self.destinations.iter().flat_map(|(key, bytes)| payloads(bytes).map(move |found| (key, found)));
        let is_known =
            |(key, payload): &(&ServiceKey, &[u8])| std::hint::black_box(decode_destination(payload, key)).is_ok();
        services + destinations.filter(is_known).count()
    }

    /// The same bytes, of which nothing is understood but where each attribute begins and ends.
    pub fn walk(&self) -> usize {
        let datagrams = self.services.iter().chain(self.destinations.iter().map(|(_, bytes)| bytes));
        let attributes = |payload: &[u8]| {
            let outer = Attributes(payload.get(4..).unwrap_or_default());
            let inner = outer.flat_map(|found| found.nested());
            inner.map(|found| if found.value.len() > 16 { found.nested().count() } else { 1 }).sum::<usize>()
        };
        datagrams.flat_map(|bytes| payloads(bytes)).map(attributes).sum()
    }
}

fn payloads(datagram: &[u8]) -> impl Iterator<Item = &[u8]> {
    messages(datagram).flatten().filter_map(|message| match message.body {
        Body::Data { payload, .. } => Some(payload),
        _ => None,
    })
}

fn datagram<K>(keys: &[K], body: impl Fn(&mut Writer<'_>, &K)) -> Vec<u8> {
    let mut batch = Batch::new(1);
    for key in keys {
        batch.push(FAMILY, Flags::MULTI, |out| {
            out.header(&[1, 1, 0, 0]);
            body(out, key);
        });
    }
    batch.acknowledged().to_vec()
}

/// `ip_vs_genl_fill_service`
fn service(out: &mut Writer<'_>, key: &ServiceKey) {
    let ServiceKey::Address { protocol, address, port } = key else { return };
    out.nested(1, |out| {
        out.u16(1, 2);
        out.u16(2, protocol.number());
        out.bytes(3, &in_16_bytes(address));
        out.be16(4, *port);
        out.text(6, "wlc");
        out.bytes(7, &[2, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        out.u32(8, 0);
        out.u32(9, u32::MAX);
        stats(out, 10, 12);
    });
}

/// `ip_vs_genl_fill_dest`
fn destination(out: &mut Writer<'_>, key: &DestinationKey) {
    out.nested(2, |out| {
        out.bytes(1, &in_16_bytes(&key.address));
        out.be16(2, key.port);
        out.u32(3, 0);
        out.u32(4, 100);
        out.u8(13, 0);
        out.be16(14, 0);
        out.u16(15, 0);
        for kind in 5..=9 {
            out.u32(kind, 0);
        }
        out.u16(11, 2);
        stats(out, 10, 12);
    });
}

fn in_16_bytes(address: &std::net::IpAddr) -> [u8; 16] {
    let mut bytes = [0; 16];
    if let std::net::IpAddr::V4(address) = address {
        bytes[..4].copy_from_slice(&address.octets());
    }
    bytes
}

/// `ip_vs_genl_fill_stats` and `ip_vs_genl_fill_stats64`
fn stats(out: &mut Writer<'_>, narrow: u16, wide: u16) {
    out.nested(narrow, |out| {
        for kind in 1..=10 {
            if kind == 4 || kind == 5 {
                out.bytes(kind, &7_u64.to_ne_bytes());
            } else {
                out.u32(kind, 7);
            }
        }
    });
    out.nested(wide, |out| (1..=10).for_each(|kind| out.bytes(kind, &7_u64.to_ne_bytes())));
}
