//! `[api]`: how ipvsd may be asked and told over HTTP.

use crate::config::decode::table;
use crate::config::schema;

table! {
    /// The HTTP side. Off unless written; `[api]` without keys is all of its defaults.
    Api "in `api`" later [];

    /// Where it listens: `127.0.0.1:4672`, `[::1]:4672`, or `unix:/run/ipvsd/api.sock`. Beyond loopback it wants tokens.
    #[schemars(default, schema_with = "schema::listen")]
    "listen" listen: String,

    /// The permissions of a unix socket, in octal; without it "0600", and "0660" with a group.
    #[schemars(default, extend("pattern" = "^0?[0-7]{3}$", "examples" = ["0660"]))]
    "mode" mode: String,

    /// The group of a unix socket, by name.
    #[schemars(default, extend("minLength" = 1))]
    "group" group: String,

    /// TLS, for what listens on an address.
    #[schemars(default)]
    "tls" tls: ApiTls,

    /// The file of tokens, a line each: `read TOKEN` or `write TOKEN`; read again when it changes. An absolute path.
    #[schemars(default, extend("pattern" = "^/"))]
    "tokens" tokens: String,

    /// So many writes a second are taken from one client, and as many at once.
    #[schemars(default, schema_with = "schema::writes_per_second")]
    "writes_per_second" writes_per_second: i128,

    /// The address of services that are put over GORB's interface without one.
    #[schemars(default, extend("examples" = ["192.0.2.10"]))]
    "default_host" default_host: String,

    /// Services beyond so many have no metrics of their own, nor have their destinations.
    #[schemars(default, schema_with = "schema::metrics_objects")]
    "metrics_services" metrics_services: i128,

    /// Destinations beyond so many have no metrics of their own, nor have checks beyond so many.
    #[schemars(default, schema_with = "schema::metrics_objects")]
    "metrics_destinations" metrics_destinations: i128,
}

table! {
    /// Files in PEM, by absolute paths; read again when they change.
    ApiTls "in `tls`" later [];

    /// The certificate of this server, and those that lead from it to an authority.
    #[schemars(extend("pattern" = "^/"))]
    "certificate" certificate: String,

    /// Its private key.
    #[schemars(extend("pattern" = "^/"))]
    "key" key: String,

    /// The authorities of clients' certificates; with it, every client must have one.
    #[schemars(default, extend("pattern" = "^/"))]
    "client_ca" client_ca: String,
}
