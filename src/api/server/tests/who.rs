//! Who may ask, and who may write.

use super::*;

#[test]
fn tokens_have_roles() {
    let bench = Bench::with_tokens();
    let with = |token: &str| format!("authorization: Bearer {token}\r\n");
    let cases = [
        ("GET", "/", String::new(), 401),
        ("GET", "/", with("wrong-wrong-wrong-wrong"), 401),
        ("GET", "/", with(READ), 200),
        ("GET", "/", with(WRITE), 200),
        ("OPTIONS", "/any", with(READ), 200),
        ("PUT", "/thing", String::new(), 401),
        ("PUT", "/thing", with(READ), 403),
        ("PUT", "/thing", with(WRITE), 200),
        ("BREW", "/any", with(READ), 403),
        ("GET", "/missing", String::new(), 401),
        ("GET", "/livez", String::new(), 200),
        ("GET", "/livez", with("wrong-wrong-wrong-wrong"), 200),
        ("PUT", "/livez", String::new(), 401),
        ("GET", "//livez", String::new(), 401),
        ("GET", "/livez/../role", String::new(), 401),
    ];
    for (method, path, headers, status) in cases {
        assert_eq!(bench.ask(method, path, &headers).status, status, "{method} {path} {headers}");
    }
    assert_eq!(bench.ask("GET", "/role", &with(READ)).body, "read");
    assert_eq!(bench.ask("GET", "/role", &with(WRITE)).body, "write");
    let refused = bench.ask("GET", "/", "");
    for scheme in ["www-authenticate: bearer", "www-authenticate: basic"] {
        assert!(refused.head.contains(scheme), "{}", refused.head);
    }
    let by_page = bench.ask("GET", "/", "sec-fetch-mode: cors\r\n").head;
    assert!(by_page.contains("bearer") && !by_page.contains("basic"), "the browser asks nobody for a page: {by_page}");
    let by_name = bench.ask("GET", "/", &with(WRITE).replace("localhost", "web.example"));
    assert_eq!(by_name.status, 200, "with tokens the name does not matter");
}

#[test]
fn a_token_in_the_query_is_refused_and_not_repeated() {
    let bench = Bench::with_tokens();
    for query in ["token", "access_token", "api_key"] {
        let answer = bench.ask("GET", &format!("/?{query}={WRITE}"), &format!("authorization: Bearer {WRITE}\r\n"));
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.body.contains("token does not belong into the query"), "{}", answer.body);
        assert!(!answer.body.contains(WRITE));
    }
}

#[test]
fn pages_of_other_sites_do_not_write() {
    let bench = Bench::new(|_, _| {});
    let cases = [
        ("", 200),
        ("origin: http://localhost\r\n", 200),
        ("origin: http://evil.example\r\n", 403),
        ("origin: null\r\n", 403),
        ("sec-fetch-site: cross-site\r\n", 403),
        ("sec-fetch-site: same-origin\r\n", 200),
    ];
    for (headers, status) in cases {
        assert_eq!(bench.ask("PUT", "/thing", headers).status, status, "{headers}");
        assert_eq!(bench.ask("GET", "/", headers).status, 200, "a page cannot read what it gets");
    }
}

#[test]
fn without_tokens_it_answers_to_names_of_this_host() {
    let bench = Bench::new(|_, _| {});
    let ask = |host: &str| bench.send(request("GET", "/", "", "").replace("localhost", host).as_bytes()).status;
    assert_eq!(ask("127.0.0.1:4672"), 200);
    assert_eq!(ask("[::1]"), 200);
    assert_eq!(ask("rebound.example:4672"), 421);
    assert_eq!(bench.send(b"GET / HTTP/1.0\r\n\r\n").status, 200, "whoever names nobody is no browser");
    let absolute = b"GET http://rebound.example/ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert_eq!(bench.send(absolute).status, 421);
}

