use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::servers::{
    NO_SOCKETS, answering, closed_port, closing_after, hanging, read_head, resetting, resetting_after_request, serve,
    sockets_towards, until_closed,
};
use super::{checked, checked_briefly, contains, failed, get, matches};
use crate::model::{Http, Match, Probe, StatusSet};

async fn answers(answer: &'static str, http: Http) -> Result<(), String> {
    let (address, _) = answering(answer).await;
    let result = checked(address, Probe::Http(http)).await;
    assert_eq!(sockets_towards(address), NO_SOCKETS, "not even one in TIME_WAIT");
    result
}

fn with_body(expected: Option<Match>) -> Http {
    Http { body: expected, ..get() }
}

#[tokio::test]
async fn the_request_is_what_was_configured() {
    let (address, seen) = answering("HTTP/1.1 200 OK\r\n\r\n").await;
    assert_eq!(checked(address, Probe::Http(get())).await, Ok(()));
    let full = Http {
        method: "OPTIONS".to_owned(),
        path: "*".to_owned(),
        host: Some("web.example".to_owned()),
        headers: vec![
            ("X-Token".to_owned(), "a b".to_owned()),
            ("Accept".to_owned(), "text/html".to_owned()),
            ("accept".to_owned(), "*/*".to_owned()),
            ("User-Agent".to_owned(), "me".to_owned()),
            ("Connection".to_owned(), "keep-alive".to_owned()),
        ],
        ..get()
    };
    assert_eq!(checked(address, Probe::Http(full)).await, Ok(()));
    let version = env!("CARGO_PKG_VERSION");
    let seen = seen.lock().unwrap();
    assert_eq!(
        seen[0],
        format!("GET / HTTP/1.1\r\nHost: {address}\r\nUser-Agent: ipvsd/{version}\r\nConnection: close\r\n\r\n")
    );
    for line in ["Host: web.example", "X-Token: a b", "Accept: text/html", "Accept: */*", "User-Agent: me"] {
        assert!(seen[1].contains(&format!("\r\n{line}\r\n")), "{line} in {}", seen[1]);
    }
    assert!(seen[1].starts_with("OPTIONS * HTTP/1.1\r\n"));
    assert!(seen[1].contains("\r\nConnection: close\r\n") && !seen[1].contains("keep-alive"));
}

#[tokio::test]
async fn a_host_among_the_headers_is_the_host() {
    let (address, seen) = answering("HTTP/1.1 200 OK\r\n\r\n").await;
    let http = Http { headers: vec![("host".to_owned(), "web.example".to_owned())], ..get() };
    assert_eq!(checked(address, Probe::Http(http)).await, Ok(()));
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0].matches("Host:").count(), 1);
    assert!(seen[0].contains("\r\nHost: web.example\r\n"));
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_it_connects() {
    let wrong = |http: Http| async { checked(closed_port(), Probe::Http(http)).await };
    assert_eq!(wrong(Http { method: "G T".to_owned(), ..get() }).await, failed("\"G T\" is no method"));
    assert_eq!(wrong(Http { path: "/ x".to_owned(), ..get() }).await, failed("\"/ x\" is no path"));
    assert_eq!(wrong(Http { host: Some("a\nb".to_owned()), ..get() }).await, failed("\"a\\nb\" is no host"));
}

#[tokio::test]
async fn the_status_decides() {
    assert_eq!(answers("HTTP/1.1 204 No Content\r\n\r\n", get()).await, Ok(()));
    assert_eq!(
        answers("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", get()).await,
        failed("status 500, expected 200-299")
    );
    let some = Http { status: StatusSet(vec![(200, 204), (404, 404)]), ..get() };
    assert_eq!(answers("HTTP/1.1 404 No\r\n\r\n", some.clone()).await, Ok(()));
    assert_eq!(answers("HTTP/1.1 403 No\r\n\r\n", some).await, failed("status 403, expected 200-204,404"));
}

#[tokio::test]
async fn informational_answers_are_not_the_answer() {
    let answer = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
    assert_eq!(answers(answer, get()).await, Ok(()));
}

