use std::time::Duration;

use super::*;
use crate::model::{Http, Initial, Match, OnDown, Probe, Share};

fn run(text: &str) -> Outcome {
    import_text(Language::Keepalived, text)
}

/// Every word about IPVS once.
pub(super) const EVERYTHING: &str = r#"
! Configuration File for keepalived
global_defs {
    router_id lb1            # who we are
    notification_email { ops@example.com }
    smtp_server 192.0.2.25
    lvs_timeouts tcp 7200 tcpfin 30 udp 300
    lvs_sync_daemon eth1 inst VI_1 id 7 maxlen 1400 port 9000 ttl 2 group 224.0.0.82
    lvs_flush
    script_user nobody
}
SSL { ca /etc/ca.pem }
vrrp_instance VI_1 {
    state MASTER
    virtual_ipaddress { 192.0.2.10/24 dev eth0 }
}
virtual_server_group MAIL {
    192.0.2.20 25
    192.0.2.21-22 25
    192.0.2.32/31 2500
    fwmark 9
}
virtual_server 192.0.2.10 80 {
    delay_loop 10
    lvs_sched mh
    mh-port
    mh-fallback
    lvs_method NAT
    persistence_timeout 600
    persistence_granularity 255.255.255.0
    protocol TCP
    alpha
    omega
    ha_suspend
    quorum 2
    hysteresis 1
    quorum_up "/usr/bin/up now"
    quorum_down /usr/bin/down
    virtualhost www.example.com
    connect_timeout 2.5
    retry 3
    delay_before_retry 4
    warmup 1
    smtp_alert
    snmp_name web
    sorry_server 10.0.0.99 8080
    inhibit_on_failure
    real_server 10.0.0.1 8080 {
        weight 100
        uthreshold 1000
        lthreshold 800
        notify_up /bin/up
        notify_down "/bin/down 1"
        HTTP_GET {
            url {
                path /healthz?x=1
                digest 640205b7b0fc66c1ea91c463fac6334d
                status_code 200 204-206
            }
            url {
                path /
                virtualhost other.example.com
                regex "^O\\.K"
                regex_options caseless
            }
            connect_port 8081
            connect_timeout 3
        }
    }
    real_server 10.0.0.2 8080 {
        weight 50
        lvs_method TUN type gue port 6080 csum
        SSL_GET { enable_sni
            url { path /s } }
    }
    real_server 10.0.0.3 {
        weight 100
        TCP_CHECK { connect_ip 10.9.9.9
                    connect_port 99 }
        MISC_CHECK {
            misc_path "/usr/lib/check 'one two' 3"
            misc_timeout 5
            misc_dynamic
        }
    }
}
virtual_server group MAIL {
    lb_algo wrr
    lb_kind DR
    protocol TCP
    real_server 10.0.0.31 25 { SMTP_CHECK { } }
    real_server 10.0.0.32 25 { PING_CHECK { } FILE_CHECK { track_file F } }
}
virtual_server fwmark 7 {
    lb_algo rr
    lb_kind TUN
    persistence_timeout
    real_server 10.0.0.41 { weight 0
      inhibit_on_failure }
}
virtual_server 2001:db8::10 53 {
    lb_algo ovf
    ops
    real_server 2001:db8:1::1 53 { DNS_CHECK { type aaaa
       name example.com } }
    real_server 2001:db8:1::2 53 {
       UDP_CHECK { payload 00 01ff
          require_reply 0XF0XX
          min_reply_length 2 } }
}
"#;

