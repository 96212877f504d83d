use super::*;
use crate::model::{DestinationKey, Override, ServiceKey, WeightOverride};
use std::os::unix::fs::PermissionsExt as _;

const PATIENT: Duration = Duration::from_secs(20);

fn web() -> ServiceKey {
    "tcp://192.0.2.10:80".parse().unwrap()
}

fn destination(last: u8) -> DestinationKey {
    format!("10.0.0.{last}:8080").parse().unwrap()
}

fn drained(since: u64) -> Override {
    Override { drained_since: Some(since), ..Override::default() }
}

fn weight(weight: u32, until: Option<u64>) -> Override {
    Override { weight: Some(WeightOverride { weight, since: 50, until }), ..Override::default() }
}

#[test]
fn overrides_survive_in_a_file_that_people_can_read() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("not/yet/there");
    let store = OverrideStore::new(&state);
    assert_eq!(store.read().unwrap(), Overrides::default());
    assert!(!state.exists(), "who only reads leaves nothing");
    store.change(PATIENT, 100, |overrides| overrides.set(web(), destination(11), drained(100))).unwrap();
    store.change(PATIENT, 100, |overrides| overrides.set(web(), destination(12), weight(10, Some(700)))).unwrap();
    let text = fs::read_to_string(state.join("overrides.json")).unwrap();
    assert_eq!(
        text,
        r#"{
  "version": 1,
  "services": {
    "tcp://192.0.2.10:80": {
      "10.0.0.11:8080": {
        "drained_since": 100
      },
      "10.0.0.12:8080": {
        "weight": {
          "weight": 10,
          "since": 50,
          "until": 700
        }
      }
    }
  }
}
"#
    );
    for file in ["overrides.json", "overrides.lock"] {
        assert_eq!(fs::metadata(state.join(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    assert_eq!(fs::read_dir(&state).unwrap().count(), 2, "no draft stays behind");
    assert_eq!(store.read().unwrap().get(&web(), &destination(12), 699), weight(10, Some(700)));
}

#[test]
fn what_changes_nothing_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = OverrideStore::new(dir.path());
    store.change(PATIENT, 100, |_| ()).unwrap();
    assert!(!dir.path().join("overrides.json").exists());
    store.change(PATIENT, 100, |overrides| overrides.set(web(), destination(11), drained(100))).unwrap();
    let stamp = store.stamp().unwrap();
    store.change(PATIENT, 200, |overrides| overrides.set(web(), destination(11), drained(100))).unwrap();
    assert_eq!(store.stamp().unwrap(), stamp);
}

#[test]
fn commands_wait_for_each_other_but_not_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let store = OverrideStore::new(dir.path());
    let held = store.lock(Duration::ZERO).unwrap();
    let refused = store.change(NAP, 100, |_| panic!("it is locked")).unwrap_err();
    assert!(matches!(refused, OverridesError::Busy { .. }), "{refused}");
    drop(held);
    // All of many at once are there afterwards.
    thread::scope(|scope| {
        for last in 0..20 {
            let store = &store;
            scope.spawn(move || {
                store.change(PATIENT, 100, |overrides| overrides.set(web(), destination(last), drained(100))).unwrap();
            });
        }
    });
    assert_eq!(store.read().unwrap().services[&web()].len(), 20);
}

#[test]
fn a_damaged_or_newer_file_is_refused_and_left() {
    let dir = tempfile::tempdir().unwrap();
    let store = OverrideStore::new(dir.path());
    let file = dir.path().join("overrides.json");
    for (text, want) in [
        ("", "damaged"),
        ("{\"version\":1}", "damaged"),
        ("{\"version\":1,\"services\":{\"web\":{}}}", "damaged"),
        ("{\"version\":2,\"overrides\":[]}", "newer"),
    ] {
        fs::write(&file, text).unwrap();
        for error in [store.read().unwrap_err(), store.change(PATIENT, 100, |_| ()).unwrap_err()] {
            assert!(error.to_string().contains(want), "{text:?}: {error}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), text, "nothing is lost");
    }
}

#[test]
fn a_daemon_keeps_the_last_good_overrides() {
    let dir = tempfile::tempdir().unwrap();
    let store = OverrideStore::new(dir.path());
    let file = dir.path().join("overrides.json");
    let mut stored = StoredOverrides::new(dir.path());
    assert!(!stored.load_if_changed() && stored.trouble().is_none());
    store.change(PATIENT, 100, |overrides| overrides.set(web(), destination(11), drained(100))).unwrap();
    assert!(stored.load_if_changed());
    assert!(!stored.load_if_changed(), "nothing has changed since");
    let good = stored.current(100).clone();
    assert_eq!(good.services.len(), 1);
    for bad in ["{\"version\":2}", "{\"version\":1,"] {
        fs::write(&file, bad).unwrap();
        assert!(!stored.load_if_changed());
        assert!(stored.trouble().is_some());
        assert_eq!(*stored.current(100), good);
        assert_eq!(fs::read_to_string(&file).unwrap(), bad);
    }
    fs::remove_file(&file).unwrap();
    assert!(stored.load_if_changed(), "who moves it away lifts all overrides");
    assert!(stored.trouble().is_none());
    assert_eq!(*stored.current(100), Overrides::default());
}

#[test]
fn what_has_run_out_leaves_the_file_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = OverrideStore::new(dir.path());
    let change = |overrides: &mut Overrides| {
        overrides.set(web(), destination(11), drained(100));
        overrides.set(web(), destination(12), weight(10, Some(700)));
    };
    store.change(PATIENT, 100, change).unwrap();
    let mut stored = StoredOverrides::new(dir.path());
    assert_eq!(stored.current(699).services[&web()].len(), 2);
    assert_eq!(stored.current(699).next_end(), Some(700));
    {
        let _held = store.lock(Duration::ZERO).unwrap();
        assert_eq!(stored.current(700).services[&web()].len(), 1, "whether it can be written or not");
    }
    let mut stored = StoredOverrides::new(dir.path());
    assert_eq!(stored.current(700).services[&web()].len(), 1);
    assert_eq!(store.read().unwrap().services[&web()].len(), 1);
}
