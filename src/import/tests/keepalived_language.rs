//! The language of keepalived.conf: comments, includes, definitions, and how it is laid out.

use super::*;

const ONE: &str = r#"
[[services]]
name = "a"
address = "tcp://192.0.2.10:80"
scheduler = "rr"
destinations = [{ address = "10.0.0.1:80", weight = 1 }, { address = "10.0.0.2:80", weight = 1 }]
"#;

fn world(files: &[(&str, &str)]) -> World {
    World { files: files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect() }
}

/// The same server, however it is written.
#[test]
fn layout_makes_no_difference() {
    let including = world(&[
        ("real1", "real_server 10.0.0.1 80 { }\n"),
        ("real2", "real_server 10.0.0.2 80 {\n}\n"),
        ("inner", "include real*\n"),
    ]);
    for text in [
        "virtual_server 192.0.2.10 80 { lb_algo rr\n protocol TCP\n real_server 10.0.0.1 80 { weight 1 }\n real_server 10.0.0.2 80 { weight 1 } }",
        "virtual_server   192.0.2.10\t80\n{\nlb_algo rr\r\nprotocol tcp # \"quoted\"\nreal_server 10.0.0.1 80\n{\n}\nreal_server 10.0.0.2 80 { } ! the second\n}\n",
        "virtual_server \"192.0.2.10\" 80 {lb_algo rr\nprotocol TCP\nreal_server 10.0.0.1 80 {} real_server 10.0.0.2 80 {}}",
        "\u{feff}virtual_server 192.0.2.10 80 {\nlb_algo rr\nprotocol TCP\ninclude real1\ninclude real2\n}",
        "virtual_server 192.0.2.10 80 {\nlb_algo rr\nprotocol TCP\nincluder real*\n}",
        "virtual_server 192.0.2.10 80 {\nlb_algo rr\nprotocol TCP\nincludem inner\n}",
        "$VIP=192.0.2.10\n$PORT = 80\n$ALGO=rr\nvirtual_server $VIP ${PORT} {\nlb_algo $ALGO\nprotocol TCP\nreal_server 10.0.0.1 $PORT { }\nreal_server 10.0.0.2 ${PORT} { }\n}",
        "virtual_server ${_ENV VIP} 80 {\nlb_algo rr\nprotocol TCP\n~SEQ(N, 1, 1, 2) real_server 10.0.0.$N 80 { }\n}",
        "virtual_server 192.0.2.10 80 {\nlb_algo rr\nprotocol TCP\n~LST(N, 1, 2) real_server 10.0.0.${N} 80 { }\n}",
        "virtual_server 192.0.2.10 80 {\nlb_algo rr\nprotocol TCP\n~LST({A, P}, {10.0.0.1, 80}, {10.0.0.2, 80}) real_server $A $P { }\n}",
        "$RS= \\\nreal_server 10.0.0.$N 80 { \\\nweight 1 \\\n}\nvirtual_server 192.0.2.10 80 {\nlb_algo rr\nprotocol TCP\n$N=1\n$RS\n$N=2\n$RS\n}",
        "virtual_server 192.0.2.10 80 {\n@lb1 lb_algo rr\n@lb2 lb_algo sed\n@^lb1 protocol UDP\n@^lb2 protocol TCP\nreal_server 10.0.0.1 80 { }\nreal_server 10.0.0.2 80 { }\n}",
    ] {
        let result = import_in(Language::Keepalived, text, &mut World { files: including.files.clone() });
        assert_eq!(result.said(), [""; 0], "{text}");
        result.is_table_of(ONE);
    }
}

#[test]
fn what_is_said_of_an_included_file_names_that_file() {
    let mut world = world(&[(
        "conf.d/a.conf",
        "virtual_server 192.0.2.10 80 {\n  protocol TCP\n  lb_algo rr\n  frob\n real_server 10.0.0.1 80 { } }\n",
    )]);
    let result = import_in(Language::Keepalived, "include conf.d/*\n", &mut world);
    let problem = &result.imported.report.list[0];
    assert_eq!(
        (problem.file.as_deref(), problem.line, problem.column),
        (Some(std::path::Path::new("conf.d/a.conf")), Some(4), Some(3))
    );
    assert_eq!(result.imported.report.sources.len(), 2);
}

#[test]
fn includes_are_as_strict_as_they_say() {
    for (word, severity) in [
        ("include none", "warning"),
        ("include none*", "warning"),
        ("includer none", "error"),
        ("includem none*", "error"),
        ("includew none*", "error"),
        ("includeb {none,no}", "error"),
        ("includea none*", "error"),
    ] {
        let result = import_text(Language::Keepalived, word);
        assert!(result.said()[0].contains(severity), "{word}: {:?}", result.said());
    }
}

#[test]
fn nothing_goes_round_for_ever() {
    let mut world = world(&[("a", "include b\n"), ("b", "include a\n")]);
    let result = import_in(Language::Keepalived, "include a\n", &mut world);
    assert!(result.said().iter().any(|said| said.contains("includes itself")), "{:?}", result.said());
    for text in [
        "$A=$B\n$B=$A\nvirtual_server $A 80\n",
        "$A=$A$A\n$A\n",
        "~SEQ(X, 1, 1, 99999999) frob $X\n",
        "~SEQ(X, 1, 0, 2) frob\n",
        "~SEQ frob\n",
        "~LST(X) frob\n",
        "${_RANDOM 3 9}\n",
    ] {
        let result = import_text(Language::Keepalived, text);
        assert!(result.said().iter().any(|said| said.contains("error")), "{text}: {:?}", result.said());
    }
}

#[test]
fn ranges_are_of_either_family() {
    let result = import_text(
        Language::Keepalived,
        "virtual_server_group G {\n 2001:db8::fe-100 53-54\n 192.0.2.1-192.0.2.2 53\n fwmark 5 inet6\n fwmark 6 inet\n}
virtual_server group G { protocol UDP\n lb_algo rr\n lb_kind TUN\n persistence_granularity 64\n real_server 2001:db8:1::1 53 { }\n}",
    );
    // A granularity of IPv6 says nothing to IPv4: those are left out.
    result.says(3, "no persistence_granularity");
    result.is_table_of(
        r#"
[[services]]
name = "G"
address = [
  "udp://[2001:db8::fe]:53", "udp://[2001:db8::fe]:54", "udp://[2001:db8::ff]:53", "udp://[2001:db8::ff]:54",
  "udp://[2001:db8::100]:53", "udp://[2001:db8::100]:54",
]
scheduler = "rr"
persistence = { timeout = "360s", netmask = 64 }
destinations = [{ address = "2001:db8:1::1", weight = 1, forward = "tunnel" }]
[[services]]
name = "G6"
address = "fwmark6:5"
scheduler = "rr"
persistence = { timeout = "360s" }
destinations = [{ address = "2001:db8:1::1", weight = 1, forward = "tunnel" }]
[[services]]
name = "G4"
address = "fwmark:6"
scheduler = "rr"
persistence = { timeout = "360s" }
destinations = [{ address = "2001:db8:1::1", weight = 1, forward = "tunnel" }]
"#,
    );
}
