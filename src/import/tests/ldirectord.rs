use std::time::Duration;

use super::*;
use crate::model::{Http, Initial, Match, OnDown, Probe};

fn run(text: &str) -> Outcome {
    import_text(Language::Ldirectord, text)
}

/// Every setting once.
const EVERYTHING: &str = r#"# Global Directives
checktimeout=3
negotiatetimeout=5
checkinterval=7
failurecount=2
fallback=127.0.0.1:80 gate
fallback6=[::1] masq
fallbackcommand=/bin/f
autoreload=no
callback="/usr/local/bin/sync"
logfile="/var/log/l.log"
emailalert="ops@example.com"
emailalertfreq=60
emailalertstatus=all
emailalertfrom=ops
smtp=192.0.2.25
execute=other
supervised
fork=yes
quiescent=yes
readdquiescent=no
cleanstop=no
maintenancedir=/etc/maint

virtual=192.0.2.10:http
	servicename=web
	comment=the shop
	real=10.0.0.1->10.0.0.2:8080 masq 5
	real=server:8080 masq 2 "alive.html","I'm OK"
	real=10.0.0.3:81 gate
	real=10.0.0.4 ipip 0 l:5 u:10
	fallback=10.0.0.99 masq
	service=http
	request="index.html"
	receive="Test Page"
	virtualhost=www.example.com
	httpmethod=HEAD
	scheduler=wlc
	persistent=600
	netmask=255.255.255.0
	schedflags=flag-1
	protocol=tcp
	checktype=negotiate
	checkinterval=9
	checkcount=2
	monitorfile="/tmp/m"
	quiescent=no
virtual=192.0.2.10:domain
	real=10.0.0.1:53 gate
	ops=yes
	request="www.example.com"
	receive="192\.0\.2\.7"
virtual6=[2001:db8::10]:25
	real6=[2001:db8:1::1]:25 masq
	checktype=3
virtual=7
	real=10.0.0.1 gate
	checktype=external
	checkcommand="/usr/local/bin/check"
virtual6=8
	real6=[2001:db8:1::1]:80 gate
	checktype=connect
	checkport=8000
virtual=192.0.2.11:8000
	real=10.0.0.1:8000 masq
	checktype=on
virtual=192.0.2.12:8000
	real=10.0.0.1:8000 masq
	checktype=off
virtual=192.0.2.13:8000
	real=10.0.0.1:8000 masq
	checktype=ping
virtual=192.0.2.14:8000
	real=10.0.0.1:8000 masq
	service=simpletcp
	request="PING\n"
	receive="^PONG"
	login="me"
virtual=192.0.2.15:443
	real=10.0.0.1:443 masq "https://10.0.0.9:444/x", ""
"#;

#[test]
fn everything_becomes_a_table() {
    let result = run(EVERYTHING);
    result.says(29, "10.0.0.1:8080 of tcp://192.0.2.10:80 is left out");
    assert_eq!(result.imported.report.error_count(), 1, "{:?}", result.said());
    result.is_table_of(
        r#"
[[services]]
name = "web"
address = "tcp://192.0.2.10:80"
scheduler = "wlc"
scheduler_flags = ["flag-1"]
persistence = { timeout = "600s", netmask = 24 }
destinations = [
  { address = "10.0.0.1:8080", weight = 5 },
  { address = "10.0.0.2:8080", weight = 5 },
  { address = "10.0.0.3:80", weight = 1, forward = "dr" },
  { address = "10.0.0.4:80", weight = 0, forward = "tunnel", max_connections = 10, min_connections = 5 },
]
[[services]]
name = "dns"
address = "udp://192.0.2.10:53"
scheduler = "wrr"
one_packet = true
destinations = [{ address = "10.0.0.1:53", weight = 1, forward = "dr" }]
[[services]]
name = "mail"
address = "tcp://[2001:db8::10]:25"
scheduler = "wrr"
destinations = [{ address = "[2001:db8:1::1]:25", weight = 1 }]
[[services]]
name = "seven"
address = "fwmark:7"
scheduler = "wrr"
destinations = [{ address = "10.0.0.1:0", weight = 1, forward = "dr" }]
[[services]]
name = "eight"
address = "fwmark6:8"
scheduler = "wrr"
destinations = [{ address = "[2001:db8:1::1]:80", weight = 1, forward = "dr" }]
[[services]]
name = "on"
address = "tcp://192.0.2.11:8000"
scheduler = "wrr"
destinations = [{ address = "10.0.0.1:8000", weight = 1 }]
[[services]]
name = "off"
address = "tcp://192.0.2.12:8000"
scheduler = "wrr"
destinations = [{ address = "10.0.0.1:8000", weight = 0 }]
[[services]]
name = "ping"
address = "tcp://192.0.2.13:8000"
scheduler = "wrr"
destinations = [{ address = "10.0.0.1:8000", weight = 1 }]
[[services]]
name = "simple"
address = "tcp://192.0.2.14:8000"
scheduler = "wrr"
destinations = [{ address = "10.0.0.1:8000", weight = 1 }]
[[services]]
name = "secure"
address = "tcp://192.0.2.15:443"
scheduler = "wrr"
destinations = [{ address = "10.0.0.1:443", weight = 1 }]
"#,
    );
}

