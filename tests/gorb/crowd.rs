//! Many at once, some that go away, and a kernel that takes its time.

use std::thread;
use std::time::{Duration, Instant};

use tower::ServiceExt as _;

use super::{Shared, all_at_once};
use crate::world::{NOTHING, request};

#[test]
fn changes_that_come_together_are_all_made() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    let service = |number: u32| ("PUT", format!("/service/s{number}"), format!(r#"{{"port":{number}}}"#));
    let statuses = all_at_once(&world, &(1..=20).map(service).collect::<Vec<_>>());
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    let backend = |number: u32| {
        let body = format!(r#"{{"host":"10.0.0.{number}","port":80}}"#);
        ("PUT", format!("/service/s{}/r{number}", number % 2 + 1), body)
    };
    let statuses = all_at_once(&world, &(1..=60).map(backend).collect::<Vec<_>>());
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(kernel.table().len(), 80);
    // The same one by many: one makes it, and the others find it made.
    let same = ("PUT", "/service/s1/x".to_owned(), r#"{"host":"10.0.1.1","port":80}"#.to_owned());
    assert_eq!(all_at_once(&world, &vec![same; 10]), [200; 10]);
    let taken = |number: u32| ("PUT", "/service/s1/y".to_owned(), format!(r#"{{"host":"10.0.1.2","port":{number}}}"#));
    let mut statuses = all_at_once(&world, &(1..=10).map(taken).collect::<Vec<_>>());
    statuses.sort_unstable();
    assert_eq!(statuses, [[200].as_slice(), &[409; 9]].concat());
}

#[test]
fn those_who_quarrel_about_one_id_leave_it_whole() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    let of_port = |number: u32| ("PUT", "/service/web".to_owned(), format!(r#"{{"port":{number}}}"#));
    let mut statuses = all_at_once(&world, &(1..=10).map(of_port).collect::<Vec<_>>());
    statuses.sort_unstable();
    assert_eq!(statuses, [[200].as_slice(), &[409; 9]].concat());
    assert_eq!(kernel.table().len(), 1);
    world.done("DELETE", "/service/web", "");
    // One puts what another deletes, and a third one hangs backends into it.
    let asked: Vec<_> = (0..60)
        .map(|number| match number % 3 {
            0 => ("DELETE", "/service/web".to_owned(), String::new()),
            1 => ("PUT", "/service/web".to_owned(), r#"{"port":80}"#.to_owned()),
            _ => ("PUT", format!("/service/web/r{number}"), format!(r#"{{"host":"10.0.0.{number}","port":80}}"#)),
        })
        .collect();
    let statuses = all_at_once(&world, &asked);
    assert!(statuses.iter().all(|status| [200, 404].contains(status)), "{statuses:?}");
    let table = kernel.table();
    match world.ask("GET", "/service/web", "").status {
        404 => assert_eq!((table.len(), world.kept()), (0, vec![])),
        _ => {
            let backends = world.get("/service/web")["backends"].as_array().map_or(0, Vec::len);
            assert_eq!((table.len(), world.kept()), (1 + backends, vec!["web.toml".to_owned()]), "{table:?}");
        }
    }
    assert!(!world.dir.path().join("state/api.asked").exists(), "all of it is done");
}

#[test]
fn one_that_fails_takes_nobody_with_it() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    world.done("PUT", "/service/web", r#"{"port":80}"#);
    let refused = "10.0.0.3:80".parse().unwrap();
    kernel.0.lock().unwrap().refuse("tcp://192.0.2.1:80".parse().unwrap(), Some(refused), ipvsd::ipvs::Errno::INVAL);
    let backend =
        |number: u32| ("PUT", format!("/service/web/r{number}"), format!(r#"{{"host":"10.0.0.{number}","port":80}}"#));
    let statuses = all_at_once(&world, &(1..=5).map(backend).collect::<Vec<_>>());
    assert_eq!(statuses, [200, 200, 500, 200, 200]);
    assert_eq!(world.get("/service/web")["backends"], serde_json::json!(["r1", "r2", "r4", "r5"]));
    assert_eq!(kernel.table().len(), 5);
}

#[test]
fn what_nobody_waits_for_is_done_all_the_same() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    world.block_on(async {
        let asking = world.router().oneshot(request("PUT", "/service/web", r#"{"port":80}"#));
        assert!(tokio::time::timeout(Duration::from_micros(1), asking).await.is_err(), "it had no time");
        let deadline = Instant::now() + Duration::from_secs(10);
        while kernel.table().is_empty() {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert_eq!(world.kept(), ["web.toml"]);
    world.done("PUT", "/service/web", r#"{"port":80}"#);
}

#[test]
fn a_kernel_that_takes_too_long_is_not_waited_for_and_too_many_do_not_pile_up() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    let held = kernel.0.clone();
    let (locked, go) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let holding = thread::spawn(move || {
        let guard = held.lock().unwrap();
        locked.send(()).unwrap();
        _ = released.recv();
        drop(guard);
    });
    go.recv().unwrap();
    let service = |number: u32| ("PUT", format!("/service/s{number}"), format!(r#"{{"port":{number}}}"#));
    let statuses = all_at_once(&world, &(1..=300).map(service).collect::<Vec<_>>());
    let count = |of: u16| statuses.iter().filter(|status| **status == of).count();
    assert_eq!((count(504), count(503)), (256, 44), "{statuses:?}");
    release.send(()).unwrap();
    holding.join().unwrap();
    // It is kept, as it says, and is there when the kernel is.
    let deadline = Instant::now() + Duration::from_secs(20);
    while kernel.table().len() < 256 {
        assert!(Instant::now() < deadline, "{}", kernel.table().len());
        thread::sleep(Duration::from_millis(20));
    }
    // Those for whom nobody waits any more go out of the way by themselves.
    while world.ask("PUT", "/service/s1", r#"{"port":1}"#).status == 503 {
        assert!(Instant::now() < deadline);
        // Nothing runs here between two requests.
        world.block_on(async { tokio::time::sleep(Duration::from_millis(5)).await });
    }
    world.done("PUT", "/service/s1", r#"{"port":1}"#);
}
