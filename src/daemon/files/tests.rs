use super::*;
use crate::ipvs::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

const GOOD: &str = "version = 1\n[[services]]\nname = \"a\"\naddress = \"tcp://192.0.2.1:80\"\n";

#[test]
fn what_was_read_is_not_read_again_unless_it_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.toml");
    fs::write(&file, GOOD).unwrap();
    let mut source = FileSource::new(vec![file.clone()], None);
    source.first().unwrap();
    let first = source.fingerprint().unwrap();
    assert_eq!(first, "97b31efc105302b85c66ae7aed88553f876f7133e2625bcebd47cb2bb5c57bee", "as sha256sum has it");
    assert!(matches!(source.load(false), Config::Unchanged));
    assert!(matches!(source.load(true), Config::New(_)));

    fs::write(&file, "oops").unwrap();
    assert!(source.changed());
    assert!(matches!(source.load(false), Config::Refused(_)));
    assert!(!source.changed());
    assert!(matches!(source.load(false), Config::Unchanged), "it was said once");
    assert_eq!(source.fingerprint().unwrap(), first, "it is of what is in force");
    assert!(matches!(source.load(true), Config::Refused(_)), "whoever sends SIGHUP is told again");

    fs::write(&file, "oops\n# saved again").unwrap();
    assert!(matches!(source.load(false), Config::Refused(_)), "nor does whoever saves it again believe it to be good");

    fs::write(&file, GOOD).unwrap();
    assert!(matches!(source.load(false), Config::New(_)), "back to the last good one");
}

#[test]
fn what_came_over_the_api_does_not_speak_for_files_without_services() {
    let dir = tempfile::tempdir().unwrap();
    let (file, state_dir) = (dir.path().join("a.toml"), dir.path().join("state"));
    fs::create_dir_all(state_dir.join("api.d")).unwrap();
    fs::write(state_dir.join("api.d/b.toml"), GOOD.replace("\"a\"", "\"b\"").replace(".1:80", ".2:80")).unwrap();
    fs::write(&file, GOOD).unwrap();
    let mut source = FileSource::new(vec![file.clone()], Some(state_dir));
    assert_eq!(source.first().unwrap().table.services.len(), 2);
    fs::write(&file, "version = 1\n[defaults]\nweight = 1\n").unwrap();
    let Config::Refused(problems) = source.load(false) else { panic!("half a file was taken") };
    assert!(problems.contains("no file has `services`"), "{problems}");
}

#[test]
fn what_is_included_and_what_parameters_name_is_watched_and_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    let (file, secret) = (root.join("a.toml"), root.join("weight"));
    let text = "version = 1\ninclude = [\"conf.d/*.toml\"]\n[defaults]\nweight = \"${file:weight}\"\n[daemon]\n";
    fs::write(&file, format!("{text}{}", &GOOD["version = 1\n".len()..])).unwrap();
    fs::write(&secret, "7\n").unwrap();
    let mut source = FileSource::new(vec![file.clone()], Some(root.join("state")));
    source.first().unwrap();
    let (wake, woken) = std::sync::mpsc::channel();
    source.watch(move |event| _ = wake.send(event));
    assert!(matches!(source.load(false), Config::Unchanged), "and now it is known what to watch");
    let changes = |what: &str, change: &dyn Fn()| {
        while woken.try_recv().is_ok() {}
        change();
        woken.recv_timeout(Duration::from_secs(20)).expect(what);
    };
    changes("a secret", &|| fs::write(&secret, "8\n").unwrap());
    let Config::New(desired) = source.load(false) else { panic!("it was not read again") };
    assert_eq!(desired.table.services.len(), 1);
    changes("a directory that a pattern means", &|| fs::create_dir(root.join("conf.d")).unwrap());
    assert!(matches!(source.load(false), Config::Unchanged));
    let more = GOOD.replace("\"a\"", "\"b\"").replace(".1:80", ".2:80");
    changes("a file in it", &|| fs::write(root.join("conf.d/b.toml"), &more).unwrap());
    let Config::New(desired) = source.load(false) else { panic!("it was not read again") };
    assert_eq!(desired.table.services.len(), 2);
    changes("the secret is gone", &|| fs::remove_file(&secret).unwrap());
    let Config::Refused(problems) = source.load(false) else { panic!("it was taken") };
    assert!(problems.contains("cannot read `weight`") && problems.contains("a.toml:4:11"), "{problems}");
}

