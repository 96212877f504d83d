//! The kernel's own timeouts, and connection synchronisation.

use ipvsd::ipvs::Setting;
use ipvsd::model::{SyncRole, SyncSettings, Timeout};

use super::*;

/// What these cases run beside: name, MTU, and whether it is up.
pub(crate) const INTERFACES: [(&str, u32, bool); 4] =
    [(USUAL, 1500, true), (WIDE, 9000, true), (NARROW, 1280, true), (DOWN, 1500, false)];

/// As long as an interface's name can be.
const USUAL: &str = "abcdefghijklmno";
const WIDE: &str = "wide";
const NARROW: &str = "narrow";
const DOWN: &str = "down";

use SyncRole::{Backup, Master};

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

impl Subject<'_> {
    #[track_caller]
    fn sets(&mut self, setting: Setting<'_>) {
        assert_eq!(self.ipvs.set(setting).unwrap(), Ok(()), "{setting:?}");
    }

    /// Why not, in words.
    #[track_caller]
    fn does_not_set(&mut self, setting: Setting<'_>, errno: Errno) -> String {
        let before = self.ipvs.settings().unwrap();
        let refusal = self.ipvs.set(setting).unwrap().expect_err(&format!("{setting:?}"));
        assert_eq!(refusal.errno, errno, "{setting:?}: {refusal}");
        assert_eq!(self.ipvs.settings().unwrap(), before, "a refusal changes nothing");
        refusal.reason
    }

    fn timeouts(&mut self) -> [u32; 3] {
        let timeouts = self.ipvs.settings().unwrap().timeouts;
        Timeout::ALL.map(|timeout| timeouts[&timeout])
    }

    fn daemons(&mut self) -> BTreeMap<SyncRole, SyncSettings> {
        self.ipvs.settings().unwrap().sync
    }

    /// What the kernel makes of a daemon, which is what the model says it does.
    #[track_caller]
    fn keeps_daemon(&mut self, role: SyncRole, settings: &SyncSettings) -> SyncSettings {
        self.sets(Setting::StartSync(role, settings));
        let live = self.daemons().remove(&role).unwrap();
        let kept = settings.kept(role);
        assert!(kept.is_met_by(&live), "{role:?}: {kept:?} is not met by {live:?}");
        self.sets(Setting::StopSync(role));
        live
    }
}

pub(crate) fn timeouts_are_set_one_by_one(on: &mut Subject<'_>) {
    assert_eq!(on.timeouts(), [900, 120, 300]);
    on.sets(Setting::Timeout(Timeout::Tcp, 60));
    assert_eq!(on.timeouts(), [60, 120, 300]);
    on.sets(Setting::Timeout(Timeout::TcpFin, 1));
    assert_eq!(on.timeouts(), [60, 1, 300]);
    on.sets(Setting::Timeout(Timeout::Udp, 7));
    assert_eq!(on.timeouts(), [60, 1, 7]);
    for timeout in Timeout::ALL {
        on.sets(Setting::Timeout(timeout, 0));
    }
    assert_eq!(on.timeouts(), [60, 1, 7], "0 keeps what is there");
}

pub(crate) fn timeouts_have_a_longest(on: &mut Subject<'_>) {
    // Ticks have 31 bits; there are 100 to 1,000 in a second.
    const SAFE: u32 = i32::MAX as u32 / 1000;
    const TOO_LONG: u32 = i32::MAX as u32 / 100 + 1;
    for (timeout, kept) in Timeout::ALL.into_iter().zip([[SAFE, 120, 300], [SAFE, SAFE, 300], [SAFE; 3]]) {
        for seconds in [TOO_LONG, i32::MAX as u32, u32::MAX] {
            let why = on.does_not_set(Setting::Timeout(timeout, seconds), Errno::INVAL);
            assert_eq!(why, "it is longer than the kernel can count");
        }
        on.sets(Setting::Timeout(timeout, SAFE));
        assert_eq!(on.timeouts(), kept);
    }
}

