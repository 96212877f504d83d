//! Our own interface over a socket, on a whole daemon whose kernel is the fake one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "browser/theatre.rs"]
mod theatre;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use ipvsd::api::Role;
use ipvsd::ipvs::Errno;
use ipvsd::model::Health;
use serde_json::{Value, json};
use theatre::Theatre;

const CONFIG: &str = r#"
version = 1
[checks.web]
http = { path = "/" }
[[services]]
name = "web"
address = "tcp://192.0.2.10:80"
scheduler = "wrr"
check = "web"
destinations = [{ address = "10.0.0.11:80" }, { address = "10.0.0.12:80" }]
[[services]]
name = "dns"
address = "udp://192.0.2.10:53"
destinations = [{ address = "10.0.0.53:53" }]
"#;
const WEB: &str = "tcp://192.0.2.10:80";
const PATIENCE: Duration = Duration::from_secs(30);

fn connect(theatre: &Theatre) -> TcpStream {
    let stream = TcpStream::connect(theatre.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn ask(theatre: &Theatre, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let mut stream = connect(theatre);
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{kind}content-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

fn get(theatre: &Theatre, path: &str) -> Value {
    let (status, answer) = ask(theatre, "GET", path, None);
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Events as they come, from now on.
struct Events(BufReader<TcpStream>);

impl Events {
    fn of(theatre: &Theatre) -> Self {
        let mut stream = connect(theatre);
        write!(stream, "GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut events = Self(BufReader::new(stream));
        while !events.line().starts_with("retry:") {}
        events
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream is over");
        line.trim_end().to_owned()
    }

    /// The next of that name; others are passed over.
    fn next(&mut self, name: &str) -> Value {
        while self.line() != format!("event: {name}") {}
        serde_json::from_str(self.line().strip_prefix("data: ").unwrap()).unwrap()
    }
}

#[test]
fn a_day_of_a_daemon() {
    let mut theatre = Theatre::start(CONFIG, Role::Write);
    wait("the first pass", || get(&theatre, "/v1/status")["kernel"] == "as_configured");
    let counts = get(&theatre, "/v1/status")["counts"].clone();
    assert_eq!((&counts["services"], &counts["up"], &counts["unchecked"]), (&json!(2), &json!(2), &json!(1)));
    let history = get(&theatre, "/v1/history");
    assert_eq!((&history["events"][0]["event"], &history["events"][0]["data"]["changed"]), (&json!("pass"), &json!(5)));
    assert_eq!(get(&theatre, "/v1/plan")["operations"], json!([]));
    assert_eq!(get(&theatre, "/v1/me"), json!({ "role": "write" }));

    // What goes down is told, with what is done about it; and the counters are.
    let mut events = Events::of(&theatre);
    theatre.judge(WEB, "10.0.0.12:80", Health::Down, "http: status 500");
    let down = events.next("destination_down");
    assert_eq!((&down["name"], &down["reason"]), (&json!("web"), &json!("http: status 500")));
    let pass = events.next("pass");
    assert_eq!((&pass["why"], &pass["services"], &pass["changed"]), (&json!("health"), &json!(1), &json!(1)));
    let done = json!({
        "result": "done", "text": format!("edit destination 10.0.0.12:80 of {WEB}: weight 100 → 0"), "reason": "", "drift": false,
        "service": WEB, "name": "web",
    });
    assert_eq!(pass["operations"], json!([done]));
    let sample = events.next("sample");
    assert!(sample["services"].as_array().unwrap().len() == 2 && sample["at"].as_u64() > Some(1_600_000_000_000));
    let web = get(&theatre, "/v1/services/web")["services"][0].clone();
    assert_eq!(
        (&web["up"], &web["destinations"][1]["health"], &web["destinations"][1]["weight"]),
        (&json!(1), &json!("down"), &json!(0))
    );

    // An order is in the kernel a moment later.
    let about = json!({ "service": "web", "destination": "10.0.0.11" });
    let (status, answer) = ask(&theatre, "POST", "/v1/drain", Some(about.clone()));
    assert_eq!((status, &answer["overrides"][0]["changed"]), (200, &json!(true)), "{answer}");
    assert_eq!(
        answer["warnings"],
        json!([format!("no other destination of {WEB} (web) has weight: it refuses new connections")])
    );
    assert_eq!(events.next("pass")["why"], "override");
    assert_eq!(theatre.weight(WEB, "10.0.0.11:80"), Some(0));
    assert_eq!(get(&theatre, "/v1/status")["overrides"][0]["destination"], "10.0.0.11:80");
    assert_eq!(ask(&theatre, "POST", "/v1/undrain", Some(about)).0, 200);
    wait("its weight", || theatre.weight(WEB, "10.0.0.11:80") == Some(100));

    // A reload waits for its pass, and says what came of it.
    let file = theatre.dir.path().join("ipvsd.toml");
    std::fs::write(&file, CONFIG.replace("wrr", "wlc")).unwrap();
    assert_eq!(get(&theatre, "/v1/plan")["operations"][0]["changed"], json!(["scheduler"]));
    let (status, answer) = ask(&theatre, "POST", "/v1/reload", None);
    assert_eq!((status, &answer["done"], &answer["kernel"]), (200, &json!(true), &json!("as_configured")));
    assert_eq!(theatre.kernel.lock().table()[&WEB.parse().unwrap()].settings.scheduler.as_str(), "wlc");
    std::fs::write(&file, CONFIG.replace("scheduler", "schedular")).unwrap();
    let (status, answer) = ask(&theatre, "POST", "/v1/reload", None);
    assert_eq!((status, &answer["kernel"], &answer["outdated"]), (200, &json!("outdated"), &json!(true)));
    assert!(events.next("configuration_refused")["problems"].as_str().unwrap().contains("ipvsd.toml:8"));
    let (status, answer) = ask(&theatre, "GET", "/v1/plan", None);
    assert!(status == 409 && answer["detail"].as_str().unwrap().contains("there is `scheduler`"), "{answer}");

    // What the kernel does not take is told once, and is in the status for as long as it is so.
    theatre.kernel.lock().refuse(WEB.parse().unwrap(), None, Errno::INVAL);
    std::fs::write(&file, CONFIG).unwrap();
    let (_, answer) = ask(&theatre, "POST", "/v1/reload", None);
    assert_eq!(answer["kernel"], "differs");
    let failing = get(&theatre, "/v1/status")["failing"][0].clone();
    assert_eq!((&failing["service"], &failing["destination"]), (&json!(WEB), &Value::Null));
    let of_reload = |pass: &Value| pass["why"].as_str().unwrap().contains("reload");
    let mut pass = events.next("pass");
    while !of_reload(&pass) || pass["failed"] == 0 {
        pass = events.next("pass");
    }
    assert_eq!((&pass["failed"], &pass["operations"][0]["result"]), (&json!(1), &json!("failed")));
    wait("it to be tried again", || get(&theatre, "/v1/status")["failing"][0]["tries"].as_u64() >= Some(3));
    let history = get(&theatre, "/v1/history");
    let failed = |event: &&Value| event["data"]["failed"].as_u64() > Some(0);
    assert_eq!(history["events"].as_array().unwrap().iter().filter(failed).count(), 1, "{history:#}");
    theatre.kernel.lock().relent();
    let (_, answer) = ask(&theatre, "POST", "/v1/reload", None);
    assert_eq!((&answer["kernel"], &get(&theatre, "/v1/status")["failing"]), (&json!("as_configured"), &json!([])));

    // When nobody answers any more, the loop goes on.
    theatre.hang_up();
    theatre.configure(&CONFIG.replace("wrr", "rr"));
    let web = WEB.parse().unwrap();
    wait("the loop", || theatre.kernel.lock().table()[&web].settings.scheduler.as_str() == "rr");
}

/// Not a test: a daemon to look at, for so many seconds.
#[test]
#[ignore = "IPVSD_SERVE=600 cargo test --test http -- --ignored --nocapture serves for ten minutes"]
fn serve() {
    let theatre = Theatre::start(CONFIG, Role::Write);
    println!("{}", theatre.url());
    let seconds = std::env::var("IPVSD_SERVE").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(60);
    std::thread::sleep(Duration::from_secs(seconds));
}