#[test]
fn a_start_with_a_mistake_goes_on_with_the_last_good_one() {
    let dir = tempfile::tempdir().unwrap();
    let (file, state_dir) = (dir.path().join("a.toml"), dir.path().join("state"));
    fs::create_dir(&state_dir).unwrap();
    let start = || {
        let mut source = FileSource::new(vec![file.clone()], Some(state_dir.clone()));
        let desired = source.first();
        (source, desired)
    };
    fs::write(&file, "oops").unwrap();
    start().1.expect_err("nothing is known");
    let secret = dir.path().join("weight");
    fs::write(&secret, "7").unwrap();
    let with_secret = GOOD.to_owned() + "destinations = [{ address = \"10.0.0.1\", weight = \"${file:weight}\" }]\n";
    fs::write(&file, &with_secret).unwrap();
    let pass = |source: &mut FileSource| source.passed(&|_| true, &Err(PassError::Observe(Error::NotPermitted)));
    let kept = state_dir.join("last-good.json");
    let (mut source, desired) = start();
    source.hold(&Record::default(), &mut desired.unwrap());
    pass(&mut source);
    assert!(!kept.exists(), "it has not come into force");
    source.in_force();
    assert!(!kept.exists(), "the pass comes first");
    pass(&mut source);
    let good = source.fingerprint();
    // Another good one that has not come into force yet.
    fs::write(&file, GOOD.replace("\"a\"", "\"b\"")).unwrap();
    assert!(matches!(source.load(false), Config::New(_)));
    pass(&mut source);
    fs::write(&file, "oops").unwrap();
    fs::write(&secret, "8").unwrap();
    let (mut source, desired) = start();
    let mut desired = desired.unwrap();
    let service = desired.table.services.values().next().unwrap();
    let weight = service.destinations.values().next().unwrap().weight;
    assert_eq!((weight, source.fingerprint()), (8, good.clone()), "what parameters stand for is looked up again");
    source.hold(&Record::default(), &mut desired);
    let Config::Refused(problems) = source.load(false) else { panic!("the mistake is not said") };
    assert!(problems.contains("a.toml:1"), "{problems}");
    assert_eq!(source.fingerprint(), good, "of what is in force");
    assert!(fs::read_to_string(&kept).unwrap().contains("${file:weight}"), "as it is written");
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    // In force now.
    fs::write(&file, GOOD.replace("\"a\"", "\"c\"")).unwrap();
    assert!(matches!(source.load(false), Config::New(_)));
    source.in_force();
    pass(&mut source);
    fs::write(&file, "oops").unwrap();
    assert_eq!(start().1.unwrap().origins.values().next().unwrap().name, "c");
    // What may not come into force is no mistake in the file: what was in force is asked for, and nothing of the new one kept.
    let record = Record::default();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, GOOD.replace("\"a\"", "\"d\"")).unwrap();
    let (mut source, desired) = start();
    source.hold(&record, &mut desired.unwrap());
    let before = source.recall(&record).unwrap();
    assert_eq!(before.origins.values().next().unwrap().name, "c");
    assert_eq!(before.state_dir, state_dir);
    let of_before = source.fingerprint();
    source.in_force();
    pass(&mut source);
    assert!(fs::read_to_string(&kept).unwrap().contains("\\\"c\\\""), "as it was");
    assert!(source.recall(&record).is_none(), "that is in force");
    let Config::New(desired) = source.load(false) else { panic!("it is not read again") };
    assert_eq!(desired.origins.values().next().unwrap().name, "d");
    assert_ne!(source.fingerprint(), of_before);
    fs::write(&file, text).unwrap();
    // What cannot be written down leaves no older one to be taken for it, and is tried again.
    fs::write(&file, GOOD.replace("\"a\"", "\"e\"")).unwrap();
    let (mut source, desired) = start();
    source.hold(&record, &mut desired.unwrap());
    source.in_force();
    let draft = state_dir.join(".last-good.json.new");
    fs::create_dir_all(draft.join("in the way")).unwrap();
    pass(&mut source);
    assert!(!kept.exists());
    fs::remove_dir_all(&draft).unwrap();
    pass(&mut source);
    assert!(fs::read_to_string(&kept).unwrap().contains("\\\"e\\\""));
    crate::daemon::forget_last_good(&state_dir).unwrap();
    assert!(source.recall(&record).is_none());
    fs::write(&file, "oops").unwrap();
    start().1.expect_err("forgotten");
    // Of another configuration nothing is known.
    fs::copy(&file, dir.path().join("b.toml")).unwrap();
    FileSource::new(vec![dir.path().join("b.toml")], Some(state_dir.clone())).first().unwrap_err();
    fs::write(&kept, "{").unwrap();
    start().1.expect_err("damaged");
}
