//! The keys of a check.

use super::{Code, Match, Payload, Percent, Period, Status};
use crate::config::decode::{At, Decode, Named, entries, table, unknown_key};
use crate::config::fault::Faults;
use crate::config::schema;
use crate::config::tree::Node;

table! {
    /// A way to check destinations: exactly one kind of check, and when it runs.
    #[schemars(extend("oneOf" = [
        { "required": ["tcp"] }, { "required": ["http"] }, { "required": ["https"] }, { "required": ["grpc"] },
        { "required": ["dns"] }, { "required": ["udp"] }, { "required": ["exec"] }, { "required": ["none"] }
    ]))]
    Check "of a check" later [];

    /// Connect over TCP; send, and look at the answer, if that is written.
    #[schemars(default)]
    "tcp" tcp: Tcp,

    /// A request of HTTP/1.1.
    #[schemars(default, schema_with = "schema::http")]
    "http" http: Http,

    /// A request of HTTP/1.1 over TLS.
    #[schemars(default)]
    "https" https: Http,

    /// The health protocol of gRPC (grpc.health.v1).
    #[schemars(default)]
    "grpc" grpc: Grpc,

    /// A DNS query.
    #[schemars(default)]
    "dns" dns: Dns,

    /// Send a datagram, and look at the answer.
    #[schemars(default)]
    "udp" udp: Udp,

    /// Run a program; exit status 0 is up.
    #[schemars(default)]
    "exec" exec: Exec,

    /// No check: always up.
    #[schemars(default)]
    "none" none: Nothing,

    /// From the start of one run to the start of the next: "100ms" to "1d".
    #[schemars(default, schema_with = "schema::duration", extend("default" = "2s"))]
    "interval" interval: Period,

    /// A run that takes longer has failed. Not longer than the interval or the fast interval, which is the default if
    /// it is under "1s".
    #[schemars(default, schema_with = "schema::duration", extend("default" = "1s"))]
    "timeout" timeout: Period,

    /// So many good results in a row make a destination up: 1 to 100.
    #[schemars(default, schema_with = "schema::rise")]
    "rise" rise: i128,

    /// So many bad results in a row make a destination down: 1 to 100.
    #[schemars(default, schema_with = "schema::fall")]
    "fall" fall: i128,

    /// Each interval is longer or shorter by up to this: "0%" to "50%".
    #[schemars(default, extend("pattern" = "^(50|[0-4]?[0-9])%$", "default" = "10%"), schema_with = "schema::percent")]
    "jitter" jitter: Percent,

    /// The interval while results and state differ, not longer than `interval`: "100ms" to "1d".
    #[schemars(default, schema_with = "schema::duration")]
    "fast_interval" fast_interval: Period,

    /// The interval of what has been down for `down_after`, not shorter than `interval`: up to "1d".
    #[schemars(default, schema_with = "schema::duration")]
    "down_interval" down_interval: Period,

    /// After how long `down_interval` begins: "0s" to "7d".
    #[schemars(default, schema_with = "schema::duration", extend("default" = "1m"))]
    "down_after" down_after: Period,

    /// Check this address instead of the destination's.
    #[schemars(default, extend("examples" = ["10.0.0.11", "2001:db8::11"]))]
    "address" address: String,

    /// Check this port instead of the destination's.
    #[schemars(default, schema_with = "schema::port")]
    "port" port: i128,

    /// "destination" checks its own address; "vip" checks the service's address on that destination, as a client would
    /// reach it. For dr and tunnel.
    #[schemars(default, extend("enum" = ["destination", "vip"], "default" = "destination"))]
    "via" via: String,

    /// Hold a destination down that keeps changing. Without this table, none is.
    #[schemars(default)]
    "flap" flap: Flap,
}

table! {
    /// More than `changes` changes `within` a time hold a destination down for `hold`.
    Flap "in `flap`" later [];

    /// 1 to 1000.
    #[schemars(default, schema_with = "schema::changes")]
    "changes" changes: i128,

    /// "1s" to "1d".
    #[schemars(default, schema_with = "schema::duration", extend("default" = "1m"))]
    "within" within: Period,

    /// "1s" to "1d".
    #[schemars(default, schema_with = "schema::duration", extend("default" = "1m"))]
    "hold" hold: Period,
}