pub(crate) fn a_daemon_runs_until_it_is_stopped(on: &mut Subject<'_>) {
    assert_eq!(on.daemons(), BTreeMap::new());
    for role in SyncRole::ALL {
        let why = on.does_not_set(Setting::StopSync(role), Errno::SRCH);
        assert_eq!(why, format!("no synchronisation daemon runs as {}", role.as_str()));
        on.sets(Setting::StartSync(role, &sync(USUAL)));
        let live = SyncSettings { sync_maxlen: Some(1472), ..sync(USUAL) };
        assert_eq!(on.daemons(), BTreeMap::from([(role, live)]));
        // Nothing of it can be edited.
        for settings in [sync(USUAL), SyncSettings { id: 8, ..sync(WIDE) }] {
            let why = on.does_not_set(Setting::StartSync(role, &settings), Errno::EXIST);
            assert_eq!(why, format!("a synchronisation daemon runs as {} already", role.as_str()));
        }
        on.sets(Setting::StopSync(role));
        assert_eq!(on.daemons(), BTreeMap::new());
    }
}

pub(crate) fn one_daemon_of_each_role_runs(on: &mut Subject<'_>) {
    let (master, backup) = (SyncSettings { id: 1, ..sync(USUAL) }, SyncSettings { id: 2, ..sync(WIDE) });
    on.sets(Setting::StartSync(Master, &master));
    on.sets(Setting::StartSync(Backup, &backup));
    let master = SyncSettings { sync_maxlen: Some(1472), ..master };
    let backup = SyncSettings { sync_maxlen: Some(8972), ..backup };
    assert_eq!(on.daemons(), BTreeMap::from([(Master, master), (Backup, backup.clone())]));
    on.sets(Setting::StopSync(Master));
    assert_eq!(on.daemons(), BTreeMap::from([(Backup, backup)]));
    on.does_not_set(Setting::StopSync(Master), Errno::SRCH);
    on.sets(Setting::StopSync(Backup));
}

pub(crate) fn a_daemon_needs_an_interface(on: &mut Subject<'_>) {
    for role in SyncRole::ALL {
        assert_eq!(
            on.does_not_set(Setting::StartSync(role, &sync("nosuch")), Errno::NODEV),
            "there is no interface nosuch"
        );
        on.does_not_set(Setting::StartSync(role, &sync("")), Errno::NODEV);
        assert_eq!(on.keeps_daemon(role, &sync(USUAL)).interface, USUAL);
        let why = on.does_not_set(Setting::StartSync(role, &sync("abcdefghijklmnop")), Errno::INVAL);
        assert_eq!(why, "the interface's name `abcdefghijklmnop` is longer than 15 bytes");
        // That there is one is asked before whether there is a daemon already.
        on.sets(Setting::StartSync(role, &sync(USUAL)));
        on.does_not_set(Setting::StartSync(role, &sync("nosuch")), Errno::NODEV);
        on.sets(Setting::StopSync(role));
    }
}

pub(crate) fn an_interface_that_is_down_has_no_master(on: &mut Subject<'_>) {
    for (group, or) in [("224.0.0.81", ""), ("239.1.1.1", ""), ("ff02::81", ", or has no IPv6")] {
        let settings = SyncSettings { group: group.parse().unwrap(), ..sync(DOWN) };
        let why = on.does_not_set(Setting::StartSync(Master, &settings), Errno::NETUNREACH);
        assert_eq!(why, format!("the interface down is down{or}; try `ip link set down up`"));
        on.keeps_daemon(Backup, &settings);
    }
    // What was refused is in nobody's way.
    on.keeps_daemon(Master, &sync(USUAL));
}

pub(crate) fn every_id_comes_back(on: &mut Subject<'_>) {
    for id in [0, 1, 127, 128, 255] {
        for role in SyncRole::ALL {
            assert_eq!(on.keeps_daemon(role, &SyncSettings { id, ..sync(USUAL) }).id, id);
        }
    }
}

pub(crate) fn the_group_is_a_multicast_address(on: &mut Subject<'_>) {
    let with = |group: &str| SyncSettings { group: group.parse().unwrap(), ..sync(USUAL) };
    for role in SyncRole::ALL {
        for group in ["224.0.0.1", "224.0.0.82", "239.255.255.255", "ff02::81", "ff05::81", "ff0e::1"] {
            assert_eq!(on.keeps_daemon(role, &with(group)).group, with(group).group);
        }
        for group in ["0.0.0.0", "223.255.255.255", "240.0.0.1", "255.255.255.255", "::", "fe80::1", "2001:db8::1"] {
            let why = on.does_not_set(Setting::StartSync(role, &with(group)), Errno::INVAL);
            assert_eq!(why, format!("the group {group} is not a multicast address"));
        }
    }
}

