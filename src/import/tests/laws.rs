//! What holds for every text.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const LANGUAGES: [Language; 5] =
    [Language::Ipvsadm, Language::Keepalived, Language::Ldirectord, Language::Ipvsctl, Language::Gorb];

/// Words that mean something in one language or another, and signs between them.
const WORDS: &[&str] = &[
    "-A",
    "-a",
    "-t",
    "-u",
    "-f",
    "-r",
    "-m",
    "-i",
    "-w",
    "-p",
    "-M",
    "-E",
    "-D",
    "-C",
    "-s",
    "rr",
    "sh",
    "-b",
    "sh-port",
    "192.0.2.10:80",
    "[2001:db8::10]:80",
    "10.0.0.1",
    "10.0.0.2:8080",
    "80",
    "7",
    "255.255.255.0",
    "0",
    "\n",
    "\n",
    "\n",
    "    ",
    "\t",
    "{",
    "}",
    "virtual_server",
    "virtual_server_group",
    "G",
    "group",
    "fwmark",
    "real_server",
    "192.0.2.1-9",
    "192.0.2.0/30",
    "TCP_CHECK",
    "HTTP_GET",
    "url",
    "path",
    "/",
    "MISC_CHECK",
    "misc_path",
    "\"/bin/x y\"",
    "protocol",
    "TCP",
    "lb_kind",
    "NAT",
    "DR",
    "TUN",
    "delay_loop",
    "3",
    "weight",
    "$X=",
    "$X",
    "${X}",
    "${_ENV VIP}",
    "~SEQ(X,1,3)",
    "~LST(X,a,b)",
    "@lb1",
    "@^lb1",
    "include",
    "it",
    "\\",
    "\"",
    "'",
    "#",
    "!",
    "quorum",
    "sorry_server",
    "UDP_CHECK",
    "payload",
    "0f",
    "require_reply",
    "DNS_CHECK",
    "PING_CHECK",
    "regex",
    "virtual=",
    "virtual6=",
    "real=",
    "gate",
    "masq",
    "->",
    "\"a\",\"b\"",
    "checktype=",
    "negotiate",
    "external",
    "service=",
    "http",
    "dns",
    "request=",
    "receive=",
    "fallback=",
    "=",
    ":",
    "-",
    "services:",
    "address:",
    "sched:",
    "{\"services\":{",
    "\"host\"",
    ",",
    "[",
    "]",
    "}}",
    "null",
    "1e9",
    "\u{feff}",
    "é",
    "\0",
    "\r",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// No bytes make it panic, and what comes of them is a configuration.
    #[test]
    fn any_bytes_are_taken(bytes in vec(any::<u8>(), 0..400)) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for language in LANGUAGES {
            import_text(language, &text);
        }
    }

    /// Nor do words that mean something.
    #[test]
    fn any_words_are_taken(words in vec(prop::sample::select(WORDS), 0..60), glue in prop::bool::ANY) {
        let text = words.join(if glue { " " } else { "" });
        for language in LANGUAGES {
            import_text(language, &text);
        }
    }

    /// A keepalived.conf of which lines are missing or doubled.
    #[test]
    fn a_torn_file_is_taken(picks in vec(0usize..200, 0..80)) {
        let lines: Vec<&str> = keepalived::EVERYTHING.lines().collect();
        let text: Vec<&str> = picks.iter().filter_map(|pick| lines.get(*pick).copied()).collect();
        import_text(Language::Keepalived, &text.join("\n"));
    }
}
