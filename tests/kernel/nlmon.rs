//! What goes over netlink in a network namespace, as the kernel's own tap shows it (`nlmon`).

use std::num::NonZero;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType, recv, socket_with, sockopt};

use crate::netns;

/// `IPVS_CMD_GET_SERVICE`, `IPVS_CMD_GET_DEST` and `IPVS_CMD_GET_INFO`: to ask for these changes nothing.
pub(crate) const READS: [u8; 3] = [4, 8, 15];
/// `IPVS_CMD_NEW_SERVICE` and `IPVS_CMD_NEW_DEST`.
pub(crate) const ADDS: [u8; 2] = [1, 5];

/// ETH_P_ALL, as it stands in a packet.
const ALL: u16 = 0x0003_u16.to_be();
/// `GENL_ID_CTRL`, and of its answer `CTRL_CMD_NEWFAMILY` with the attributes `CTRL_ATTR_FAMILY_ID` and `_NAME`.
const CONTROL: u16 = 0x10;
const NEW_FAMILY: u8 = 1;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
/// `NLM_F_REQUEST`
const REQUEST: u16 = 1;

/// A tap on the netlink of this thread's namespace. To be placed before whoever is watched looks IPVS up.
pub(crate) struct Tap {
    socket: OwnedFd,
    family: Option<u16>,
}

impl Tap {
    pub(crate) fn place() -> Self {
        netns::ip_batch("link add nlmon0 type nlmon\nlink set nlmon0 up\n");
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let protocol = NonZero::new(u32::from(ALL)).map(Protocol::from_raw);
        let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, protocol).unwrap();
        sockopt::set_socket_recv_buffer_size_force(&socket, 16 << 20).unwrap();
        Self { socket, family: None }
    }

    /// The IPVS commands that were sent to the kernel since the last call.
    pub(crate) fn commands(&mut self) -> Vec<u8> {
        let mut commands = Vec::new();
        for datagram in self.datagrams() {
            let mut rest = &datagram[..];
            // nlmsghdr: length, type, flags, sequence, port; then genlmsghdr: command, version, reserved
            while let Some(head) = rest.get(..20) {
                let length = u32::from_ne_bytes(head[..4].try_into().unwrap()) as usize;
                let (kind, flags) = (short(&head[4..]), short(&head[6..]));
                let command = head[16];
                let message = &rest[..length.clamp(20, rest.len())];
                if kind == CONTROL && flags & REQUEST == 0 && command == NEW_FAMILY {
                    self.learn(&message[20..]);
                } else if Some(kind) == self.family && flags & REQUEST != 0 {
                    commands.push(command);
                }
                rest = rest.get(length.max(20).next_multiple_of(4)..).unwrap_or_default();
            }
        }
        commands
    }

    /// For each send to the kernel since the last call, how many requests of this kind (`nlmsg_type`) were in it, if any.
    pub(crate) fn sends(&mut self, kind: u16) -> Vec<usize> {
        let requests = |datagram: &[u8]| {
            let (mut rest, mut found) = (datagram, 0);
            while let Some(head) = rest.get(..16) {
                let length = u32::from_ne_bytes(head[..4].try_into().unwrap()) as usize;
                found += usize::from(short(&head[4..]) == kind && short(&head[6..]) & REQUEST != 0);
                rest = rest.get(length.max(16).next_multiple_of(4)..).unwrap_or_default();
            }
            found
        };
        self.datagrams().iter().map(|datagram| requests(datagram)).filter(|found| *found > 0).collect()
    }

    /// What went over netlink since the last call.
    fn datagrams(&self) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        let mut buffer = vec![0; 128 << 10];
        while let Ok((_, length)) = recv(&self.socket, &mut buffer[..], RecvFlags::TRUNC) {
            datagrams.push(buffer[..length.min(buffer.len())].to_vec());
        }
        datagrams
    }

    /// Whether it has seen IPVS being looked up, without which it sees no command.
    pub(crate) fn works(&self) -> bool {
        self.family.is_some()
    }

    fn learn(&mut self, mut attributes: &[u8]) {
        let (mut id, mut ipvs) = (None, false);
        while let Some(head) = attributes.get(..4) {
            let length = usize::from(short(head)).clamp(4, attributes.len());
            match short(&head[2..]) {
                FAMILY_ID => id = attributes.get(4..6).map(short),
                FAMILY_NAME => ipvs = attributes[4..length] == *b"IPVS\0",
                _ => {}
            }
            attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        if ipvs {
            self.family = id;
        }
    }
}

fn short(bytes: &[u8]) -> u16 {
    u16::from_ne_bytes([bytes[0], bytes[1]])
}
