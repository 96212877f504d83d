//! Every row of GORB's table of errors, and that nothing has changed by any of them.

use super::Shared;
use crate::world::NOTHING;

/// What is asked, and the answer.
type Row = (&'static str, &'static str, &'static str, u16, &'static str);

const ROWS: &[Row] = &[
    // Services, in the order in which GORB looks.
    ("PUT", "/service/x", r#"{}"#, 400, "endpoint information is missing"),
    ("PUT", "/service/x", r#"{"host":"192.0.2.7","port":0}"#, 400, "endpoint information is missing"),
    ("PUT", "/service/x", r#"{"host":"192.0.2.7","port":null}"#, 400, "endpoint information is missing"),
    ("PUT", "/service/x", r#"{"host":"192.0.2.7","port":1,"protocol":"icmp"}"#, 400, "specified protocol is unknown"),
    ("PUT", "/service/x", r#"{"port":1,"protocol":"icmp","flags":"none"}"#, 400, "specified protocol is unknown"),
    ("PUT", "/service/x", r#"{"host":"192.0.2.7","port":1,"flags":"none"}"#, 400, "specified flag is unknown"),
    ("PUT", "/service/x", r#"{"host":"192.0.2.7","port":1,"flags":"sh-port|"}"#, 400, "specified flag is unknown"),
    ("PUT", "/service/x", "", 400, "EOF"),
    ("PUT", "/service/x", "  \n", 400, "EOF"),
    ("PUT", "/service/x", "junk", 400, "invalid character 'j' looking for beginning of value"),
    ("PUT", "/service/x", r#"{"port":"#, 400, "unexpected EOF"),
    (
        "PUT",
        "/service/x",
        r#"{"port":70000}"#,
        400,
        "json: cannot unmarshal number 70000 into Go struct field ServiceOptions.port of type uint16",
    ),
    (
        "PUT",
        "/service/x",
        r#"{"port":-1}"#,
        400,
        "json: cannot unmarshal number -1 into Go struct field ServiceOptions.port of type uint16",
    ),
    (
        "PUT",
        "/service/x",
        r#"{"port":"80"}"#,
        400,
        "json: cannot unmarshal string into Go struct field ServiceOptions.port of type uint16",
    ),
    (
        "PUT",
        "/service/x",
        r#"{"host":7,"port":80}"#,
        400,
        "json: cannot unmarshal number into Go struct field ServiceOptions.host of type string",
    ),
    (
        "PUT",
        "/service/x",
        r#"{"port":80,"persistent":"yes"}"#,
        400,
        "json: cannot unmarshal string into Go struct field ServiceOptions.persistent of type bool",
    ),
    ("PUT", "/service/x", "[]", 400, "json: cannot unmarshal array into Go value of type core.ServiceOptions"),
    ("PUT", "/service/x", "7", 400, "json: cannot unmarshal number into Go value of type core.ServiceOptions"),
    (
        "PUT",
        "/service/x",
        r#"{"PORT":80.5}"#,
        400,
        "json: cannot unmarshal number 80.5 into Go struct field ServiceOptions.port of type uint16",
    ),
    (
        "PUT",
        "/service/x",
        r#"{"port":80,"persistent":1}"#,
        400,
        "json: cannot unmarshal number into Go struct field ServiceOptions.persistent of type bool",
    ),
    (
        "PUT",
        "/service/x",
        r#"{"host":"no.such.host.invalid","port":80}"#,
        400,
        "lookup no.such.host.invalid: no such host",
    ),
    ("PUT", "/service/web", r#"{"port":81}"#, 409, "specified object already exists"),
    ("PUT", "/service/web", r#"{"port":80,"method":"rr"}"#, 409, "specified object already exists"),
    ("GET", "/service/x", "", 404, "unable to locate specified object"),
    ("DELETE", "/service/x", "", 404, "unable to locate specified object"),
    ("PATCH", "/service/x", r#"{"method":"rr"}"#, 404, "unable to locate specified object"),
    ("PATCH", "/service/web", r#"{}"#, 400, "there is nothing to change: method, flags or persistent"),
    (
        "PATCH",
        "/service/web",
        r#"{"port":81,"method":"rr"}"#,
        400,
        "host, port and protocol of a service cannot be changed: delete it, and put it anew",
    ),
    // Backends.
    ("PUT", "/service/web/x", r#"{}"#, 400, "endpoint information is missing"),
    ("PUT", "/service/web/x", r#"{"host":"","port":80}"#, 400, "endpoint information is missing"),
    ("PUT", "/service/web/x", r#"{"host":"10.0.0.9"}"#, 400, "endpoint information is missing"),
    ("PUT", "/service/web/x", "null", 400, "endpoint information is missing"),
    (
        "PUT",
        "/service/web/x",
        r#"{"host":"10.0.0.9","port":80,"method":"x"}"#,
        400,
        "specified forwarding method is unknown",
    ),
    (
        "PUT",
        "/service/web/x",
        r#"{"host":"10.0.0.9","port":80,"pulse":{"type":"x"}}"#,
        400,
        "specified pulse type is unknown",
    ),
    (
        "PUT",
        "/service/web/x",
        r#"{"host":"10.0.0.9","port":80,"pulse":{"interval":"1m30s"}}"#,
        400,
        "invalid interval format",
    ),
    (
        "PUT",
        "/service/web/x",
        r#"{"host":"10.0.0.9","port":80,"pulse":{"interval":"5"}}"#,
        400,
        "invalid interval format",
    ),
    (
        "PUT",
        "/service/web/x",
        r#"{"host":"10.0.0.9","port":80,"pulse":{"interval":"5 s"}}"#,
        400,
        "invalid interval format",
    ),
    (
        "PUT",
        "/service/web/x",
        r#"{"host":"10.0.0.9","port":80,"pulse":{"interval":"-5s"}}"#,
        400,
        "pulse interval must be positive",
    ),
    (
        "PUT",
        "/service/web/x",
        r#"{"host":"10.0.0.9","port":80,"pulse":{"interval":"0s"}}"#,
        400,
        "pulse interval must be positive",
    ),
    ("PUT", "/service/web/x", r#"{"host":"2001:db8::9","port":80}"#, 400, "incompatible address families"),
    ("PUT", "/service/six/x", r#"{"host":"10.0.0.9","port":80}"#, 400, "incompatible address families"),
    ("PUT", "/service/web/r1", r#"{"host":"10.0.0.1","port":81}"#, 409, "specified object already exists"),
    ("PUT", "/service/web/r1", r#"{"host":"10.0.0.1","port":80,"weight":7}"#, 409, "specified object already exists"),
    (
        "PUT",
        "/service/web/r2",
        r#"{"host":"10.0.0.1","port":80}"#,
        409,
        "specified object already exists: the backend `r1` is at 10.0.0.1:80",
    ),
    ("PUT", "/service/x/r9", r#"{"host":"10.0.0.9","port":80}"#, 404, "unable to locate specified object"),
    (
        "PUT",
        "/service/web/x",
        r#"{"host":"10.0.0.9","port":80,"weight":3000000000}"#,
        400,
        "json: cannot unmarshal number 3000000000 into Go struct field BackendOptions.weight of type int32",
    ),
    (
        "PUT",
        "/service/web/x",
        r#"{"host":"10.0.0.9","port":80,"weight":"5"}"#,
        400,
        "json: cannot unmarshal string into Go struct field BackendOptions.weight of type int32",
    ),
    (
        "PUT",
        "/service/web/x",
        r#"{"host":"10.0.0.9","port":80,"pulse":"tcp"}"#,
        400,
        "json: cannot unmarshal string into Go struct field BackendOptions.pulse of type pulse.Options",
    ),
    (
        "PUT",
        "/service/web/x",
        r#"{"host":"10.0.0.9","port":80,"pulse":{"interval":5}}"#,
        400,
        "json: cannot unmarshal number into Go struct field Options.pulse.interval of type string",
    ),
    (
        "PUT",
        "/service/web/x",
        r#"{"host":"10.0.0.9","port":80,"pulse":{"args":"x"}}"#,
        400,
        "json: cannot unmarshal string into Go struct field Options.pulse.args of type util.DynamicMap",
    ),
    ("PUT", "/service/web/x", "[]", 400, "json: cannot unmarshal array into Go value of type core.BackendOptions"),
    ("PUT", "/service/web/x", "", 400, "EOF"),
    ("PUT", "/service/web/x", r#"{"host":"10.0.0.9","#, 400, "unexpected EOF"),
    ("PUT", "/service/web/x", r#"{"host":"10.0.0.9","port":80,"weight":65536}"#, 400, "weight is 0 to 65535"),
    ("PUT", "/service/web/x", r#"{"host":"a.invalid","port":80}"#, 400, "lookup a.invalid: no such host"),
    ("GET", "/service/web/x", "", 404, "unable to locate specified object"),
    ("PATCH", "/service/web/x", r#"{"weight":1}"#, 404, "unable to locate specified object"),
    ("PATCH", "/service/web/r1", r#"{"method":"dr"}"#, 400, "weight is missing"),
    ("PATCH", "/service/web/r1", r#"{"weight":null}"#, 400, "weight is missing"),
    ("PATCH", "/service/web/r1", r#"{"weight":-1}"#, 400, "weight is 0 to 65535"),
    ("PATCH", "/service/web/r1", r#"{"weight":65536}"#, 400, "weight is 0 to 65535"),
    (
        "PATCH",
        "/service/web/r1",
        r#"{"weight":1.5}"#,
        400,
        "json: cannot unmarshal number 1.5 into Go struct field BackendOptions.weight of type int32",
    ),
    ("PATCH", "/service/web/r1", "", 400, "EOF"),
    ("PATCH", "/service/web/r1", "[]", 400, "json: cannot unmarshal array into Go value of type core.BackendOptions"),
    ("PATCH", "/service/web", r#"{"method":""}"#, 400, "there is nothing to change: method, flags or persistent"),
    ("PATCH", "/service/web", r#"{"flags":"none"}"#, 400, "specified flag is unknown"),
    ("PATCH", "/service/web", "", 400, "EOF"),
    ("DELETE", "/service/x/r9", "", 404, "unable to locate specified object"),
    ("DELETE", "/service/web/x", "", 404, "unable to locate specified object"),
];

#[test]
fn every_error_has_its_words_and_changes_nothing() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    world.done("PUT", "/service/web", r#"{"host":"","port":80}"#);
    world.done("PUT", "/service/web/r1", r#"{"host":"10.0.0.1","port":80}"#);
    world.done("PUT", "/service/six", r#"{"host":"2001:db8::1","port":80}"#);
    let (table, kept) = (kernel.table(), world.kept());
    assert_eq!(kept, ["six.toml", "web.toml"]);
    let mut wrong = Vec::new();
    for (method, path, body, status, error) in ROWS {
        let got = world.refused(method, path, body);
        if got != (*status, (*error).to_owned()) {
            wrong.push(format!("{method} {path} {body}\n  want {status} {error}\n  got  {} {}", got.0, got.1));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((kernel.table(), world.kept()), (table, kept));
}

#[test]
fn wrong_methods_and_paths_are_answered_as_there() {
    let world = Shared::default().world(NOTHING);
    for (method, path) in [("POST", "/service"), ("PUT", "/service"), ("POST", "/service/a"), ("POST", "/service/a/b")]
    {
        let answer = world.ask(method, path, "");
        assert_eq!((answer.status, answer.body.as_str()), (405, ""), "{method} {path}");
    }
    let answer = world.ask("GET", "/service/", "");
    assert_eq!((answer.status, answer.body.as_str()), (404, "404 page not found\n"));
}

#[test]
fn what_the_kernel_refuses_is_taken_back_and_says_why() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    let (status, error) = world.refused("PUT", "/service/x", r#"{"port":80,"method":"nosuch"}"#);
    assert_eq!(status, 500);
    assert!(error.starts_with("error while calling into IPVS: "), "{error}");
    assert!(error.contains("nosuch") && error.ends_with("; it is taken back"), "{error}");
    assert_eq!((world.kept(), kernel.table()), (vec![], vec![]));
    assert_eq!(world.refused("GET", "/service/x", "").0, 404);
    // And it can be put rightly at once.
    world.done("PUT", "/service/x", r#"{"port":80}"#);

    kernel.0.lock().unwrap().refuse(
        "tcp://192.0.2.1:80".parse().unwrap(),
        Some("10.0.0.9:80".parse().unwrap()),
        ipvsd::ipvs::Errno::INVAL,
    );
    let (status, error) = world.refused("PUT", "/service/x/r", r#"{"host":"10.0.0.9","port":80}"#);
    assert!(status == 500 && error.contains("10.0.0.9:80"), "{status} {error}");
    assert_eq!(world.get("/service/x")["backends"], serde_json::Value::Null);

    world.done("PUT", "/service/x/s", r#"{"host":"10.0.0.8","port":80,"weight":5}"#);
    kernel.0.lock().unwrap().refuse(
        "tcp://192.0.2.1:80".parse().unwrap(),
        Some("10.0.0.8:80".parse().unwrap()),
        ipvsd::ipvs::Errno::INVAL,
    );
    assert_eq!(world.refused("PATCH", "/service/x/s", r#"{"weight":9}"#).0, 500);
    assert_eq!(world.get("/service/x/s")["options"]["weight"], 5);
}

#[test]
fn what_was_there_before_outlives_a_change_that_the_kernel_refuses() {
    let kernel = Shared::default();
    let there = ["tcp://192.0.2.1:80 wrr []", "tcp://192.0.2.1:80 -> 10.0.0.1:80 nat 100", "tcp://192.0.2.1:81 wrr []"];
    let world = kernel.world(NOTHING);
    world.done("PUT", "/service/a", r#"{"port":80}"#);
    world.done("PUT", "/service/a/r", r#"{"host":"10.0.0.1","port":80}"#);
    world.done("PUT", "/service/b", r#"{"port":81}"#);
    assert_eq!(kernel.table(), there);
    drop(world);
    // Another ipvsd, which knows nothing of all that: it is somebody else's.
    let world = kernel.world(NOTHING);
    assert_eq!(world.refused("PUT", "/service/a", r#"{"port":80,"method":"nosuch"}"#).0, 500);
    assert_eq!(world.refused("PUT", "/service/b", r#"{"port":81,"method":"nosuch"}"#).0, 500);
    assert_eq!(kernel.table(), there);
    world.done("PUT", "/service/a", r#"{"port":80}"#);
    let refused = "10.0.0.1:80".parse().unwrap();
    kernel.0.lock().unwrap().refuse("tcp://192.0.2.1:80".parse().unwrap(), Some(refused), ipvsd::ipvs::Errno::INVAL);
    assert_eq!(world.refused("PUT", "/service/a/r", r#"{"host":"10.0.0.1","port":80,"weight":7}"#).0, 500);
    kernel.0.lock().unwrap().relent();
    world.reload();
    assert_eq!(kernel.table(), there);
    // What is as it was asked for is adopted, and goes when it is deleted.
    world.done("PUT", "/service/a/r", r#"{"host":"10.0.0.1","port":80}"#);
    world.done("DELETE", "/service/a", "");
    assert_eq!(kernel.table(), there[2..]);
}

#[test]
fn an_equal_put_is_no_lie() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    let (service, backend) = (r#"{"port":80}"#, r#"{"host":"10.0.0.1","port":80}"#);
    world.done("PUT", "/service/web", service);
    world.done("PUT", "/service/web/r", backend);
    world.done("PUT", "/service/web/s", r#"{"host":"10.0.0.2","port":80}"#);
    let table = kernel.table();
    // Somebody has taken it away, and the kernel does not want it back.
    let (key, refused) = ("tcp://192.0.2.1:80".parse().unwrap(), "10.0.0.1:80".parse().unwrap());
    {
        let mut kernel = kernel.0.lock().unwrap();
        kernel.table().get_mut(&key).unwrap().destinations.remove(&refused);
        kernel.refuse(key, Some(refused), ipvsd::ipvs::Errno::INVAL);
    }
    for (method, body) in [("PUT", backend), ("PATCH", r#"{"weight":100}"#)] {
        let (status, error) = world.refused(method, "/service/web/r", body);
        assert!(
            status == 500 && error.contains("10.0.0.1:80") && error.ends_with("; it is kept, and tried again"),
            "{error}"
        );
    }
    world.done("PUT", "/service/web", service);
    world.done("PATCH", "/service/web/s", r#"{"weight":100}"#);
    kernel.0.lock().unwrap().relent();
    world.done("PUT", "/service/web/r", backend);
    assert_eq!(kernel.table(), table);
}
