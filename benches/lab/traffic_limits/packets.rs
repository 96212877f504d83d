//! Packets that go from the director's own processes through IPVS to a destination, and are dropped by the interface there: what a
//! packet costs is then what the kernel's way through IPVS costs, and a system call.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::Context;
use fastrand::Rng;
use rustix::net::{AddressFamily, Protocol, SendFlags, SocketType, sendto, socket};

/// One that writes headers itself.
pub struct Sender {
    socket: OwnedFd,
    random: Rng,
}

/// 10.9.0.1 and 255 more.
const SOURCES: u32 = 256;
/// Of each source: ports from 1024 on.
const PORTS: u32 = 60_000;

impl Sender {
    /// In the namespace of this thread.
    pub fn new() -> anyhow::Result<Self> {
        let raw = Some(Protocol::from_raw(core::num::NonZeroU32::new(255).context("IPPROTO_RAW")?));
        let socket = socket(AddressFamily::INET, SocketType::RAW, raw).context("a raw socket")?;
        Ok(Self { socket, random: Rng::with_seed(1) })
    }

    /// Sends a packet of each flow once.
    pub fn open(&self, flows: u32, to: SocketAddrV4) -> anyhow::Result<()> {
        (0..flows).try_for_each(|flow| self.send(flow, to))
    }

    /// Sends so many packets, each of one of the flows, and to one of the addresses, at random. Gives back how long one took.
    pub fn time(&mut self, packets: u32, flows: u32, to: &[SocketAddrV4]) -> anyhow::Result<Duration> {
        let chosen: Vec<(u32, SocketAddrV4)> =
            (0..packets).map(|_| (self.random.u32(..flows), to[self.random.usize(..to.len())])).collect();
        let begin = Instant::now();
        for (flow, to) in chosen {
            self.send(flow, to)?;
        }
        Ok(begin.elapsed() / packets)
    }

    fn send(&self, flow: u32, to: SocketAddrV4) -> anyhow::Result<()> {
        let source = u32::from(Ipv4Addr::new(10, 9, 0, 1)) + flow / PORTS % SOURCES;
        let port = u16::try_from(1024 + flow % PORTS)?;
        // RFC 791 and RFC 768; the kernel fills in the length, the identification and the checksum of the first (raw(7)).
        let mut packet = [0; 28];
        packet[0] = 0x45;
        packet[8] = 64;
        packet[9] = 17;
        packet[12..16].copy_from_slice(&source.to_be_bytes());
        packet[16..20].copy_from_slice(&to.ip().octets());
        packet[20..22].copy_from_slice(&port.to_be_bytes());
        packet[22..24].copy_from_slice(&to.port().to_be_bytes());
        packet[24..26].copy_from_slice(&8_u16.to_be_bytes());
        sendto(&self.socket, &packet, SendFlags::empty(), &to).with_context(|| format!("a packet to {to}"))?;
        Ok(())
    }
}
