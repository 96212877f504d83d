use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::servers::{self, NO_SOCKETS, closed_port, hanging, resetting, serve, sockets_towards, until_closed};
use super::{checked, checked_briefly, contains, failed, matches, tcp};

#[tokio::test]
async fn connects_and_leaves_nothing_behind() {
    let address = hanging().await;
    assert_eq!(checked(address, tcp(None, None)).await, Ok(()));
    assert_eq!(sockets_towards(address), NO_SOCKETS, "not even one in TIME_WAIT");
}

#[tokio::test]
async fn a_port_that_is_closed_refuses() {
    assert_eq!(checked(closed_port(), tcp(None, None)).await, failed("connection refused"));
}

#[tokio::test]
async fn sends_and_finds_what_is_expected_in_pieces() {
    let address = serve(|mut stream| async move {
        let mut request = [0; 6];
        stream.read_exact(&mut request).await.unwrap();
        assert_eq!(&request, b"PING\r\n");
        for piece in ["+PO", "NG\r", "\n"] {
            stream.write_all(piece.as_bytes()).await.unwrap();
            tokio::task::yield_now().await;
        }
        until_closed(&mut stream).await;
    });
    let address = address.await;
    assert_eq!(checked(address, tcp(Some("PING\r\n"), contains("+PONG"))).await, Ok(()));
    assert_eq!(checked(address, tcp(Some("PING\r\n"), matches(r"^\+PONG\r\n$"))).await, Ok(()));
}

#[tokio::test]
async fn a_server_that_speaks_first_is_listened_to() {
    let address = serve(|mut stream| async move {
        stream.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
        until_closed(&mut stream).await;
    });
    let address = address.await;
    assert_eq!(checked(address, tcp(None, matches("^220 "))).await, Ok(()));
    assert_eq!(
        checked_briefly(address, tcp(None, contains("imap"))).await,
        failed("the answer does not contain \"imap\" within 200ms")
    );
}

#[tokio::test]
async fn a_server_that_accepts_and_hangs_runs_out_of_time() {
    let address = hanging().await;
    assert_eq!(checked_briefly(address, tcp(None, contains("x"))).await, failed("no answer within 200ms (connected)"));
    assert_eq!(
        checked_briefly(address, tcp(Some("hello"), contains("x"))).await,
        failed("no answer within 200ms (connected, sent the request)")
    );
    assert_eq!(sockets_towards(address), NO_SOCKETS);
}

#[tokio::test]
async fn a_server_that_takes_no_more_runs_out_of_time() {
    let address = serve(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    });
    let much = "x".repeat(64 * 1024 * 1024);
    assert_eq!(
        checked_briefly(address.await, tcp(Some(&much), None)).await,
        failed("no answer within 200ms (connected, sending the request)")
    );
}

#[tokio::test]
async fn a_server_that_closes_has_not_answered() {
    let address = servers::closing_after(b"").await;
    assert_eq!(
        checked(address, tcp(Some("\r\n\r\n"), contains("x"))).await,
        failed("the connection was closed without an answer")
    );
    let address = servers::closing_after(b"no").await;
    assert_eq!(
        checked(address, tcp(Some("\r\n\r\n"), matches("yes|ja"))).await,
        failed("the answer does not match \"yes|ja\"")
    );
}

#[tokio::test]
async fn a_server_that_resets_is_said_to() {
    // Whether that reset comes before or after the first look is up to the kernel.
    let early = checked(resetting().await, tcp(None, contains("x"))).await.unwrap_err();
    assert!(early.starts_with("the connection was reset"), "{early}");
    let address = servers::resetting_after_request().await;
    assert_eq!(
        checked(address, tcp(Some("\r\n\r\n"), contains("x"))).await,
        failed("the connection was reset after the request")
    );
}

#[tokio::test]
async fn an_endless_answer_is_read_up_to_64_kib() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let address = serve(move |mut stream| {
        let counted = counted.clone();
        async move {
            while stream.write_all(&[b'x'; 1024]).await.is_ok() {
                counted.fetch_add(1024, Ordering::Relaxed);
            }
        }
    });
    assert_eq!(
        checked(address.await, tcp(None, contains("y"))).await,
        failed("the answer does not contain \"y\" (within its first 64 KiB)")
    );
    // What the sockets' buffers took may be more than was read.
    assert!(sent.load(Ordering::Relaxed) < 32 * 1024 * 1024);
}

#[tokio::test]
async fn what_a_server_says_is_shown_without_orders_to_the_terminal() {
    let address = servers::closing_after(b"").await;
    let expected = Some(crate::model::Match::Contains(b"a\"\x1b[2J\n\xff".to_vec()));
    assert_eq!(
        checked(address, tcp(Some("\r\n\r\n"), expected)).await,
        failed("the connection was closed without an answer")
    );
    let address = servers::closing_after(b"no").await;
    let expected = Some(crate::model::Match::Contains(b"it's a\"\x1b[2J\n\xff".to_vec()));
    assert_eq!(
        checked(address, tcp(Some("\r\n\r\n"), expected)).await,
        failed("the answer does not contain \"it's a\\\"\\u{1b}[2J\\n\\xff\"")
    );
}
