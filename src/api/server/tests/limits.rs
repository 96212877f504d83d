//! How much one may have.

use super::*;

#[test]
fn so_many_writes_a_second() {
    let bench = Bench::new(|_, api| api.writes_per_second = 5);
    let put = || bench.send(request("PUT", "/thing", "", "x").as_bytes());
    let started = Instant::now();
    let answers: Vec<Answer> = (0..30).map(|_| put()).collect();
    let through = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().find(|answer| answer.status != 200).expect("not all");
    let most = 5 + 5 * (started.elapsed().as_millis() as usize + 1000) / 1000;
    assert!((5..=most).contains(&through), "{through} of 30");
    assert_eq!(refused.status, 429);
    assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
    assert!(refused.body.contains("more than 5 writes a second"), "{}", refused.body);
    assert_eq!(bench.ask("GET", "/", "").status, 200, "reading is not counted");
    until(|| put().status == 200);
}

#[test]
fn a_body_has_an_end() {
    let bench = Bench::new(|_, _| {});
    let fits = "x".repeat(1 << 20);
    assert_eq!(bench.send(request("PUT", "/thing", "", &fits).as_bytes()).body, "1048576 bytes");
    let large = format!("{fits}x");
    let answer = bench.send(request("PUT", "/thing", "", &large).as_bytes());
    assert_eq!(answer.status, 413);
    assert!(answer.body.contains("at most 1048576 bytes"), "{}", answer.body);
    let head = "PUT /thing HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunks = format!("10000\r\n{}\r\n", "x".repeat(1 << 16)).repeat(17);
    assert_eq!(bench.send(format!("{head}{chunks}0\r\n\r\n").as_bytes()).status, 413);
    let lies = "PUT /thing HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999\r\n\r\n";
    assert_eq!(bench.send(lies.as_bytes()).status, 413, "it is not waited for");
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let bench = Bench::new(|_, _| {});
    let started = Instant::now();
    let answer = bench.send(b"PUT /thing HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n123");
    assert_eq!(answer.status, 408);
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    assert!(started.elapsed() < AMPLE);
}

#[test]
fn a_head_that_does_not_come_is_not_waited_for() {
    let bench = Bench::with(Duration::from_millis(300), |_, _| {});
    for begun in ["", "G", "GET / HTTP/1.1\r\nhost: loc"] {
        let answer = bench.send(begun.as_bytes());
        assert!(matches!(answer.status, 0 | 408), "{begun:?}: {answer:?}");
    }
    // One byte after the other.
    let mut stream = bench.connect();
    let started = Instant::now();
    for byte in b"GET / HTTP/1.1\r\nx: ".iter().copied().chain(std::iter::repeat(b'x')) {
        if stream.write_all(&[byte]).is_err() {
            break;
        }
        assert!(started.elapsed() < AMPLE);
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_head_has_an_end() {
    let bench = Bench::new(|_, _| {});
    let long = format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "x".repeat(200_000));
    assert!(matches!(bench.send(long.as_bytes()).status, 0 | 400..=499));
    let many = format!("GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "a: b\r\n".repeat(10_000));
    assert!(matches!(bench.send(many.as_bytes()).status, 0 | 400..=499));
    for odd in ["\0\0\0\0", "GET\r\n\r\n", "hello\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u{16}\u{3}\u{1}\r\n\r\n"] {
        assert!(matches!(bench.send(odd.as_bytes()).status, 0 | 400..=505), "{odd:?}");
    }
    let twice = "PUT /thing HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab";
    assert_eq!(bench.send(twice.as_bytes()).status, 400, "what could be read in two ways is not");
    assert_eq!(bench.ask("GET", "/", "").status, 200);
}

#[test]
fn a_large_answer_comes_whole() {
    let bench = Bench::new(|_, _| {});
    let answer = bench.ask("GET", "/large", "");
    assert_eq!((answer.status, answer.body.len()), (200, 8 << 20));
    assert!(answer.head.contains("content-length: 8388608"), "{}", answer.head);
}