table! {
    /// A connection over TCP.
    Tcp "in `tcp`" later [];

    /// What is sent first.
    #[schemars(default, schema_with = "schema::payload")]
    "send" send: Payload,

    /// What the answer has to hold; without it, nothing is read.
    #[schemars(default, schema_with = "schema::matching")]
    "expect" expect: Match,
}

table! {
    /// A request of HTTP/1.1, each in a connection of its own. Redirects are answers like others.
    Http "of a request" later [];

    /// A method of HTTP; there is no body.
    #[schemars(default, extend("pattern" = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "default" = "GET"))]
    "method" method: String,

    /// Path and query.
    #[schemars(default, extend("pattern" = "^(/[!-~]*|\\*)$", "default" = "/"))]
    "path" path: String,

    /// The header Host; without it, the address that is checked.
    #[schemars(default, extend("pattern" = "^[!-~]+$"))]
    "host" host: String,

    /// Further headers.
    #[schemars(default)]
    "headers" headers: Named<String>,

    /// The status codes that are up: "200-299,301", or a number, or a list of both.
    #[schemars(default, schema_with = "schema::status")]
    "status" status: Status,

    /// What the body has to hold, within its first 64 KiB.
    #[schemars(default, schema_with = "schema::matching")]
    "body" body: Match,

    /// What the header Location has to hold.
    #[schemars(default, schema_with = "schema::matching")]
    "location" location: Match,

    /// Take any certificate. https only.
    #[schemars(default, extend("default" = false))]
    "insecure" insecure: bool,

    /// A PEM file of the authorities that are trusted instead of the system's; an absolute path. https only.
    #[schemars(default, extend("pattern" = "^/"))]
    "ca" ca: String,

    /// The name that the certificate has to be for, which is sent, too (SNI); without it, `host`. https only.
    #[schemars(default)]
    "server_name" server_name: String,
}

table! {
    /// The health protocol of gRPC; SERVING is up.
    Grpc "in `grpc`" later [];

    /// The service that is asked for; empty is the server as a whole.
    #[schemars(default, extend("default" = ""))]
    "service" service: String,

    /// Use TLS; without this table, it is plain text.
    #[schemars(default)]
    "tls" tls: Tls,
}

table! {
    /// TLS of a check.
    Tls "in `tls`" later [];

    /// Take any certificate.
    #[schemars(default, extend("default" = false))]
    "insecure" insecure: bool,

    /// A PEM file of the authorities that are trusted instead of the system's; an absolute path.
    #[schemars(default, extend("pattern" = "^/"))]
    "ca" ca: String,

    /// The name that the certificate has to be for, which is sent, too (SNI); without it, the address.
    #[schemars(default)]
    "server_name" server_name: String,
}

table! {
    /// A DNS query.
    Dns "in `dns`" later [];

    /// The name that is asked for; "." is the root.
    #[schemars(default, extend("default" = "."))]
    "name" name: String,

    /// The type of record that is asked for.
    #[schemars(default, rename = "type", schema_with = "schema::record")]
    "type" kind: String,

    /// "udp" or "tcp".
    #[schemars(default, extend("enum" = ["udp", "tcp"], "default" = "udp"))]
    "transport" transport: String,

    /// The response code that is up, by name or number.
    #[schemars(default, schema_with = "schema::rcode")]
    "rcode" rcode: Code,

    /// A record of the type that has to be among the answers, as in a zone file: "192.0.2.1", "10 mx.example.".
    #[schemars(default)]
    "answer" answer: String,
}

table! {
    /// A datagram, and its answer.
    Udp "in `udp`" later [];

    /// What is sent. Required.
    #[schemars(schema_with = "schema::payload")]
    "send" send: Payload,

    /// What the answer has to hold; without it, any will do.
    #[schemars(default, schema_with = "schema::matching")]
    "expect" expect: Match,

    /// What it means if neither an answer nor an ICMP error comes: "down" or "up".
    #[schemars(default, extend("enum" = ["down", "up"], "default" = "down"))]
    "silence" silence: String,
}

table! {
    /// A program that is run, without a shell.
    Exec "in `exec`" later [];

    /// The program, by an absolute path, and its arguments. Required.
    #[schemars(schema_with = "schema::argv")]
    "argv" argv: Vec<At<String>>,
}

/// A table without keys.
#[derive(Debug, Default, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::config) struct Nothing {}

impl Decode for Nothing {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        for entry in entries(node, &[], faults)? {
            unknown_key(&entry, "in `none`", &[], &[], faults);
        }
        Some(Self {})
    }
}
