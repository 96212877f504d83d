//! What the server counts of what it does.

use super::*;
use crate::api::traffic::TurnedAway;

/// What has been counted, for those who ask.
pub(super) async fn traffic(Extension(traffic): Extension<Arc<Traffic>>) -> String {
    let [full, handshake, system] = TurnedAway::ALL.map(|why| traffic.turned_away(why));
    let mut text = format!(
        "open {} accepted {} cut {} full {full} handshake {handshake} system {system} held {}",
        traffic.open(),
        traffic.accepted(),
        traffic.cut(),
        traffic.held()
    );
    for ((route, method, status), count) in traffic.requests().counts {
        let status = status.map_or("gone".to_owned(), |status| status.as_u16().to_string());
        text += &format!(" {}-{method}-{status} {count}", route.as_str());
    }
    text
}

#[test]
fn connections_and_requests_are_counted() {
    let bench = Bench::with_tokens();
    let with = format!("authorization: Bearer {WRITE}\r\n");
    let told = || bench.ask("GET", "/traffic", &with).body;
    assert_eq!(told(), "open 1 accepted 1 cut 0 full 0 handshake 0 system 0 held 0");
    assert_eq!(bench.ask("GET", "/", "").status, 401);
    assert_eq!(bench.ask("PUT", "/thing", &with).status, 200);
    assert_eq!(bench.ask("BREW", "/any", &with).status, 200);
    let idle = bench.connect();
    // It may have been accepted or not yet, and those before may be about to go.
    until(|| told().starts_with("open 2 "));
    drop(idle);
    until(|| told().starts_with("open 1 "));
    let text = told();
    for counted in [" page-GET-401 1", " other-PUT-200 1", " other-other-200 1", " cut 0 ", " held 0"] {
        assert!(text.contains(counted), "{text}");
    }

    // Somebody asks for much, reads nothing of it, and goes.
    let mut stream = bench.connect();
    stream.write_all(request("GET", "/large", &with, "").as_bytes()).unwrap();
    until(|| told().contains(" held 8388608"));
    drop(stream);
    until(|| told().contains(" held 0"));

    // Nobody waits for an answer.
    let mut stream = bench.connect();
    stream.write_all(request("GET", "/slow", &with, "").as_bytes()).unwrap();
    // Whoever asks after it is heard after it.
    told();
    drop(stream);
    until(|| told().contains(" other-GET-gone 1"));
}

#[test]
fn a_handshake_that_fails_is_counted() {
    let authority = tls::Authority::new();
    let bench = tls::bench(&authority, None);
    assert_eq!(bench.ask("GET", "/", "").status, 0, "plain text is no TLS");
    bench.want(|api| api.tls = None);
    // Those that came before it had changed have failed as well. A client is hung up on before it is counted.
    until(|| {
        let told = bench.ask("GET", "/traffic", "").body;
        told.contains(" handshake ") && !told.contains(" handshake 0 ")
    });
}