#[test]
fn checks_are_those_of_ldirectord() {
    let result = run(&EVERYTHING.replace("real=server:8080", "real=10.0.0.9:8080"));
    let web = result.policy("tcp://192.0.2.10:80");
    assert_eq!((web.on_down, web.initial), (OnDown::Delete, Initial::Live));
    assert_eq!(web.fallback.unwrap().0.to_string(), "10.0.0.99:80");
    let check = |service: &str, destination: &str| {
        let checks = result.checks(service, destination);
        let [one] = &checks[..] else { panic!("{service}: {checks:?}") };
        one.clone()
    };
    let first = check("tcp://192.0.2.10:80", "10.0.0.1:8080");
    let Probe::Http(Http { method, path, host, body, tls: None, .. }) = &first.probe else { panic!("{first:?}") };
    // To HEAD no page comes back.
    assert_eq!(
        (method.as_str(), path.as_str(), host.as_deref(), body),
        ("HEAD", "/index.html", Some("www.example.com"), &None)
    );
    let timing = &first.timing;
    let seconds = Duration::from_secs;
    assert_eq!((timing.interval, timing.timeout, timing.fall, timing.rise), (seconds(9), seconds(5), 2, 1));
    let own = check("tcp://192.0.2.10:80", "10.0.0.9:8080");
    assert!(matches!(&own.probe, Probe::Http(http) if http.path == "/alive.html"), "{own:?}");
    assert_eq!(check("tcp://192.0.2.10:80", "10.0.0.3:80").port, Some(81), "where ldirectord checks it");
    let dns = check("udp://192.0.2.10:53", "10.0.0.1:53");
    assert!(
        matches!(&dns.probe, Probe::Dns(dns) if dns.answer.as_deref() == Some("192.0.2.7") && dns.name == "www.example.com"),
        "{dns:?}"
    );
    let mail = check("tcp://[2001:db8::10]:25", "[2001:db8:1::1]:25");
    assert_eq!(mail.probe, Probe::Tcp { send: None, expect: Some(Match::Regex("^220".to_owned())) });
    let external = check("fwmark:7", "10.0.0.1:0");
    let argv = ["/usr/local/bin/check", "7", "0", "10.0.0.1", "0"].map(str::to_owned).to_vec();
    assert_eq!((external.probe, external.timing.timeout), (Probe::Exec { argv }, seconds(3)));
    let connect = check("fwmark6:8", "[2001:db8:1::1]:80");
    assert_eq!((connect.probe, connect.port), (Probe::Tcp { send: None, expect: None }, Some(8000)));
    assert!(result.checks("tcp://192.0.2.11:8000", "10.0.0.1:8000").is_empty());
    assert!(matches!(check("tcp://192.0.2.13:8000", "10.0.0.1:8000").probe, Probe::Exec { .. }));
    let simple = check("tcp://192.0.2.14:8000", "10.0.0.1:8000");
    let expect = Some(Match::Regex("^PONG".to_owned()));
    assert_eq!(simple.probe, Probe::Tcp { send: Some(b"PING\n".to_vec()), expect });
    let secure = check("tcp://192.0.2.15:443", "10.0.0.1:443");
    assert_eq!((secure.address, secure.port), (Some("10.0.0.9".parse().unwrap()), Some(444)));
    assert!(
        matches!(&secure.probe, Probe::Http(http) if http.path == "/x" && http.tls.as_ref().unwrap().insecure),
        "{secure:?}"
    );
    let fallback = result.policy("tcp://192.0.2.14:8000").fallback.unwrap();
    assert_eq!((fallback.0.to_string().as_str(), fallback.1.forward.name()), ("127.0.0.1:8000", "dr"));
}