#[test]
fn tokens_are_read_again_when_they_change() {
    let bench = Bench::with_tokens();
    let status = |token: &str| bench.ask("GET", "/", &format!("authorization: Bearer {token}\r\n")).status;
    assert_eq!((status(READ), status(WRITE)), (200, 200));
    // One connection that stays meanwhile.
    let mut kept = bench.connect();
    let mut ask_kept = || {
        write!(kept, "GET / HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {READ}\r\n\r\n").unwrap();
        let mut answer = [0; 4096];
        let count = kept.read(&mut answer).unwrap();
        Answer::of(&String::from_utf8_lossy(&answer[..count])).status
    };
    assert_eq!(ask_kept(), 200);
    std::fs::write(bench.path("tokens"), format!("write {WRITE}\n")).unwrap();
    until(|| status(READ) == 401);
    assert_eq!(status(WRITE), 200);
    assert_eq!(ask_kept(), 401, "what is withdrawn is so for those who are in");
    std::fs::write(bench.path("tokens"), "oops\n").unwrap();
    thread::sleep(LOOK + Duration::from_millis(500));
    assert_eq!(status(WRITE), 200, "a bad file leaves what was there");
}

#[test]
fn without_a_good_file_of_tokens_nobody_gets_in() {
    let bench = Bench::new(|folder, api| api.tokens = Some(folder.join("tokens")));
    thread::sleep(Duration::from_millis(300));
    assert_eq!(*bench.listening.borrow(), None);
    std::fs::write(bench.path("tokens"), format!("read {READ}\n")).unwrap();
    assert_eq!(bench.ask("GET", "/", &format!("authorization: Bearer {READ}\r\n")).status, 200);
}

#[test]
fn paths_that_climb_get_nowhere() {
    let bench = Bench::with_tokens();
    let token = format!("authorization: Bearer {READ}\r\n");
    for path in
        ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd", "/%00", "/%ff%fe", "//", "/%"]
    {
        let status = bench.ask("GET", path, &token).status;
        assert!(matches!(status, 400 | 404), "{path}: {status}");
    }
    let long = format!("/{}", "a".repeat(1024));
    assert_eq!(bench.ask("GET", &long, &token).status, 404);
}

/// A stream that a token opened.
fn stream(bench: &Bench, token: &str) -> TcpStream {
    let mut stream = bench.connect();
    write!(stream, "GET /stream HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n").unwrap();
    read_to(&mut stream, "hello\r\n");
    stream
}

fn is_quiet(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let read = stream.read(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

#[test]
fn a_stream_ends_with_its_token_and_not_with_another_one() {
    let bench = Bench::with_tokens();
    let (mut withdrawn, mut kept) = (stream(&bench, READ), stream(&bench, WRITE));
    std::fs::write(bench.path("tokens"), format!("write {WRITE}\n")).unwrap();
    assert_eq!(read_to(&mut withdrawn, "0\r\n\r\n"), "0\r\n\r\n", "it comes to an orderly end");
    write!(withdrawn, "GET /stream HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {READ}\r\n\r\n").unwrap();
    assert!(read_to(&mut withdrawn, "\r\n").contains(" 401 "));
    // With another role it may still read.
    std::fs::write(bench.path("tokens"), format!("# less\nread {WRITE}\n")).unwrap();
    let put = || bench.ask("PUT", "/thing", &format!("authorization: Bearer {WRITE}\r\n")).status;
    until(|| put() == 403);
    assert!(is_quiet(&mut kept));
    // Without the last one nobody is let in, and nothing changes; nor does a stream end that needed no token.
    bench.want(|api| api.tokens = None);
    until(|| put() == 200);
    assert!(is_quiet(&mut kept));
    let mut open = stream(&bench, "whatever");
    std::fs::write(bench.path("tokens"), format!("read {READ}\n")).unwrap();
    let tokens = bench.path("tokens");
    bench.want(|api| api.tokens = Some(tokens));
    for stream in [&mut open, &mut kept] {
        assert_eq!(read_to(stream, "0\r\n\r\n"), "0\r\n\r\n");
    }
}

#[test]
fn a_stream_ends_when_the_door_is_shut() {
    let bench = Bench::new(|_, _| {});
    let mut stream = stream(&bench, "none");
    let started = Instant::now();
    bench.wanted.send_replace(None);
    assert_eq!(read_to(&mut stream, "0\r\n\r\n"), "0\r\n\r\n");
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    assert!(started.elapsed() < AMPLE);
}
