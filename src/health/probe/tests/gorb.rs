//! What GORB's checks got wrong.

use std::net::{IpAddr, Ipv6Addr};

use super::servers::{answering, answering_on};
use super::{checked, failed, get, tcp};
use crate::model::{Http, Probe, StatusSet};

const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

#[tokio::test]
async fn gorb_ipv6_checks_work() {
    let (address, seen) = answering_on(V6, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(checked(address, tcp(None, None)).await, Ok(()));
    assert_eq!(checked(address, Probe::Http(get())).await, Ok(()));
    let host = format!("Host: [::1]:{}\r\n", address.port());
    let seen = seen.lock().unwrap();
    assert!(seen.iter().any(|request| request.contains(&host)), "{seen:?}");
}

#[tokio::test]
async fn gorb_expected_301_can_be_matched_and_is_not_followed() {
    let (elsewhere, followed) = answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let to = format!("http://{elsewhere}/");
    let answer = format!("HTTP/1.1 301 Moved Permanently\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
    let (address, seen) = answering(answer.leak()).await;
    let moved = Http { status: StatusSet(vec![(301, 301)]), ..get() };
    assert_eq!(checked(address, Probe::Http(moved)).await, Ok(()));
    assert_eq!(
        checked(address, Probe::Http(get())).await,
        failed(&format!("redirects to {to}, status 301, expected 200-299"))
    );
    assert_eq!(seen.lock().unwrap().len(), 2);
    assert!(followed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn gorb_204_is_up_where_a_range_is_expected() {
    let (address, _) = answering("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(checked(address, Probe::Http(get())).await, Ok(()));
}

#[tokio::test]
async fn gorb_a_query_goes_out_as_it_was_written() {
    let (address, seen) = answering("HTTP/1.1 200 OK\r\n\r\n").await;
    let query = Http { path: "/h?x=1&y=%2F".to_owned(), ..get() };
    assert_eq!(checked(address, Probe::Http(query)).await, Ok(()));
    assert!(seen.lock().unwrap()[0].starts_with("GET /h?x=1&y=%2F HTTP/1.1\r\n"));
}