pub(crate) fn no_port_and_no_ttl_are_the_usual_ones(on: &mut Subject<'_>) {
    for role in SyncRole::ALL {
        for (asked, kept) in [((0, 0), (8848, 1)), ((1, 255), (1, 255)), ((65535, 2), (65535, 2))] {
            let settings = SyncSettings { port: asked.0, ttl: asked.1, ..sync(USUAL) };
            let live = on.keeps_daemon(role, &settings);
            assert_eq!((live.port, live.ttl), kept);
        }
    }
}

pub(crate) fn messages_have_a_length(on: &mut Subject<'_>) {
    const V4: &str = "224.0.0.81";
    const V6: &str = "ff02::81";
    for (role, interface, group, asked, kept) in [
        // A packet of 1,500 bytes, whatever the interface.
        (Master, USUAL, V4, None, 1472),
        (Master, USUAL, V6, None, 1452),
        (Master, WIDE, V4, None, 1472),
        (Master, NARROW, V4, None, 1472),
        (Master, "lo", V4, None, 1472),
        // The interface's, but no less.
        (Backup, USUAL, V4, None, 1472),
        (Backup, USUAL, V6, None, 1452),
        (Backup, WIDE, V4, None, 8972),
        (Backup, WIDE, V6, None, 8952),
        (Backup, NARROW, V4, None, 1472),
        (Backup, "lo", V4, None, 65507),
        // As asked, within what IP can carry, and what a backup must take.
        (Master, USUAL, V4, Some(0), 1472),
        (Master, USUAL, V4, Some(1), 1),
        (Master, NARROW, V4, Some(9000), 9000),
        (Master, USUAL, V4, Some(65507), 65507),
        (Master, USUAL, V4, Some(65508), 65507),
        (Master, USUAL, V6, Some(65535), 65487),
        (Backup, WIDE, V4, Some(0), 8972),
        (Backup, USUAL, V4, Some(1), 1024),
        (Backup, USUAL, V4, Some(1023), 1024),
        (Backup, USUAL, V4, Some(1024), 1024),
        (Backup, USUAL, V4, Some(1025), 1025),
        (Backup, NARROW, V4, Some(9000), 9000),
        (Backup, USUAL, V4, Some(65535), 65507),
        (Backup, USUAL, V6, Some(65535), 65487),
    ] {
        let settings = SyncSettings { group: group.parse().unwrap(), sync_maxlen: asked, ..sync(interface) };
        let live = on.keeps_daemon(role, &settings);
        assert_eq!(live.sync_maxlen, Some(kept), "{role:?} {interface} {group} {asked:?}");
    }
}

pub(crate) fn no_connection_is_synchronised_beside_mixed_families(on: &mut Subject<'_>) {
    let tunnel = forwarded(Forward::Tunnel(Tunnel::default()));
    on.accepts(add(WEB, &scheduled("rr")));
    on.accepts(add_destination(WEB, ONE, tunnel));
    for role in SyncRole::ALL {
        on.accepts(add_destination(WEB, ONE6, tunnel));
        let why = on.does_not_set(Setting::StartSync(role, &sync(USUAL)), Errno::INVAL);
        assert!(why.contains("of another address family than its service"), "{why}");
        on.accepts(delete_destination(WEB, ONE6));
        on.sets(Setting::StartSync(role, &sync(USUAL)));
        let why = on.refuses(add_destination(WEB, ONE6, tunnel), Errno::INVAL);
        assert!(why.contains("while the connection synchronisation daemon runs"), "{why}");
        on.accepts(edit_destination(WEB, ONE, weighing(1)));
        on.accepts(edit_destination(WEB, ONE, tunnel));
        on.sets(Setting::StopSync(role));
    }
    on.accepts(add_destination(WEB, ONE6, tunnel));
}
