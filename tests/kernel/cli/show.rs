//! The live table with what it has counted.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{CONFIG, assert_says, host, json_of, last_line};
use crate::netns::{self, ipvsadm};

#[test]
fn show_counts_real_connections() {
    let (_kernel, program) = host();
    netns::ip_batch("addr add 192.0.2.10/32 dev lo\n");
    // Two servers of this host, so that the connections need no other.
    let servers = [8081, 8082].map(|port| TcpListener::bind(("192.0.2.254", port)).unwrap());
    program.write(
        CONFIG,
        r#"version = 1
[[services]]
name = "web"
address = "tcp://192.0.2.10:80"
scheduler = "rr"
destinations = [{ address = "192.0.2.254:8081" }, { address = "192.0.2.254:8082" }]
"#,
    );
    program.runs(CONFIG, &["apply"], 0);
    ipvsadm(&["-A", "-f", "5", "-s", "rr"], "");
    let answers: Vec<_> = servers
        .into_iter()
        .map(|server| {
            thread::spawn(move || {
                for _ in 0..3 {
                    let (mut stream, _) = server.accept().unwrap();
                    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                    let mut question = [0; 4];
                    stream.read_exact(&mut question).unwrap();
                    stream.write_all(b"pong").unwrap();
                }
            })
        })
        .collect();
    let service: SocketAddr = "192.0.2.10:80".parse().unwrap();
    // They stay open until the table has been shown.
    let clients: Vec<TcpStream> = (0..6)
        .map(|_| {
            let mut stream = TcpStream::connect_timeout(&service, Duration::from_secs(20)).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.write_all(b"ping").unwrap();
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"pong");
            stream
        })
        .collect();
    for answer in answers {
        answer.join().unwrap();
    }

    // The kernel sums its counters up every two seconds: until ipvsadm shows them, and shows the same before and after.
    let count = || ipvsadm(&["-Ln", "--stats", "--exact"], "");
    let deadline = Instant::now() + Duration::from_secs(20);
    let (listed, table) = loop {
        let before = count();
        let table = program.runs(CONFIG, &["show", "--output", "json"], 0);
        if before == count()
            && before.lines().any(|line| line.starts_with("TCP  192.0.2.10:80 ") && line.contains(" 6 "))
        {
            break (before, json_of(&table));
        }
        assert!(Instant::now() < deadline, "the counters do not come to rest: {before}");
    };
    let web = &table["services"][0];
    assert_eq!(web["address"], json!("tcp://192.0.2.10:80"));
    assert_eq!(web["name"], json!("web"));
    assert_eq!(web["owner"], json!("owned"));
    assert_eq!(web["settings"]["scheduler"], json!("rr"));
    assert_eq!(web["stats"]["connections"], json!(6));
    let keys = ["connections", "in_packets", "out_packets", "in_bytes", "out_bytes"];
    // `Prot LocalAddress:Port Conns InPkts OutPkts InBytes OutBytes`
    let row = |address: &str| -> Vec<u64> {
        let line = listed.lines().find(|line| line.contains(address)).unwrap();
        line.split_whitespace().rev().take(5).map(|word| word.parse().unwrap()).collect()
    };
    let counters = |stats: &Value| -> Vec<u64> { keys.iter().rev().map(|key| stats[key].as_u64().unwrap()).collect() };
    assert_eq!(counters(&web["stats"]), row("192.0.2.10:80"), "{listed}");
    for (number, address) in ["192.0.2.254:8081", "192.0.2.254:8082"].into_iter().enumerate() {
        let destination = &web["destinations"][number];
        assert_eq!(destination["address"], json!(address));
        assert_eq!(destination["owner"], json!("owned"));
        assert_eq!(destination["settings"]["weight"], json!(100));
        assert_eq!(destination["stats"]["connections"], json!(3));
        assert_eq!(counters(&destination["stats"]), row(address), "{listed}");
        let open =
            destination["active_connections"].as_u64().unwrap() + destination["inactive_connections"].as_u64().unwrap();
        assert_eq!(open, 3, "{destination}");
    }
    let foreign = &table["services"][1];
    assert_eq!(
        (&foreign["address"], &foreign["owner"], &foreign["name"]),
        (&json!("fwmark:5"), &json!("foreign"), &Value::Null)
    );

    let text = program.runs(CONFIG, &["show"], 0);
    let web =
        text.lines().find(|line| line.starts_with("tcp://192.0.2.10:80 (web)")).unwrap_or_else(|| panic!("{text}"));
    let cells: Vec<&str> = web.split_whitespace().collect();
    assert_eq!((cells[2], cells.last()), ("rr", Some(&"owned")), "{text}");
    assert!(cells.contains(&"6"), "six connections: {text}");
    assert_says(&text, "fwmark:5");
    assert_eq!(last_line(&text), "2 services, 2 destinations");
    drop(clients);
}
