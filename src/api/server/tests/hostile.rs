//! Clients that mean harm: others are answered all the same, and memory is steady.

use super::*;

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn ten_thousand_idle_connections_shut_nobody_out() {
    let bench = Bench::new(|_, _| {});
    let address = bench.address();
    let mut idle = std::collections::VecDeque::new();
    let mut after_the_first = 0;
    for number in 0..10_000 {
        idle.push_back(TcpStream::connect(address).unwrap());
        // This end keeps as many as the other one does.
        if idle.len() > 900 {
            idle.pop_front();
        }
        if number == 2000 {
            after_the_first = resident();
        }
        if number % 1000 == 0 {
            assert_eq!(bench.ask("GET", "/", "").status, 200);
        }
    }
    assert_eq!(bench.ask("GET", "/", "").status, 200);
    assert!(resident() < after_the_first + 50_000, "{} KiB after {after_the_first}", resident());
}

#[test]
fn idle_connections_that_stay_give_way_and_busy_ones_do_not() {
    let bench = Bench::new(|_, _| {});
    let address = bench.address();
    // The oldest one is busy: its answer does not fit into what the system takes.
    let mut busy = bench.connect();
    busy.write_all(request("GET", "/large", "", "").as_bytes()).unwrap();
    thread::sleep(Duration::from_millis(200));
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    if limit < 4000 {
        return;
    }
    let idle: Vec<TcpStream> = (0..crowd::MOST + 200).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert_eq!(bench.ask("GET", "/", "").status, 200);
    let ended = |stream: &TcpStream| {
        stream.set_nonblocking(true).unwrap();
        let mut byte = [0];
        !matches!((&*stream).read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    };
    until(|| idle.iter().filter(|stream| ended(stream)).count() >= 100);
    assert!(ended(&idle[0]), "the oldest first");
    assert!(!ended(idle.last().unwrap()));
    assert_eq!(exchange(busy, b"").body.len(), 8 << 20);
}

#[test]
fn large_bodies_and_large_answers_leave_nothing_behind() {
    let bench = Bench::new(|_, api| api.writes_per_second = 1_000_000);
    let nested = "[".repeat(10 << 20);
    let round = || {
        for _ in 0..3 {
            assert_eq!(bench.send(request("PUT", "/thing", "", &nested).as_bytes()).status, 413);
            // Asked for, and never read.
            let mut stream = bench.connect();
            stream.write_all(request("GET", "/large", "", "").as_bytes()).unwrap();
            // Half a body.
            let mut stream = bench.connect();
            stream.write_all(&request("PUT", "/thing", "", &nested[..1 << 20]).as_bytes()[..600_000]).unwrap();
        }
    };
    round();
    let before = resident();
    for _ in 0..10 {
        round();
    }
    assert_eq!(bench.ask("GET", "/", "").status, 200);
    assert!(resident() < before + 60_000, "{} KiB after {before}", resident());
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
