use super::*;

fn run(text: &str) -> Outcome {
    import_text(Language::Ipvsctl, text)
}

/// What its documentation shows.
#[test]
fn a_model_becomes_a_table() {
    let result = run(r#"
defaults:
    port: 8008
    weight: 100
    sched: wrr
    forward: nat
services:
    - address: tcp://10.0.0.1:8080
      sched: wlc
      destinations:
      - address: 192.168.10.10:80
        forward: nat
        weight: 300
      - address: 192.168.10.11
        forward: direct
      - address: 192.168.10.12:8080
        forward: tunnel
        weight: 0
    - address: udp://${env.VIP}
    - address: fwmark:7
      destinations: []
"#);
    // Without masquerading the port is the service's.
    result.says(14, "dr leaves the port alone");
    result.is_table_of(
        r#"
[[services]]
name = "a"
address = "tcp://10.0.0.1:8080"
scheduler = "wlc"
destinations = [
  { address = "192.168.10.10:80", weight = 300 },
  { address = "192.168.10.12:8080", weight = 100, forward = "tunnel" },
]
[[services]]
name = "b"
address = "udp://192.0.2.10:8008"
scheduler = "wrr"
[[services]]
name = "c"
address = "fwmark:7"
scheduler = "wrr"
"#,
    );
}

#[test]
fn without_defaults_they_are_as_documented() {
    let result = run("services:\n- address: sctp://10.0.0.1:8080\n  destinations:\n  - address: 192.168.10.10\n");
    result.says(4, "no weight is written, so it is 0");
    result.is_understood();
    result.is_table_of(
        "[[services]]\nname = \"a\"\naddress = \"sctp://10.0.0.1:8080\"\nscheduler = \"rr\"\n\
         destinations = [{ address = \"192.168.10.10:8080\", weight = 0, forward = \"dr\" }]\n",
    );
}

#[test]
fn what_is_not_understood_is_said_with_its_line() {
    for (text, line, words) in [
        ("services: [", 1, "not valid YAML"),
        ("service: []", 1, "unknown key `service`"),
        ("services: 7", 1, "services is a list"),
        ("services:\n- sched: rr", 2, "has no address"),
        ("services:\n- address: 10.0.0.1:80", 2, "no address of a service"),
        ("services:\n- address: tcp://${host.eth0}:80", 2, "the parameter host.eth0 is not known"),
        ("services:\n- address: tcp://10.0.0.1:80\n  frob: 1", 3, "unknown key `frob`"),
        (
            "services:\n- address: tcp://10.0.0.1:80\n  destinations:\n  - address: 10.0.0.2:x",
            4,
            "no address of a destination",
        ),
        (
            "services:\n- address: tcp://10.0.0.1:80\n  destinations:\n  - address: 10.0.0.2\n    forward: bridge",
            5,
            "no way to forward",
        ),
        ("defaults:\n  weight: much", 2, "a weight is a number"),
    ] {
        run(text).says(line, words);
    }
}
