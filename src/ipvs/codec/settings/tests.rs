//! As the vectors and laws of services and destinations: written down by hand, and over arbitrary input.

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prelude::*;

use super::super::tests::{answer, bytes, payload};
use super::*;
use crate::ipvs::Setting;
use crate::ipvs::codec::Request;
use crate::netlink::Writer;

fn sync(interface: &str) -> SyncSettings {
    SyncSettings {
        interface: interface.to_owned(),
        id: 7,
        group: SyncSettings::GROUP,
        port: SyncSettings::PORT,
        ttl: SyncSettings::TTL,
        sync_maxlen: None,
    }
}

#[cfg(target_endian = "little")]
mod vectors {
    use super::*;

    /// `REQUEST|ACK`, sequence 5; a generic netlink command of version 1.
    #[rustfmt::skip]
    fn request(length: u8, command: u8) -> Vec<u8> {
        vec![
            length, 0, 0, 0, 0x1b, 0, 5, 0, 5, 0, 0, 0, 0, 0, 0, 0,
            command, 1, 0, 0,
        ]
    }

    #[test]
    fn a_timeout() {
        for (timeout, attribute) in [(Timeout::Tcp, 4), (Timeout::TcpFin, 5), (Timeout::Udp, 6)] {
            let mut want = request(28, 12);
            want.extend([8, 0, attribute, 0, 0x84, 3, 0, 0]);
            assert_eq!(bytes(Request::Set(Setting::Timeout(timeout, 900))), want);
        }
    }

    #[test]
    fn the_question_for_the_timeouts_and_its_answer() {
        assert_eq!(bytes(Request::Timeouts), request(20, 13));
        #[rustfmt::skip]
        let answer = [
            // genlmsghdr: the kernel answers with SET_CONFIG
            12, 1, 0, 0,
            8, 0, 4, 0, 0x84, 3, 0, 0,
            8, 0, 5, 0, 120, 0, 0, 0,
            8, 0, 6, 0, 0x2c, 1, 0, 0,
        ];
        let want = BTreeMap::from([(Timeout::Tcp, 900), (Timeout::TcpFin, 120), (Timeout::Udp, 300)]);
        assert_eq!(decode_timeouts(&answer), want);
        // A kernel whose IPVS was built without udp.
        assert_eq!(decode_timeouts(&answer[..20]).len(), 2);
    }

    #[test]
    fn a_master_of_an_ipv4_group() {
        let mut want = request(84, 9);
        #[rustfmt::skip]
        want.extend([
            // IPVS_CMD_ATTR_DAEMON, nested
            64, 0, 3, 0x80,
            // IP_VS_STATE_MASTER
            8, 0, 1, 0, 1, 0, 0, 0,
            // the interface, with its NUL
            9, 0, 2, 0, b'e', b't', b'h', b'1', 0, 0, 0, 0,
            // the id
            8, 0, 3, 0, 7, 0, 0, 0,
            // sync_maxlen 1400
            6, 0, 4, 0, 0x78, 5, 0, 0,
            // 224.0.0.81
            8, 0, 5, 0, 224, 0, 0, 81,
            // port 8848, host byte order
            6, 0, 7, 0, 0x90, 0x22, 0, 0,
            // ttl
            5, 0, 8, 0, 1, 0, 0, 0,
        ]);
        let settings = SyncSettings { sync_maxlen: Some(1400), ..sync("eth1") };
        assert_eq!(bytes(Request::Set(Setting::StartSync(SyncRole::Master, &settings))), want);
    }

    #[test]
    fn a_backup_of_an_ipv6_group_without_a_length() {
        let mut want = request(84, 9);
        #[rustfmt::skip]
        want.extend([
            64, 0, 3, 0x80,
            // IP_VS_STATE_BACKUP
            8, 0, 1, 0, 2, 0, 0, 0,
            8, 0, 2, 0, b'e', b't', b'h', 0,
            8, 0, 3, 0, 7, 0, 0, 0,
            // no sync_maxlen; ff05::81
            20, 0, 6, 0, 0xff, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x81,
            6, 0, 7, 0, 0x91, 0x22, 0, 0,
            5, 0, 8, 0, 3, 0, 0, 0,
        ]);
        let settings = SyncSettings { group: "ff05::81".parse().unwrap(), port: 8849, ttl: 3, ..sync("eth") };
        assert_eq!(bytes(Request::Set(Setting::StartSync(SyncRole::Backup, &settings))), want);
    }

    #[test]
    fn the_end_of_a_daemon() {
        for (role, state) in [(SyncRole::Master, 1), (SyncRole::Backup, 2)] {
            let mut want = request(32, 10);
            want.extend([12, 0, 3, 0x80, 8, 0, 1, 0, state, 0, 0, 0]);
            assert_eq!(bytes(Request::Set(Setting::StopSync(role))), want);
        }
    }

