//! What becomes of it when the configuration changes.

use super::*;

#[test]
fn it_goes_where_it_is_wanted_and_stays_where_it_cannot() {
    let bench = Bench::new(|_, _| {});
    let first = bench.address();
    // A request that is under way gets its answer.
    let under_way = {
        let mut stream = bench.connect();
        stream.write_all(request("GET", "/slow", "", "").as_bytes()).unwrap();
        stream
    };
    let path = bench.path("api.sock");
    bench.want(|api| api.listen = ApiListen::Unix { path: path.clone(), mode: 0o600, group: None });
    bench.listens_where(|listen| matches!(listen, ApiListen::Unix { .. }));
    assert_eq!(exchange(unix(&path), request("GET", "/", "", "").as_bytes()).status, 200);
    assert!(TcpStream::connect(first).is_err(), "nobody listens there any more");
    assert_eq!(exchange(under_way, b"").status, 200);

    // An address that this host does not have.
    bench.want(|api| api.listen = ApiListen::Tcp("192.0.2.1:4672".parse().unwrap()));
    thread::sleep(Duration::from_millis(300));
    assert_eq!(exchange(unix(&path), request("GET", "/", "", "").as_bytes()).status, 200, "the old one stays");
    // A file that is no socket.
    let file = bench.path("file");
    std::fs::write(&file, "mine").unwrap();
    bench.want(|api| api.listen = ApiListen::Unix { path: file.clone(), mode: 0o600, group: None });
    thread::sleep(Duration::from_millis(300));
    assert_eq!(exchange(unix(&path), request("GET", "/", "", "").as_bytes()).status, 200);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    // A group that there is not.
    bench.want(|api| {
        api.listen = ApiListen::Unix { path: path.clone(), mode: 0o600, group: Some("no-such-group-here".into()) };
    });
    thread::sleep(Duration::from_millis(300));
    assert_eq!(exchange(unix(&path), request("GET", "/", "", "").as_bytes()).status, 200);

    bench.want(|api| api.listen = ApiListen::Tcp(first));
    bench.listens_where(|listen| *listen == ApiListen::Tcp(first));
    assert_eq!(bench.ask("GET", "/", "").status, 200);
    until(|| !path.exists());
}

#[test]
fn the_same_port_on_another_address_changes_doors() {
    let bench = Bench::new(|_, _| {});
    let port = bench.address().port();
    bench.want(|api| api.listen = ApiListen::Tcp(([0, 0, 0, 0], port).into()));
    bench.listens_where(|listen| *listen == ApiListen::Tcp(([0, 0, 0, 0], port).into()));
    assert_eq!(bench.ask("GET", "/", "").status, 200);
    bench.want(|api| api.listen = ApiListen::Tcp(([127, 0, 0, 1], port).into()));
    bench.listens_where(|listen| *listen == ApiListen::Tcp(([127, 0, 0, 1], port).into()));
    assert_eq!(bench.ask("GET", "/", "").status, 200);
}

#[test]
fn a_mode_changes_in_place() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new(|folder, api| {
        api.listen = ApiListen::Unix { path: folder.join("api.sock"), mode: 0o600, group: None };
    });
    bench.listens();
    let path = bench.path("api.sock");
    bench.want(|api| api.listen = ApiListen::Unix { path: path.clone(), mode: 0o666, group: None });
    until(|| std::fs::metadata(&path).is_ok_and(|file| file.permissions().mode() & 0o777 == 0o666));
    until(|| UnixStream::connect(&path).is_ok());
    assert_eq!(exchange(unix(&path), request("GET", "/", "", "").as_bytes()).status, 200);
}

#[test]
fn limits_and_tokens_come_without_a_new_door() {
    let bench = Bench::new(|_, _| {});
    let first = bench.address();
    let tokens = bench.path("tokens");
    std::fs::write(&tokens, format!("read {READ}\n")).unwrap();
    bench.want(|api| api.tokens = Some(tokens.clone()));
    until(|| bench.ask("GET", "/", "").status == 401);
    bench.want(|api| api.tokens = None);
    until(|| bench.ask("GET", "/", "").status == 200);
    assert_eq!(bench.address(), first);
}

#[test]
fn without_the_table_there_is_nothing() {
    let bench = Bench::new(|_, _| {});
    let first = bench.address();
    bench.wanted.send_replace(None);
    until(|| bench.listening.borrow().is_none());
    assert!(TcpStream::connect(first).is_err());
}

/// A port that somebody else has is tried again until it is free.
#[test]
fn a_door_that_is_taken_is_waited_for() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let bench = Bench::new(|_, api| api.listen = ApiListen::Tcp(address));
    thread::sleep(Duration::from_millis(300));
    assert_eq!(*bench.listening.borrow(), None);
    drop(taken);
    assert_eq!(bench.address(), address);
    assert_eq!(bench.ask("GET", "/", "").status, 200);
}

#[test]
fn when_nobody_says_any_more_how_it_is_wanted_it_waits_for_its_end() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (wanted, receiver) = watch::channel(None);
        let (listening, _) = watch::channel(None);
        let serving = tokio::spawn(serve(Router::new(), receiver, listening));
        tokio::task::yield_now().await;
        drop(wanted);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(!serving.is_finished(), "it has panicked");
        serving.abort();
    });
}
