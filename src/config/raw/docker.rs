//! `[docker]`, and which containers are destinations of a service.

use super::Addresses;
use crate::config::decode::table;
use crate::config::schema;

pub(in crate::config) use super::values::DockerAuto;

table! {
    /// A Docker engine, or one that answers as it does. A service whose `docker` names containers has the defaults of it.
    Docker "in `docker`" later [];

    /// Where the engine listens: the path of a socket, or `tcp://HOST:PORT`.
    #[schemars(default, schema_with = "schema::docker_socket")]
    "socket" socket: String,

    /// TLS, for what listens on tcp; as the docker client has it.
    #[schemars(default)]
    "tls" tls: DockerTls,

    /// List its containers at least this often, whatever its events say: "1s" to "1h".
    #[schemars(default, schema_with = "schema::duration", extend("default" = "30s"))]
    "resync" resync: super::Period,

    /// A container that was told to stop, and runs still after so long, counts as running again: "10s" to "1d".
    #[schemars(default, schema_with = "schema::duration", extend("default" = "10m"))]
    "stop_timeout" stop_timeout: super::Period,

    /// The address of the engine's host, or one of each family: where published ports are, and services that come about by
    /// themselves.
    #[schemars(default, schema_with = "schema::ip_addresses")]
    "host" host: Addresses,

    /// The network whose addresses count where a service names none.
    #[schemars(default, extend("minLength" = 1))]
    "network" network: String,

    /// Go by the services of a swarm as well, where the engine manages one.
    #[schemars(default, extend("default" = true))]
    "swarm" swarm: bool,

    /// A service for every image, port and protocol that containers publish, as GORB's link had it: true, or a table of how.
    #[schemars(default, schema_with = "schema::docker_auto")]
    "auto" auto: DockerAuto,
}

table! {
    /// Files in PEM, by absolute paths; read again at every connection.
    DockerTls "in `tls`" later [];

    /// The authorities of the engine's certificate; without it, those of the system.
    #[schemars(default, extend("pattern" = "^/"))]
    "ca" ca: String,

    /// The certificate that is shown to the engine.
    #[schemars(default, extend("pattern" = "^/"))]
    "certificate" certificate: String,

    /// Its private key.
    #[schemars(default, extend("pattern" = "^/"))]
    "key" key: String,
}

table! {
    /// Services that come about by themselves.
    AutoTable "in `auto`" later [];

    /// Where they are, at the containers' ports; without it, at `host`.
    #[schemars(default, schema_with = "schema::ip_addresses")]
    "services_at" services_at: Addresses,

    /// Which address of a container is its destination: "container" (its own) or "published" (the host's).
    #[schemars(default, extend("enum" = ["container", "published"]))]
    "address" address: String,

    /// The network whose addresses count.
    #[schemars(default, extend("minLength" = 1))]
    "network" network: String,

    /// The state of a container's HEALTHCHECK counts as a check.
    #[schemars(default, extend("default" = false))]
    "healthcheck" healthcheck: bool,
}

table! {
    /// Containers that are destinations of a service. Labels of a container (`ipvsd.port`, `ipvsd.weight`, `ipvsd.forward`,
    /// `ipvsd.check`) go over what stands here.
    Containers "in `docker`" later [];

    /// The label that they have: "KEY=VALUE", or "KEY" with whatever value. Without it, "ipvsd.service=NAME".
    #[schemars(default, extend("minLength" = 1, "examples" = ["ipvsd.service=web", "com.docker.compose.service=web"]))]
    "label" label: String,

    /// The port in the container; without it the service's.
    #[schemars(default, schema_with = "schema::port")]
    "port" port: i128,

    /// The network whose addresses count; without it `network` of `[docker]`, or the only one that a container has.
    #[schemars(default, extend("minLength" = 1))]
    "network" network: String,

    /// Which address of a container is its destination: "container" (its own) or "published" (the host's, at the published
    /// port). Without it, the container's with an engine on a socket, and the host's with one over tcp.
    #[schemars(default, extend("enum" = ["container", "published"]))]
    "address" address: String,

    /// The state of a container's HEALTHCHECK counts as a check: what is not healthy gets no new connections.
    #[schemars(default, extend("default" = false))]
    "healthcheck" healthcheck: bool,

    /// The share of new connections of each, 0 to 65535.
    #[schemars(default, schema_with = "schema::weight")]
    "weight" weight: i128,

    /// "nat" (addresses are rewritten), "dr" (direct routing, by MAC address) or "tunnel".
    #[schemars(default, schema_with = "schema::forward")]
    "forward" forward: String,
}