    #[test]
    fn the_question_for_the_daemons_and_an_answer() {
        let mut want = request(20, 11);
        // REQUEST|DUMP, and no acknowledgement
        want[6..8].copy_from_slice(&[1, 3]);
        assert_eq!(bytes(Request::DumpDaemons), want);
        #[rustfmt::skip]
        let answer = [
            // genlmsghdr: the kernel answers with NEW_DAEMON
            9, 1, 0, 0,
            64, 0, 3, 0,
            8, 0, 1, 0, 2, 0, 0, 0,
            9, 0, 2, 0, b'e', b't', b'h', b'1', 0, 0, 0, 0,
            8, 0, 3, 0, 255, 0, 0, 0,
            6, 0, 4, 0, 0xc0, 5, 0, 0,
            6, 0, 7, 0, 0x90, 0x22, 0, 0,
            5, 0, 8, 0, 1, 0, 0, 0,
            8, 0, 5, 0, 224, 0, 0, 81,
        ];
        let want = SyncSettings { id: 255, sync_maxlen: Some(1472), ..sync("eth1") };
        assert_eq!(decode_daemon(&answer), Ok((SyncRole::Backup, want)));
    }
}

/// An answer with a daemon in it.
fn daemon(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    answer(top::DAEMON, write)
}

#[test]
fn a_kernel_that_tells_of_three_attributes_is_understood() {
    let old = daemon(|out| {
        out.u32(attr::STATE, sync_state::MASTER);
        out.text(attr::MCAST_IFN, "eth1");
        out.u32(attr::SYNC_ID, 7);
    });
    assert_eq!(decode_daemon(&old), Ok((SyncRole::Master, sync("eth1"))));
}

#[test]
fn a_daemon_of_somebody_who_is_not_as_careful_is_understood() {
    let odd = daemon(|out| {
        out.u32(attr::STATE, sync_state::MASTER);
        out.bytes(attr::MCAST_IFN, b"caf\xe9\0\0\0");
        out.u32(attr::SYNC_ID, 0x1_2c);
        out.bytes(77, b"from the future");
    });
    let (_, found) = decode_daemon(&odd).unwrap();
    assert_eq!((&*found.interface, found.id), ("caf\u{fffd}", 0x2c));
}

#[test]
fn a_daemon_that_makes_no_sense_is_put_into_words() {
    assert_eq!(
        decode_daemon(&answer(top::SERVICE, |_| ())),
        Err("a synchronisation daemon: the answer has none in it")
    );
    let both = daemon(|out| out.u32(attr::STATE, sync_state::MASTER | sync_state::BACKUP));
    assert_eq!(decode_daemon(&both), Err("a synchronisation daemon: it is neither a master nor a backup"));
    let nowhere = daemon(|out| out.u32(attr::STATE, sync_state::BACKUP));
    assert_eq!(decode_daemon(&nowhere), Err("a synchronisation daemon: it has no interface"));
    let nameless = daemon(|out| {
        out.u32(attr::STATE, sync_state::BACKUP);
        out.text(attr::MCAST_IFN, "eth1");
    });
    assert_eq!(decode_daemon(&nameless), Err("a synchronisation daemon: it has no id"));
}

prop_compose! {
    fn any_sync()(
        interface in "[a-zA-Z0-9._-]{1,15}",
        id in any::<u8>(),
        group in any::<IpAddr>(),
        port in any::<u16>(),
        ttl in any::<u8>(),
        sync_maxlen in proptest::option::of(1u16..),
    ) -> SyncSettings {
        SyncSettings { interface, id, group, port, ttl, sync_maxlen }
    }
}

fn any_role() -> impl Strategy<Value = SyncRole> {
    prop_oneof![Just(SyncRole::Master), Just(SyncRole::Backup)]
}

proptest! {
    #[test]
    fn a_daemon_comes_back_as_it_went(role in any_role(), settings in any_sync()) {
        let sent = payload(Request::Set(Setting::StartSync(role, &settings)));
        prop_assert_eq!(decode_daemon(&sent), Ok((role, settings)));
    }

    #[test]
    fn a_timeout_comes_back_as_it_went(index in 0..Timeout::ALL.len(), seconds in any::<u32>()) {
        let timeout = Timeout::ALL[index];
        let sent = payload(Request::Set(Setting::Timeout(timeout, seconds)));
        prop_assert_eq!(decode_timeouts(&sent), BTreeMap::from([(timeout, seconds)]));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = decode_timeouts(&bytes);
        let _ = decode_daemon(&bytes);
    }

    #[test]
    fn no_change_of_a_good_message_makes_it_panic(
        role in any_role(),
        settings in any_sync(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut bytes = payload(Request::Set(Setting::StartSync(role, &settings)));
        for (index, value) in &changes {
            let at = index.index(bytes.len());
            bytes[at] = *value;
        }
        let _ = (decode_daemon(&bytes), decode_timeouts(&bytes));
        bytes.truncate(cut.index(bytes.len()));
        let _ = (decode_daemon(&bytes), decode_timeouts(&bytes));
    }
}
