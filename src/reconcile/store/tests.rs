use super::*;
use crate::model::{
    Check, Checks, Dns, DnsRecord, DnsTransport, Drain, Flap, Grpc, Helped, Http, Match, NamedCheck, OwnedService,
    Pass, Probe, StatusSet, Timing, Tls, Via,
};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

fn record() -> Record {
    let mut record = Record::default();
    let mut owned = OwnedService::default();
    owned.destinations.insert("[2001:db8::1]:80".parse().unwrap(), None);
    let (service, destination) = ("tcp://192.0.2.1:80".parse().unwrap(), "[2001:db8::1]:80".parse().unwrap());
    record.services.insert(service, owned);
    record.helpers.insert(1_768_947_712, Helped { service, destination });
    let drain = Drain { since: 1_000_000, until: 1_000_300, quiesced: true, checks: every_check() };
    record.drains.entry(service).or_default().insert(destination, drain);
    record
}

/// One of each kind, with all that it may have.
fn every_check() -> Checks {
    let tls = Some(Tls { insecure: false, ca: Some("/etc/ca.pem".into()), server_name: Some("web".into()) });
    let contains = || Some(Match::Contains(b"\0\xff\"ok".to_vec()));
    let http = Http {
        tls: tls.clone(),
        method: "GET".into(),
        path: "/".into(),
        host: Some("web".into()),
        headers: vec![("a".into(), "b".into())],
        status: StatusSet(vec![(200, 299), (301, 301)]),
        body: contains(),
        location: Some(Match::Regex("^/".into())),
    };
    let dns = Dns {
        transport: DnsTransport::Tcp,
        name: "example.com.".into(),
        record: DnsRecord::Aaaa,
        rcode: 3,
        answer: Some("::1".into()),
    };
    let probes = [
        Probe::Tcp { send: Some(vec![0, 255]), expect: contains() },
        Probe::Http(http),
        Probe::Grpc(Grpc { tls, service: "shop".into() }),
        Probe::Dns(dns),
        Probe::Udp { send: vec![1], expect: None, silence_is_up: true },
        Probe::Exec { argv: vec!["/bin/true".into()] },
        Probe::None,
    ];
    let second = Duration::from_millis(1_001);
    let check = |probe| Check {
        probe,
        timing: Timing {
            interval: second,
            timeout: second,
            rise: 2,
            fall: 3,
            jitter: 10,
            fast_interval: Some(second),
            down_interval: None,
            down_after: second,
        },
        address: Some("2001:db8::7".parse().unwrap()),
        port: Some(80),
        via: Via::Vip,
        flap: Some(Flap { changes: 5, within: second, hold: second }),
    };
    let list = probes.into_iter().map(|probe| NamedCheck { name: probe.kind().to_owned(), check: check(probe) });
    Checks { pass: Pass::Any, list: list.collect() }
}

#[test]
fn a_record_survives() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("not/yet/there");
    let mut store = FileStore::new(&state, Place::here().unwrap());
    assert_eq!(store.load().unwrap(), (Record::default(), Found::Absent));
    store.save(&record()).unwrap();
    store.save(&record()).unwrap();
    assert_eq!(store.load().unwrap(), (record(), Found::Read));
    fs::write(state.join("owned.json.new"), "what a crash left").unwrap();
    store.save(&record()).unwrap();
    assert_eq!(fs::read_dir(&state).unwrap().count(), 1, "no temporary file stays behind");
}

#[test]
fn parts_are_journalled_and_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let place = || Place::here().unwrap();
    let mut store = FileStore::new(dir.path(), place());
    let mut whole = record();
    let service = *whole.services.keys().next().unwrap();
    let sizes =
        || ["owned.json", "owned.journal"].map(|name| fs::metadata(dir.path().join(name)).map_or(0, |of| of.len()));
    let change = |whole: &mut Record, drain| whole.services.get_mut(&service).unwrap().drain = Some(drain);
    change(&mut whole, 1);
    store.save_part(&whole, &[service].into()).unwrap();
    assert!(sizes()[0] > 0 && sizes()[1] == 0, "the first of a process is written whole");
    let base = fs::read(dir.path().join("owned.json")).unwrap();
    for drain in 2..6 {
        change(&mut whole, drain);
        store.save_part(&whole, &[service].into()).unwrap();
        let found = FileStore::new(dir.path(), place()).load().unwrap();
        assert_eq!(found, (whole.clone(), Found::Read));
        assert_eq!(store.peek().unwrap(), (whole.clone(), None));
    }
    assert_eq!(fs::read(dir.path().join("owned.json")).unwrap(), base, "untouched");
    for name in ["owned.json", "owned.journal"] {
        let mode = fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}: the checks of what drains may have secrets in them");
    }
    // A process that comes after it does not write behind what it did not write.
    let mut next = FileStore::new(dir.path(), place());
    next.load().unwrap();
    change(&mut whole, 7);
    next.save_part(&whole, &[service].into()).unwrap();
    assert_eq!(sizes()[1], 0);
    assert_eq!(FileStore::new(dir.path(), place()).load().unwrap().0, whole);
    // It does not grow for ever.
    let mut longest = 0;
    for drain in 0..1000 {
        change(&mut whole, drain);
        next.save_part(&whole, &[service].into()).unwrap();
        longest = longest.max(sizes()[1]);
    }
    assert!((JOURNAL_LEAST / 2..2 * JOURNAL_LEAST).contains(&longest), "{longest}");
    assert_eq!(FileStore::new(dir.path(), place()).load().unwrap().0, whole);
}

