//! What came over the API is kept: over a restart, among the files, and beside what people do.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use ipvsd::config;
use ipvsd::daemon::load;

use super::Shared;
use crate::world::{NOTHING, World};

const FILES: &str = "version = 1\n[daemon]\ndrain = \"0s\"\n[defaults]\nscheduler = \"mh\"\nweight = 3\nforward = \"dr\"\ncheck = \"tcp\"\ninitial = \"up\"\n\
                     [[services]]\nname = \"filed\"\naddress = [\"tcp://192.0.2.80:80\", \"udp://192.0.2.80:80\"]\n\
                     [[services.destinations]]\nname = \"f1\"\naddress = \"10.0.0.80:80\"\nforward = \"dr\"\n";

#[test]
fn a_restart_keeps_it_and_apply_would_too() {
    let kernel = Shared::default();
    let world = kernel.world(FILES);
    world.done("PUT", "/service/web", r#"{"port":80,"flags":"flag-1"}"#);
    let pulse = r#"{"type":"http","interval":"5s","args":{"path":"/h"}}"#;
    world.done("PUT", "/service/web/r1", &format!(r#"{{"host":"10.0.0.1","port":8080,"pulse":{pulse}}}"#));
    world.done("PATCH", "/service/web/r1", r#"{"weight":42}"#);
    let (table, shown, backend) = (kernel.table(), world.get("/service/web"), world.get("/service/web/r1"));
    let text = fs::read_to_string(world.folder().join("web.toml")).unwrap();
    let dir = world.end();

    let again = kernel.clone();
    let world = World::again(dir, move || Box::new(again));
    assert_eq!(kernel.table(), table);
    assert_eq!((world.get("/service/web"), world.get("/service/web/r1")), (shown, backend));
    assert_eq!(fs::read_to_string(world.folder().join("web.toml")).unwrap(), text, "nobody has written it again");
    world.done("PUT", "/service/web/r2", r#"{"host":"10.0.0.2","port":8080}"#);
    assert_eq!(kernel.table().len(), table.len() + 1);

    let paths = [world.dir.path().join("conf.d")];
    let state = world.dir.path().join("state");
    let loaded = load(&paths, Some(&state), None).unwrap();
    assert_eq!(loaded.desired.table.services.len(), 3, "what a command loads has it");
    assert_eq!(config::load(&paths).unwrap().desired.table.services.len(), 2);
}

#[test]
fn what_a_file_claims_is_changed_there() {
    let kernel = Shared::default();
    let world = kernel.world(FILES);
    let claim = "specified object already exists";
    let file = world.dir.path().join("conf.d/ipvsd.toml").display().to_string();
    assert_eq!(world.get("/service"), serde_json::json!(["filed"]));
    let shown = world.get("/service/filed");
    assert_eq!(shown["options"]["host"], "192.0.2.80");
    assert_eq!((&shown["options"]["method"], &shown["backends"]), (&"mh".into(), &serde_json::json!(["f1"])));
    let backend = world.get("/service/filed/f1");
    assert_eq!((&backend["options"]["method"], &backend["options"]["weight"]), (&"dr".into(), &3.into()));
    let table = kernel.table();
    for (method, path, body) in [
        ("PUT", "/service/filed", r#"{"host":"192.0.2.80","port":80}"#),
        ("PATCH", "/service/filed", r#"{"method":"rr"}"#),
        ("DELETE", "/service/filed", ""),
        ("PUT", "/service/filed/r", r#"{"host":"10.0.0.81","port":80}"#),
        ("PATCH", "/service/filed/f1", r#"{"weight":1}"#),
        ("DELETE", "/service/filed/f1", ""),
        ("PUT", "/service/other", r#"{"host":"192.0.2.80","port":80}"#),
        ("PUT", "/service/another", r#"{"host":"192.0.2.80","port":80,"protocol":"udp"}"#),
    ] {
        let (status, error) = world.refused(method, path, body);
        assert_eq!(status, 409, "{method} {path}: {error}");
        assert!(error.starts_with(claim) && error.contains(&format!("{file}:12")), "{method} {path}: {error}");
    }
    assert_eq!((kernel.table(), world.kept()), (table, vec![]));
}

#[test]
fn a_file_that_comes_to_claim_the_same_is_refused_with_both_places() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    world.done("PUT", "/service/web", r#"{"port":80}"#);
    let other = world.dir.path().join("conf.d/other.toml");
    fs::write(&other, "version = 1\n[[services]]\nname = \"x\"\naddress = \"tcp://192.0.2.1:80\"\n").unwrap();
    let paths = [world.dir.path().join("conf.d")];
    let problems = load(&paths, Some(&world.dir.path().join("state")), None).unwrap_err().render(false);
    assert!(problems.contains("claimed twice") && problems.contains("other.toml:4"), "{problems}");
    assert!(problems.contains("api.d/web.toml:"), "{problems}");
    world.reload();
    assert_eq!(kernel.table().len(), 1, "what is in force stays");
    // And changes over the API go on.
    world.done("PUT", "/service/web/r", r#"{"host":"10.0.0.1","port":80}"#);
    assert_eq!(kernel.table().len(), 2);
}

#[test]
fn a_person_may_move_it_among_the_files() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    world.done("PUT", "/service/web", r#"{"port":80}"#);
    world.done("PUT", "/service/web/r", r#"{"host":"10.0.0.1","port":80}"#);
    let table = kernel.table();
    let moved: PathBuf = world.dir.path().join("conf.d/web.toml");
    fs::rename(world.folder().join("web.toml"), &moved).unwrap();
    world.reload();
    assert_eq!(kernel.table(), table);
    let (status, error) = world.refused("DELETE", "/service/web", "");
    assert!(status == 409 && error.contains(&moved.display().to_string()), "{error}");
    assert_eq!(world.get("/service/web/r")["options"]["host"], "10.0.0.1", "the names of backends went with it");
}

#[test]
fn what_a_person_changed_in_the_folder_is_not_written_over() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    world.done("PUT", "/service/web", r#"{"port":80}"#);
    let path = world.folder().join("web.toml");
    let text = fs::read_to_string(&path).unwrap() + "slow_start = \"30s\"\n";
    fs::write(&path, &text).unwrap();
    world.reload();
    let (status, error) = world.refused("PUT", "/service/web/r", r#"{"host":"10.0.0.1","port":80}"#);
    assert!(status == 409 && error.contains("changed by hand"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    world.done("DELETE", "/service/web", "");
    assert_eq!((kernel.table(), world.kept()), (vec![], vec![]));
}

#[test]
fn what_a_person_changed_or_moved_before_the_reload_is_not_written_over_either() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    world.done("PUT", "/service/web", r#"{"port":80}"#);
    world.done("PUT", "/service/web/r", r#"{"host":"10.0.0.1","port":80}"#);
    let (path, table) = (world.folder().join("web.toml"), kernel.table());
    let before = fs::read_to_string(&path).unwrap();
    let text = before.clone() + "# mine\n";
    fs::write(&path, &text).unwrap();
    for (method, at, body) in [("PATCH", "/service/web/r", r#"{"weight":5}"#), ("DELETE", "/service/web", "")] {
        let (status, error) = world.refused(method, at, body);
        assert!(status == 409 && error.contains("changed by hand"), "{error}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), text);

    let moved: PathBuf = world.dir.path().join("conf.d/web.toml");
    fs::write(&path, &before).unwrap();
    fs::rename(&path, &moved).unwrap();
    for (method, at, body) in [("PATCH", "/service/web/r", r#"{"weight":5}"#), ("DELETE", "/service/web", "")] {
        let (status, error) = world.refused(method, at, body);
        assert!(status == 409 && error.contains("moved away"), "{error}");
    }
    world.reload();
    assert_eq!(kernel.table(), table, "it is the files' now, and was there all the time");
}

#[test]
fn a_file_that_was_refused_for_a_service_is_taken_when_that_is_deleted() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    world.done("PUT", "/service/web", r#"{"port":80}"#);
    let file = world.dir.path().join("conf.d/z.toml");
    fs::write(
        &file,
        "version = 1\n[[services]]\nname = \"mine\"\naddress = \"tcp://192.0.2.1:80\"\nscheduler = \"sh\"\n",
    )
    .unwrap();
    world.reload();
    assert!(!kernel.table().iter().any(|line| line.contains("sh")), "it is claimed twice: {:?}", kernel.table());
    world.done("DELETE", "/service/web", "");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !kernel.table().iter().any(|line| line.contains("sh")) {
        assert!(Instant::now() < deadline, "the file is not tried again: {:?}", kernel.table());
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_folder_has_services_and_nothing_that_is_for_all() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("state/api.d")).unwrap();
    fs::write(dir.path().join("a.toml"), NOTHING).unwrap();
    fs::write(dir.path().join("state/api.d/x.toml"), "version = 1\nservices = []\n[daemon]\nresync = \"1s\"\n")
        .unwrap();
    let problems = load(&[dir.path().join("a.toml")], Some(&dir.path().join("state")), None).unwrap_err().render(false);
    assert!(problems.contains("what came over the API has `services` and `checks`"), "{problems}");
}

#[test]
fn deleting_is_not_held_up_by_max_delete() {
    let kernel = Shared::default();
    let world = kernel.world("version = 1\nservices = []\n[daemon]\nmax_delete = 0\ndrain = \"0s\"\n");
    world.done("PUT", "/service/web", r#"{"port":80}"#);
    world.done("PUT", "/service/web/r", r#"{"host":"10.0.0.1","port":80}"#);
    world.done("DELETE", "/service/web/r", "");
    world.done("DELETE", "/service/web", "");
    assert_eq!(kernel.table(), Vec::<String>::new());
}

#[test]
fn what_was_deleted_by_name_before_the_end_is_no_mistake_after_it() {
    let kernel = Shared::default();
    let world = kernel.world("version = 1\nservices = []\n[daemon]\nmax_delete = 0\ndrain = \"0s\"\n");
    world.done("PUT", "/service/web", r#"{"port":80}"#);
    world.done("PUT", "/service/web/r", r#"{"host":"10.0.0.1","port":80}"#);
    let file = world.folder().join("web.toml");
    let again = |dir| {
        let kernel = kernel.clone();
        World::again(dir, move || Box::new(kernel))
    };
    // Somebody has lost it.
    let dir = world.end();
    fs::remove_file(&file).unwrap();
    let world = again(dir);
    assert_eq!(kernel.table().len(), 2, "that is more than may go");
    // The process ended between a DELETE and the pass over it.
    let dir = world.end();
    let asked = dir.path().join("state/api.asked");
    fs::write(&asked, "tcp://192.0.2.1:80\n").unwrap();
    let world = again(dir);
    assert_eq!(kernel.table(), Vec::<String>::new());
    world.done("PUT", "/service/web", r#"{"port":80}"#);
    assert!(!asked.exists());
}

#[test]
fn what_was_written_before_the_end_is_done_after_it() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    world.done("PUT", "/service/web", r#"{"port":80}"#);
    let file = world.folder().join("web.toml");
    let text = fs::read_to_string(&file).unwrap();
    world.done("DELETE", "/service/web", "");
    let dir = world.end();
    fs::write(&file, &text).unwrap();
    // And a power cut has left this.
    fs::write(file.with_file_name(".0123456789abcdef.new"), &text[..50]).unwrap();
    let of_loop = kernel.clone();
    let world = World::again(dir, move || Box::new(of_loop));
    assert_eq!(kernel.table(), ["tcp://192.0.2.1:80 wrr []"]);
    world.done("PUT", "/service/web", r#"{"port":80}"#);
}

/// As a version has written it that wrote such things in another way.
#[test]
fn a_file_that_another_version_wrote_is_no_edit() {
    let text = "# Of another version.\n# note: {\"host\":\"\",\"flags\":\"\",\"backends\":{}}\nversion = 1\n\n\
                [[services]]\naddress = \"tcp://192.0.2.1:80\"\nname = \"web\"\nscheduler = \"wrr\"\ninitial = \"up\"\n\
                [[services.destinations]]\nweight = 100\naddress = \"10.0.0.1:80\"\nname = \"r\"\nforward = \"nat\"\n";
    let digest = ring::digest::digest(&ring::digest::SHA256, format!("web\0{text}").as_bytes());
    let sum: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    for (sum, status) in [(sum.as_str(), 200), ("0".repeat(64).as_str(), 409)] {
        let kernel = Shared::default();
        let dir = kernel.world(NOTHING).end();
        let file = dir.path().join("state/api.d/web.toml");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, format!("# sum: {sum}\n{text}")).unwrap();
        let of_loop = kernel.clone();
        let world = World::again(dir, move || Box::new(of_loop));
        assert_eq!(kernel.table().len(), 2);
        assert_eq!(world.ask("PATCH", "/service/web/r", r#"{"weight":7}"#).status, status);
        let is_left = fs::read_to_string(&file).unwrap().contains("# Of another version.");
        assert_eq!(is_left, status == 409);
    }
}

#[test]
fn files_that_would_delete_too_much_wait_and_the_api_goes_on() {
    let kernel = Shared::default();
    let services = |count: u32| {
        let mut text = "version = 1\nservices = [".to_owned();
        for number in 1..=count {
            text += &format!("{{ name = \"s{number}\", address = \"tcp://192.0.2.2:{number}\" }},");
        }
        text + "]\n[daemon]\nmax_delete = 1\ndrain = \"0s\"\n"
    };
    let world = kernel.world(&services(4));
    let file = world.dir.path().join("conf.d/ipvsd.toml");
    fs::write(&file, services(1)).unwrap();
    world.reload();
    assert_eq!(kernel.table().len(), 4, "three are more than one");
    world.done("PUT", "/service/web", r#"{"port":80}"#);
    world.done("PUT", "/service/web/r", r#"{"host":"10.0.0.1","port":80}"#);
    assert_eq!(kernel.table().len(), 6);
    world.reload();
    assert_eq!(kernel.table().len(), 6, "what waits has it, too");
    fs::write(&file, services(3)).unwrap();
    world.reload();
    assert_eq!(kernel.table().len(), 5, "one is not too many");
    world.done("DELETE", "/service/web", "");
    assert_eq!(kernel.table().len(), 3);
}