#[tokio::test]
async fn the_location_of_a_redirect_is_matched() {
    let answer = "HTTP/1.1 302 Found\r\nLocation: https://web.example/login\r\nContent-Length: 0\r\n\r\n";
    let found = Http { status: StatusSet(vec![(302, 302)]), ..get() };
    let to = |expected| Http { location: expected, ..found.clone() };
    assert_eq!(answers(answer, to(contains("/login"))).await, Ok(()));
    assert_eq!(answers(answer, to(matches("^https://[a-z.]+/login$"))).await, Ok(()));
    assert_eq!(
        answers(answer, to(contains("/home"))).await,
        failed("it redirects to https://web.example/login, which does not contain \"/home\"")
    );
    assert_eq!(
        answers("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", to(contains("/"))).await,
        failed("no header Location (status 302)")
    );
}

#[tokio::test]
async fn a_redirect_loop_is_one_request_with_its_own_reason() {
    let (address, seen) = answering("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(checked(address, Probe::Http(get())).await, failed("redirects to /, status 302, expected 200-299"));
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_body_is_matched_whatever_its_framing() {
    let ok = || with_body(contains("all well"));
    assert_eq!(answers("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall well\n", ok()).await, Ok(()));
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nall \r\n4;x=y\r\nwell\r\n0\r\nT: 1\r\n\r\n";
    assert_eq!(answers(chunked, ok()).await, Ok(()));
    assert_eq!(answers(chunked, with_body(matches("^all well$"))).await, Ok(()));
    assert_eq!(
        answers("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnope", ok()).await,
        failed("the body does not contain \"all well\"")
    );
    assert_eq!(
        answers("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", with_body(matches("."))).await,
        failed("the body does not match \".\"")
    );
}

#[tokio::test]
async fn a_server_of_http_1_0_is_understood() {
    let address = closing_after(b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\nall well").await;
    assert_eq!(checked(address, Probe::Http(with_body(contains("all well")))).await, Ok(()));
}

#[tokio::test]
async fn a_body_that_is_cut_short_is_no_body() {
    let address = closing_after(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nall well").await;
    assert_eq!(
        checked(address, Probe::Http(with_body(contains("all well")))).await,
        failed("the connection was closed in the body")
    );
    let address = closing_after(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nall well\r\n").await;
    assert_eq!(
        checked(address, Probe::Http(with_body(contains("all well")))).await,
        failed("the connection was closed in the body")
    );
}

#[tokio::test]
async fn head_has_no_body_whatever_its_length_says() {
    let head = Http { method: "HEAD".to_owned(), ..get() };
    assert_eq!(answers("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", head.clone()).await, Ok(()));
    let head = Http { body: contains("x"), ..head };
    assert_eq!(
        answers("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", head).await,
        failed("the body does not contain \"x\"")
    );
}

/// A server that sends up to 1 GB after its headers, and how much of that was taken.
async fn huge() -> (SocketAddr, Arc<AtomicUsize>) {
    const LENGTH: usize = 1 << 30;
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = taken.clone();
    let address = serve(move |mut stream| {
        let counted = counted.clone();
        async move {
            read_head(&mut stream).await;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let piece = [b'x'; 16 * 1024];
            while counted.load(Ordering::Relaxed) < LENGTH && stream.write_all(&piece).await.is_ok() {
                counted.fetch_add(piece.len(), Ordering::Relaxed);
            }
        }
    });
    (address.await, taken)
}

#[tokio::test]
async fn of_a_body_of_1_gb_64_kib_are_read() {
    let (address, taken) = huge().await;
    assert_eq!(
        checked(address, Probe::Http(with_body(contains("y")))).await,
        failed("the body does not contain \"y\" (within its first 64 KiB)")
    );
    assert_eq!(checked(address, Probe::Http(with_body(matches("^x+$")))).await, Ok(()));
    assert_eq!(checked(address, Probe::Http(get())).await, Ok(()));
    // The buffers of three pairs of sockets, at most.
    let taken = taken.load(Ordering::Relaxed);
    assert!(taken < 64 * 1024 * 1024, "{taken} bytes");
}

/// A server that sends the head, and then the piece, again and again, with a pause in between.
async fn dripping(head: &'static str, piece: &'static str, pause: Duration) -> SocketAddr {
    serve(move |mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(head.as_bytes()).await;
        while stream.write_all(piece.as_bytes()).await.is_ok() {
            match pause {
                Duration::ZERO => tokio::task::yield_now().await,
                pause => tokio::time::sleep(pause).await,
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_body_of_one_byte_a_second_runs_out_of_time() {
    let second = Duration::from_secs(1);
    let address = dripping("HTTP/1.1 200 OK\r\n\r\n", "x", second).await;
    assert_eq!(
        checked_briefly(address, Probe::Http(with_body(contains("y")))).await,
        failed("status 200, but the body did not end within 200ms")
    );
    // Nobody waits for a body of which nothing is expected.
    assert_eq!(checked(address, Probe::Http(get())).await, Ok(()));
    let address = dripping("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", second).await;
    assert_eq!(
        checked_briefly(address, Probe::Http(with_body(contains("y")))).await,
        failed("status 200, but the body did not end within 200ms")
    );
}

#[tokio::test]
async fn endless_headers_end_by_size_or_by_time() {
    let address = dripping("HTTP/1.1 200 OK\r\n", "X-Header: more\r\n", Duration::ZERO).await;
    let too_long = failed("the headers of the answer are too many or too long");
    assert_eq!(checked(address, Probe::Http(get())).await, too_long);
    let address = dripping("HTTP/1.1 200 OK\r\nX: ", "xxxxxxxxxxxxxxxx", Duration::ZERO).await;
    assert_eq!(checked(address, Probe::Http(get())).await, too_long);
    let address = dripping("HTTP/1.1 200 OK\r\n", "X: y\r\n", Duration::from_secs(1)).await;
    assert_eq!(
        checked_briefly(address, Probe::Http(get())).await,
        failed("no answer within 200ms (connected, sent the request)")
    );
}

#[tokio::test]
async fn endless_informational_answers_run_out_of_time() {
    let address = dripping("", "HTTP/1.1 103 Early Hints\r\n\r\n", Duration::ZERO).await;
    assert_eq!(
        checked_briefly(address, Probe::Http(get())).await,
        failed("no answer within 200ms (connected, sent the request)")
    );
}

#[tokio::test]
async fn a_server_that_accepts_and_hangs_runs_out_of_time() {
    let address = hanging().await;
    assert_eq!(
        checked_briefly(address, Probe::Http(get())).await,
        failed("no answer within 200ms (connected, sent the request)")
    );
    assert_eq!(sockets_towards(address), NO_SOCKETS);
}

#[tokio::test]
async fn what_breaks_is_said_to() {
    assert_eq!(checked(closed_port(), Probe::Http(get())).await, failed("connection refused"));
    let reset = failed("the connection was reset after the request");
    assert_eq!(checked(resetting_after_request().await, Probe::Http(get())).await, reset);
    // Whether that reset comes before or after the request is up to the kernel.
    let early = checked(resetting().await, Probe::Http(get())).await.unwrap_err();
    assert!(early.starts_with("the connection was reset"), "{early}");
    let closed = failed("the connection was closed after the request");
    assert_eq!(checked(closing_after(b"").await, Probe::Http(get())).await, closed);
    assert_eq!(checked(closing_after(b"HTTP/1.1 200 O").await, Probe::Http(get())).await, closed);
}

#[tokio::test]
async fn what_is_not_http_is_said_to() {
    let garbage = failed("the answer is not HTTP/1");
    assert_eq!(answers("SSH-2.0-OpenSSH_9.2\r\n\r\n", get()).await, garbage);
    assert_eq!(answers("\u{15}\u{3}\u{3}\0\u{2}\u{2}F", get()).await, garbage);
    assert_eq!(answers("HTTP/1.1 2x0 OK\r\n\r\n", get()).await, garbage);
    let shouting = serve(|mut stream| async move {
        stream.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
        until_closed(&mut stream).await;
    });
    assert_eq!(checked(shouting.await, Probe::Http(get())).await, garbage);
}
