use std::net::SocketAddr;

use tokio::net::UdpSocket;

use super::servers::{V4, closed_port};
use super::{checked, checked_briefly, contains, failed, matches};
use crate::model::{Match, Probe};

fn udp(expect: Option<Match>, silence_is_up: bool) -> Probe {
    Probe::Udp { send: b"ping".to_vec(), expect, silence_is_up }
}

async fn echoing() -> SocketAddr {
    let socket = UdpSocket::bind((V4, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut datagram = [0; 64];
        while let Ok((length, from)) = socket.recv_from(&mut datagram).await {
            let _ = socket.send_to(&datagram[..length], from).await;
        }
    });
    address
}

#[tokio::test]
async fn an_answer_is_up_and_a_wrong_one_is_down() {
    let address = echoing().await;
    assert_eq!(checked(address, udp(None, false)).await, Ok(()));
    assert_eq!(checked(address, udp(contains("ping"), false)).await, Ok(()));
    assert_eq!(checked(address, udp(matches("^pong$"), false)).await, failed("the answer does not match \"^pong$\""));
    assert_eq!(checked(address, udp(contains("pong"), true)).await, failed("the answer does not contain \"pong\""));
}

#[tokio::test]
async fn silence_is_up_only_if_asked_for() {
    let silent = UdpSocket::bind((V4, 0)).await.unwrap();
    let address = silent.local_addr().unwrap();
    assert_eq!(checked_briefly(address, udp(None, false)).await, failed("no answer within 200ms"));
    assert_eq!(checked_briefly(address, udp(None, true)).await, Ok(()));
}

#[tokio::test]
async fn an_unreachable_port_is_down_whatever_was_asked_for() {
    assert_eq!(checked(closed_port(), udp(None, false)).await, failed("port unreachable"));
    assert_eq!(checked(closed_port(), udp(None, true)).await, failed("port unreachable"));
    let v6 = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 1));
    assert_eq!(checked(v6, udp(None, true)).await, failed("port unreachable"));
}

#[tokio::test]
async fn an_answer_from_somewhere_else_is_none() {
    let silent = UdpSocket::bind((V4, 0)).await.unwrap();
    let address = silent.local_addr().unwrap();
    tokio::spawn(async move {
        let mut datagram = [0; 64];
        let (_, from) = silent.recv_from(&mut datagram).await.unwrap();
        let other = UdpSocket::bind((V4, 0)).await.unwrap();
        other.send_to(b"ping", from).await.unwrap();
        std::future::pending::<()>().await;
        drop(silent);
    });
    assert_eq!(checked_briefly(address, udp(None, false)).await, failed("no answer within 200ms"));
}