#[test]
fn everything_becomes_a_table() {
    let result = run(EVERYTHING);
    result.is_understood();
    result.is_table_of(
        r#"
[[services]]
name = "web"
address = "tcp://192.0.2.10:80"
scheduler = "mh"
scheduler_flags = ["mh-port", "mh-fallback"]
persistence = { timeout = "600s", netmask = 24 }
destinations = [
  { address = "10.0.0.1:8080", weight = 100, max_connections = 1000, min_connections = 800 },
  { address = "10.0.0.2:80", weight = 50, forward = "tunnel", tunnel = { type = "gue", port = 6080, checksum = true } },
  { address = "10.0.0.3:80", weight = 100 },
]
[[services]]
name = "MAIL"
address = [
  "tcp://192.0.2.20:25", "tcp://192.0.2.21:25", "tcp://192.0.2.22:25", "tcp://192.0.2.32:2500", "tcp://192.0.2.33:2500",
]
scheduler = "wrr"
destinations = [
  { address = "10.0.0.31", weight = 1, forward = "dr" },
  { address = "10.0.0.32", weight = 1, forward = "dr" },
]
[[services]]
name = "m9"
address = "fwmark:9"
scheduler = "wrr"
destinations = [
  { address = "10.0.0.31", weight = 1, forward = "dr" },
  { address = "10.0.0.32", weight = 1, forward = "dr" },
]
[[services]]
name = "m7"
address = "fwmark:7"
scheduler = "rr"
persistence = { timeout = "360s" }
destinations = [{ address = "10.0.0.41", weight = 0, forward = "tunnel" }]
[[services]]
name = "dns"
address = "udp://[2001:db8::10]:53"
scheduler = "ovf"
one_packet = true
destinations = [{ address = "2001:db8:1::1", weight = 1 }, { address = "2001:db8:1::2", weight = 1 }]
"#,
    );
    assert!(result.text.contains("tcp = \"7200s\"\ntcp_fin = \"30s\"\nudp = \"300s\""), "{}", result.text);
    assert!(result.text.contains(
        "master = { interface = \"eth1\", id = 7, group = \"224.0.0.82\", port = 9000, ttl = 2, sync_maxlen = 1400 }"
    ));
}

#[test]
fn health_does_what_keepalived_does() {
    let result = run(EVERYTHING);
    let web = result.policy("tcp://192.0.2.10:80");
    assert_eq!((web.on_down, web.initial), (OnDown::Quiesce, Initial::Down));
    // A quorum of 2 is reached by one server of weight 100.
    assert_eq!(web.min_healthy, Some(Share::Count(1)));
    let (fallback, settings) = web.fallback.unwrap();
    assert_eq!((fallback.to_string().as_str(), settings.weight), ("10.0.0.99:8080", 1));
    let mail = result.policy("tcp://192.0.2.20:25");
    assert_eq!((mail.on_down, mail.initial, mail.min_healthy), (OnDown::Delete, Initial::Up, None));

    let checks = result.checks("tcp://192.0.2.10:80", "10.0.0.1:8080");
    let [first, second] = &checks[..] else { panic!("{checks:?}") };
    let timing = &first.timing;
    assert_eq!((timing.interval, timing.timeout), (Duration::from_secs(10), Duration::from_secs(3)));
    assert_eq!((timing.fall, timing.rise, timing.fast_interval), (4, 1, Some(Duration::from_secs(4))));
    assert_eq!(first.port, Some(8081));
    let Probe::Http(Http { path, host, status, tls: None, body: None, .. }) = &first.probe else { panic!("{first:?}") };
    assert_eq!(
        (path.as_str(), host.as_deref(), status.to_string().as_str()),
        ("/healthz?x=1", Some("www.example.com"), "200,204-206")
    );
    let Probe::Http(Http { host, body, .. }) = &second.probe else { panic!("{second:?}") };
    assert_eq!(host.as_deref(), Some("other.example.com"));
    assert_eq!(*body, Some(Match::Regex("(?i)^O\\.K".to_owned())));

    let secure = result.checks("tcp://192.0.2.10:80", "10.0.0.2:80");
    assert!(matches!(&secure[0].probe, Probe::Http(Http { tls: Some(tls), .. }) if tls.insecure), "{secure:?}");
    assert_eq!(secure[0].port, Some(8080), "where keepalived checks it");
    let others = result.checks("tcp://192.0.2.10:80", "10.0.0.3:80");
    let [tcp, exec] = &others[..] else { panic!("{others:?}") };
    assert_eq!((tcp.address, tcp.port), (Some("10.9.9.9".parse().unwrap()), Some(99)));
    let argv = ["/usr/lib/check", "one two", "3"].map(str::to_owned).to_vec();
    assert_eq!(exec.probe, Probe::Exec { argv });
    assert_eq!((exec.timing.timeout, exec.timing.fall), (Duration::from_secs(5), 4));

    let dns = result.checks("udp://[2001:db8::10]:53", "[2001:db8:1::1]:53");
    assert!(matches!(&dns[0].probe, Probe::Dns(dns) if dns.name == "example.com"), "{dns:?}");
    assert_eq!((dns[0].timing.fall, dns[0].timing.interval), (4, Duration::from_secs(60)));
    let udp = result.checks("udp://[2001:db8::10]:53", "[2001:db8:1::2]:53");
    let Probe::Udp { send, expect, silence_is_up } = &udp[0].probe else { panic!("{udp:?}") };
    assert_eq!((send.as_slice(), *silence_is_up), ([0, 1, 0xff].as_slice(), false));
    let Some(Match::Regex(expression)) = expect else { panic!("{expect:?}") };
    let expression = regex::bytes::Regex::new(expression).unwrap();
    assert!(expression.is_match(b"\x05\xf0\n") && expression.is_match(b"\x0f\xf0\x00more"));
    assert!(!expression.is_match(b"\x15\xf0\n") && !expression.is_match(b"\n\x05\xf0\n"));

    let greeting = result.checks("tcp://192.0.2.20:25", "10.0.0.31:25");
    assert!(matches!(&greeting[0].probe, Probe::Tcp { send: None, expect: Some(_) }), "{greeting:?}");
    let ping = result.checks("tcp://192.0.2.20:25", "10.0.0.32:25");
    assert!(
        matches!(&ping[..], [one] if matches!(&one.probe, Probe::Exec { argv } if argv.last().unwrap() == "10.0.0.32")),
        "{ping:?}"
    );
}