#[test]
fn what_has_no_equivalent_is_said() {
    let result = run(EVERYTHING);
    for words in [
        "fallbackcommand: ",
        "autoreload: ",
        "callback: ",
        "logfile: ",
        "emailalert: ",
        "emailalertfreq: ",
        "emailalertstatus: ",
        "emailalertfrom: ",
        "smtp: ",
        "execute: ",
        "supervised: ",
        "readdquiescent: ",
        "cleanstop: ",
        "maintenancedir: ",
        "checkcount is of pings",
        "monitorfile: ",
        "ipvsd does not speak smtp",
        "take turns",
        "checktype = off",
        "no ping of its own",
        "login: ",
        "receive is left out: to HEAD no page comes back",
    ] {
        // Some of these are said by a setting that is taken.
        let quiet = ["supervised: "].contains(&words);
        assert!(quiet || result.said().iter().any(|said| said.contains(words)), "{words}: {:#?}", result.said());
    }
    assert!(result.text.contains("# the shop"), "{}", result.text);
}

#[test]
fn what_is_not_understood_is_said_with_its_line() {
    for (text, words) in [
        ("frob=1", "unknown setting `frob`"),
        ("frob", "this is no setting"),
        ("checkinterval=soon", "`soon` is no number"),
        ("quiescent=maybe", "yes or no"),
        ("fallback=nobody", "is no fallback"),
        ("    real=10.0.0.1 gate", "belongs to no virtual service"),
        ("virtual=192.0.2.10", "no virtual service"),
        ("virtual=nobody:80", "is not known here"),
        ("virtual=192.0.2.10:nothing", "is not known here"),
        ("virtual=[2001:db8::1]:80", "is not known here"),
        ("virtual=0", "0 is no firewall mark"),
        ("virtual=192.0.2.10:80\n\tfrob=1", "unknown setting `frob` of a virtual service"),
        ("virtual=192.0.2.10:80\n\treal=10.0.0.1", "says how it is forwarded"),
        ("virtual=192.0.2.10:80\n\treal=10.0.0.1 nat", "none of gate, masq and ipip"),
        ("virtual=192.0.2.10:80\n\treal=10.0.0.9->10.0.0.1 masq", "ends before it begins"),
        ("virtual=192.0.2.10:80\n\treal=10.0.0.1 masq 1 \"a", "a quote is not closed"),
        ("virtual=192.0.2.10:80\n\treal=10.0.0.1 masq 1 often", "`often` is not understood"),
        ("virtual=192.0.2.10:80\n\treal6=[2001:db8::1] masq", "of the other family"),
        ("virtual=192.0.2.10:80\n\tchecktype=sometimes", "unknown checktype"),
        ("virtual=192.0.2.10:80\n\tservice=gopher", "unknown service"),
        ("virtual=192.0.2.10:80\n\tnetmask=24", "no netmask"),
        ("virtual=192.0.2.10:80\n\tprotocol=icmp", "no protocol"),
        ("virtual=192.0.2.10:80\n\treal=10.0.0.1:80 masq\n\treceive=\"(\"", "not a regular expression"),
    ] {
        let result = run(&format!("\n{text}\n"));
        let said = result.said();
        assert!(said.iter().any(|said| said.contains("error") && said.contains(words)), "{text}: {said:#?}");
        assert!(said.iter().all(|said| !said.starts_with("1 ")), "{said:#?}");
    }
}

#[test]
fn layout_makes_no_difference() {
    let plain = run("virtual=192.0.2.10:80\n    real=10.0.0.1:80 masq 2\n    scheduler=rr\n");
    for text in [
        "virtual = 192.0.2.10:80 # the web\n\treal = 10.0.0.1:80\tmasq  2 # first\n# a comment\n\n  scheduler = rr",
        "\u{feff}virtual=192.0.2.10:80\r\n\treal=10.0.0.1:http masq 2\r\n\tscheduler=rr\r\n",
    ] {
        let result = run(text);
        result.is_understood();
        assert_eq!(result.desired.table, plain.desired.table, "{text}");
    }
}