#[test]
fn a_journal_goes_with_its_record_and_after_an_error_all_is_written_whole() {
    let dir = tempfile::tempdir().unwrap();
    let here = Place::here().unwrap();
    let mut store = FileStore::new(dir.path(), here.clone());
    let mut whole = record();
    let service = *whole.services.keys().next().unwrap();
    store.save(&whole).unwrap();
    whole.services.get_mut(&service).unwrap().drain = Some(3);
    store.save_part(&whole, &[service].into()).unwrap();
    let mut other = FileStore::new(dir.path(), Place { netns: here.netns + 1, ..here.clone() });
    assert_eq!(other.load().unwrap(), (Record::default(), Found::Elsewhere));
    other.save(&Record::default()).unwrap();
    let mut store = FileStore::new(dir.path(), here.clone());
    assert_eq!(store.load().unwrap().0, whole, "it was put aside with its record");

    store.save(&whole).unwrap();
    // No journal can be made there.
    fs::create_dir(journal::path(&store.path)).unwrap();
    whole.services.get_mut(&service).unwrap().drain = Some(4);
    assert!(store.save_part(&whole, &[service].into()).is_err() && store.is_behind());
    fs::remove_dir(journal::path(&store.path)).unwrap();
    store.save_part(&whole, &[service].into()).unwrap();
    assert!(!store.is_behind() && !journal::path(&store.path).exists());
    assert_eq!(FileStore::new(dir.path(), here.clone()).load().unwrap().0, whole);

    whole.services.get_mut(&service).unwrap().drain = Some(5);
    store.save_part(&whole, &[service].into()).unwrap();
    let journal = fs::read_to_string(journal::path(&store.path)).unwrap();
    fs::write(journal::path(&store.path), journal.replace("services", "servants")).unwrap();
    let (empty, damage) = store.peek().unwrap();
    assert!(empty == Record::default() && damage.unwrap().contains("line 2 of its journal"));
    let (found, how) = FileStore::new(dir.path(), here).load().unwrap();
    assert!(found == Record::default() && matches!(how, Found::Damaged { .. }), "{how:?}");
}

#[test]
fn a_record_of_another_boot_or_namespace_is_void() {
    let dir = tempfile::tempdir().unwrap();
    let here = Place::here().unwrap();
    FileStore::new(dir.path(), here.clone()).save(&record()).unwrap();
    for place in [Place { boot_id: "other".into(), ..here.clone() }, Place { netns: here.netns + 1, ..here }] {
        assert_eq!(FileStore::new(dir.path(), place).load().unwrap(), (Record::default(), Found::Elsewhere));
    }
}

#[test]
fn namespaces_that_take_turns_keep_what_they_own() {
    let dir = tempfile::tempdir().unwrap();
    let here = Place::here().unwrap();
    let mut first = FileStore::new(dir.path(), here.clone());
    first.save(&record()).unwrap();
    let mut other = FileStore::new(dir.path(), Place { netns: here.netns + 1, ..here.clone() });
    for _ in 0..2 {
        other.load().unwrap();
        assert_eq!(first.peek().unwrap(), (record(), None), "between loading and saving, too");
        other.save(&Record::default()).unwrap();
        assert_eq!(first.peek().unwrap(), (record(), None));
        assert_eq!(first.load().unwrap(), (record(), Found::Read));
        assert_eq!(other.load().unwrap(), (Record::default(), Found::Read));
        assert_eq!(first.load().unwrap(), (record(), Found::Read));
    }
    let rebooted = Place { boot_id: "other".into(), ..here };
    assert_eq!(FileStore::new(dir.path(), rebooted).load().unwrap().0, Record::default());
}

#[test]
fn a_damaged_record_is_moved_away_and_a_newer_one_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = FileStore::new(dir.path(), Place::here().unwrap());
    for text in ["", "{\"version\":1,\"pl", "[]", "{\"version\":1}", "\0\0\0"] {
        fs::write(dir.path().join("owned.json"), text).unwrap();
        let (empty, damage) = store.peek().unwrap();
        assert!(empty == Record::default() && damage.is_some() && dir.path().join("owned.json").exists());
        let (found_record, found) = store.load().unwrap();
        assert_eq!(found_record, Record::default());
        assert!(matches!(found, Found::Damaged { .. }), "{text:?}: {found:?}");
        assert!(dir.path().join("owned.json.damaged").exists());
    }
    fs::write(dir.path().join("owned.json"), "{\"version\":2,\"new\":true}").unwrap();
    assert!(matches!(store.load(), Err(StoreError::Newer { found: 2, .. })));
    assert!(dir.path().join("owned.json").exists());
}