#[test]
fn what_has_no_equivalent_is_said() {
    let result = run(EVERYTHING);
    for words in [
        "router_id: it is about keepalived itself",
        "smtp_server: ipvsd sends no mail",
        "follows the VRRP instance VI_1",
        "lvs_flush: ipvsd never flushes",
        "SSL: keepalived loads these files",
        "vrrp_instance is not about IPVS",
        "omega: ",
        "ha_suspend: ",
        "hysteresis: ",
        "quorum_up: ",
        "warmup: ",
        "smtp_alert: ",
        "a quorum of 2 counts weights",
        "notify_up: ",
        "digest: ipvsd does not compare",
        "misc_dynamic: ipvsd does not take weights",
        "SMTP_CHECK: ",
        "PING_CHECK: ",
        "FILE_CHECK: ",
        "min_reply_length: ",
        "no protocol is written: keepalived takes UDP",
    ] {
        assert!(result.said().iter().any(|said| said.contains(words)), "{words}: {:#?}", result.said());
    }
    for words in ["# it:", "digest", "min_reply_length", "misc_dynamic", "VI_1", "# keepalived deletes servers"] {
        assert!(result.text.contains(words), "{words}\n{}", result.text);
    }
}

const SERVER: &str = "real_server 10.0.0.1 80 { TCP_CHECK { } }";

#[test]
fn what_is_not_understood_is_said_with_its_line() {
    for (text, words) in [
        ("virtual_servr 192.0.2.10 80 { }", "unknown word `virtual_servr` at the top"),
        ("global_defs { lvs_frob }", "unknown word `lvs_frob` of global_defs"),
        ("virtual_server 192.0.2.10 80 { frob 1\n real_server 10.0.0.1 80 { } }", "unknown word `frob`"),
        ("virtual_server 192.0.2.10 80 { real_server 10.0.0.1 80 { frob } }", "unknown word `frob` of a real server"),
        (
            "virtual_server 192.0.2.10 80 { real_server 10.0.0.1 80 { TCP_CHECK { frob } } }",
            "unknown word `frob` of TCP_CHECK",
        ),
        (
            "virtual_server 192.0.2.10 80 { real_server 10.0.0.1 80 { HTTP_GET { url { frob } } } }",
            "unknown word `frob` of a url",
        ),
        ("virtual_server web 80 { }", "no address of a virtual server"),
        ("virtual_server group NONE { }", "there is no group NONE"),
        ("virtual_server_group G { 192.0.2.9-3 80 }", "ends before it begins"),
        ("virtual_server_group G { 192.0.2.0/31 80 } virtual_server_group G { fwmark 3 }", "written twice"),
        ("virtual_server 192.0.2.10 80 { real_server here 80 { } }", "no address of a real_server"),
        (
            "virtual_server 192.0.2.10 80 { lb_algo fastest\n real_server 10.0.0.1 80 { } }",
            "unknown scheduler `fastest`",
        ),
        (
            "virtual_server 192.0.2.10 80 { delay_loop soon\n real_server 10.0.0.1 80 { } }",
            "`soon` is not a number of seconds",
        ),
        ("virtual_server 192.0.2.10 80 { lb_kind BRIDGE\n real_server 10.0.0.1 80 { } }", "no way to forward"),
        ("virtual_server 192.0.2.10 80 { sh-port\n real_server 10.0.0.1 80 { } }", "sh-port has no effect here"),
        (
            "virtual_server 192.0.2.10 80 { real_server 10.0.0.1 80 { MISC_CHECK { misc_path check.sh } } }",
            "absolute path",
        ),
        ("virtual_server 192.0.2.10 80 { real_server 10.0.0.1 80 { HTTP_GET { } } }", "has no url with a path"),
        ("virtual_server 192.0.2.10 80 { real_server 10.0.0.1 80 { weight many } }", "`many` is not a number"),
        ("virtual_server 192.0.2.10 80 { real_server 2001:db8::1 80 { } }", "another address family"),
        ("virtual_server 192.0.2.10 80 {", "has no end"),
        ("}", "without its `{`"),
        ("virtual_server 192.0.2.10 $PORT { }", "`$PORT` is not defined"),
        ("include secret", "cannot be read"),
    ] {
        let result = run(&format!("\n{text}\n"));
        let said = result.said();
        let found = |said: &String| said.starts_with("2 error") && said.contains(words);
        assert!(said.iter().any(found), "{text}: {said:#?}");
    }
}

#[test]
fn an_expression_of_another_language_leaves_the_rest_of_its_check() {
    let result = run(
        "virtual_server 192.0.2.10 80 { protocol TCP\n real_server 10.0.0.1 80 { HTTP_GET { url { path /\n regex (?=x)y } } } }",
    );
    result.says(2, "not a regular expression");
    let checks = result.checks("tcp://192.0.2.10:80", "10.0.0.1:80");
    assert!(matches!(&checks[0].probe, Probe::Http(Http { body: None, .. })), "{checks:?}");
}

/// Everything that keepalived repairs when it has read the file.
#[test]
fn repairs_are_keepaliveds() {
    let result = run(&format!(
        "virtual_server 192.0.2.10 {{ protocol TCP\n lb_kind DR\n real_server 10.0.0.1 8080 {{ TCP_CHECK {{ }} }} }}
virtual_server fwmark 3 {{ lb_kind DR\n protocol TCP\n ops\n real_server 10.0.0.1 80 {{ TCP_CHECK {{ }} }} }}
virtual_server 192.0.2.11 80 {{ protocol TCP\n ops\n {SERVER}\n {SERVER} }}
virtual_server 192.0.2.12 80 {{ protocol TCP }}"
    ));
    result.is_table_of(
        r#"
[[services]]
name = "a"
address = "tcp://192.0.2.10:0"
persistence = { timeout = "360s" }
destinations = [{ address = "10.0.0.1:0", weight = 1, forward = "dr" }]
[[services]]
name = "b"
address = "fwmark:3"
one_packet = true
destinations = [{ address = "10.0.0.1:0", weight = 1, forward = "dr" }]
[[services]]
name = "c"
address = "tcp://192.0.2.11:80"
destinations = [{ address = "10.0.0.1:80", weight = 1 }]
"#,
    );
    assert_eq!(result.checks("tcp://192.0.2.10:0", "10.0.0.1:0")[0].port, Some(8080), "where it is checked");
    assert_eq!(result.checks("fwmark:3", "10.0.0.1:0")[0].port, Some(80));
    result.says(11, "written twice");
    result.says(12, "without real servers is left out");
}

/// Half a file, as it is while somebody writes it: no service comes of that, and the check has no name to go by.
#[test]
fn checks_have_names_that_can_be_read_back() {
    for (checker, name) in [("PING_CHECK { }", "ping"), ("TCP_CHECK { connect_timeout 7 }", "check-tcp")] {
        let outcome = run(&format!(
            "virtual_server 2001:db8::10 53 {{\n persistence_granularity 255.255.255.0\n real_server 10.0.0.1 80 {{ {checker} }}\n}}\n"
        ));
        assert!(outcome.text.contains(&format!("[checks.\"{name}\"]")), "{}", outcome.text);
    }
}
