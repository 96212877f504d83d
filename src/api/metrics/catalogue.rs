//! Every metric, once. `packaging/doc/metrics.md` is made of this.

/// What kind of number it is, as OpenMetrics has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// A family of samples.
#[derive(Debug)]
pub(super) struct Metric {
    /// As its family is called: a counter's samples have `_total` behind it.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The end of its name, or nothing.
    pub(super) unit: &'static str,
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident $kind:ident $name:literal $unit:literal [$($label:literal),*] $help:literal;)+) => {
        $(pub(super) const $constant: Metric =
            Metric { name: $name, kind: Kind::$kind, unit: $unit, labels: &[$($label),*], help: $help };)+

        /// All of them, in the order of the page.
        #[cfg(test)]
        pub(super) const ALL: &[&Metric] = &[$(&$constant),+];
    };
}

metrics! {
    BUILD_INFO Gauge "ipvsd_build_info" "" ["version"] "Always 1; the version is its label.";
    START Gauge "ipvsd_start_timestamp_seconds" "seconds" [] "When this process began.";

    PASSES Counter "ipvsd_passes" "" ["trigger", "result"]
        "Passes by what made them and what came of them: done, failed (some of it), refused (too many deletes) or impossible (no talking to the kernel).";
    PASS_SECONDS Histogram "ipvsd_pass_duration_seconds" "seconds" ["scope"]
        "How long passes took: over everything (all), or over the services that something had happened to (part).";
    LAST_PASS Gauge "ipvsd_last_pass_timestamp_seconds" "seconds" [] "When the last pass ended; 0 before the first one.";
    LAST_VERIFIED Gauge "ipvsd_last_verified_pass_timestamp_seconds" "seconds" []
        "When a pass over everything last left all of it as it should be, and had read it back; 0 if none has yet.";
    TROUBLE Gauge "ipvsd_pass_trouble" "" [] "1 if the last pass could not be made, or was refused.";
    OPERATIONS Counter "ipvsd_operations" "" ["kind", "result"]
        "Operations by what they do to what, and what became of them.";
    FAILING Gauge "ipvsd_failing_objects" "" ["object", "reason"]
        "Objects that fail now, and are tried again, by why: unavailable (this kernel has no such scheduler, engine or address family), invalid (it does not take the values), conflict (somebody else is at it), short (of memory), not_permitted, unverified (taken, and reads otherwise) or other. The status has the reason of each.";
    DRIFT Counter "ipvsd_drift_repaired" "" ["object"]
        "Operations that repaired what somebody else had changed: of a service, a destination, or the host.";
    HOST_TROUBLES Gauge "ipvsd_host_troubles" "" [] "Objects of the host around the table that are not as they should be.";
    NAMES Gauge "ipvsd_names" "" ["state"] "Names of destinations, by how they are looked up: well (good), or not, so that what they stood for stays (failing).";
    SUSPICIONS Gauge "ipvsd_check_suspicions" "" [] "Signs that the checks themselves are in trouble, and not what they check.";
    OVERRIDES Gauge "ipvsd_overrides" "" [] "Destinations of which an operator says something by hand.";

    GENERATION Gauge "ipvsd_configuration_generation" "" [] "Counts the configurations that came into force since the start.";
    CONFIGURATION_INFO Gauge "ipvsd_configuration_info" "" ["sha256"]
        "Always 1; the label tells the configuration in force from others, as `cat FILES | sha256sum` does.";
    LAST_SUCCESS Gauge "ipvsd_configuration_last_success_timestamp_seconds" "seconds" []
        "When the configuration in force came into force.";
    OUTDATED Gauge "ipvsd_configuration_outdated" "" [] "1 if the files are refused, and what is in force is older than they are.";
    LOADS Counter "ipvsd_configuration_loads" "" ["result"] "Configurations that were accepted, and that were refused.";

    DOCKER_UP Gauge "ipvsd_docker_up" "" ["engine"]
        "1 if the Docker engine is followed, 0 if it cannot be and what was known of its containers stays; absent where none is to be.";
    DOCKER_LISTED Gauge "ipvsd_docker_last_list_timestamp_seconds" "seconds" ["engine"] "When its containers were listed last; 0 if they have not been yet.";
    DOCKER_CONTAINERS Gauge "ipvsd_docker_containers" "" ["engine"] "Containers that are known, and tasks of its swarm.";
    DOCKER_DESTINATIONS Gauge "ipvsd_docker_destinations" "" ["engine"] "Destinations that they make.";
    DOCKER_FINDINGS Gauge "ipvsd_docker_findings" "" ["engine"] "What is wrong with containers, so that they are left out; 1000 at most. The status says it of each.";

    SAMPLED Gauge "ipvsd_kernel_sampled_timestamp_seconds" "seconds" []
        "When the counters of this page were read from the kernel; 0 if they have not been yet, and then there are none.";
    UNKNOWN Gauge "ipvsd_kernel_unknown_entries" "" [] "Entries of the kernel's table that are not understood, and left alone.";
    OMITTED Gauge "ipvsd_metrics_omitted" "" ["object"]
        "Services, destinations and checks without metrics of their own, as api.metrics_services and api.metrics_destinations have it.";

    HTTP_OPEN Gauge "ipvsd_http_open_connections" "" [] "Connections to the HTTP side.";
    HTTP_ACCEPTED Counter "ipvsd_http_accepted_connections" "" [] "Connections that were let in.";
    HTTP_REFUSED Counter "ipvsd_http_refused_connections" "" ["reason"]
        "Connections that came to nothing: full (as many as there may be, none of them idle), handshake (TLS did not begin) or system (it could not be accepted).";
    HTTP_CUT Counter "ipvsd_http_cut_connections" "" [] "Connections that were ended to make room for others, or when their time was up as the HTTP side moved.";
    HTTP_REQUESTS Counter "ipvsd_http_requests" "" ["route", "method", "status"]
        "Requests by what was asked for (page, metrics, probe, events, v1, gorb or other), how, and with what status it was answered; gone: whoever asked did not wait for it. There is a series from the first one on.";
    HTTP_SECONDS Histogram "ipvsd_http_request_duration_seconds" "seconds" ["route"] "How long it took until there was an answer, without the sending of it.";
    HTTP_LIMITED Counter "ipvsd_http_rate_limited_requests" "" [] "Writes that were refused as their client had written too much (429).";
    HTTP_HELD Gauge "ipvsd_http_answers_held_bytes" "bytes" [] "Bytes of answers that are on their way to clients.";
    HTTP_STREAMS Gauge "ipvsd_http_streams" "" [] "Streams of /v1/events that are open.";
    HTTP_DROPPED Counter "ipvsd_http_dropped_streams" "" [] "Streams that were ended as they were read too slowly.";

    SERVICE_DESTINATIONS Gauge "ipvsd_service_destinations" "" ["service", "address"] "Destinations of the service, without its fallback.";
    SERVICE_UP Gauge "ipvsd_service_destinations_up" "" ["service", "address"] "Those that are not down.";
    SERVICE_FAILED Gauge "ipvsd_service_failed" "" ["service", "address"] "1 if fewer are up than min_healthy asks for.";
    SERVICE_PANIC Gauge "ipvsd_service_panic" "" ["service", "address"] "1 if so many went down at once that the checks are not believed.";
    SERVICE_FALLBACK Gauge "ipvsd_service_fallback" "" ["service", "address"] "1 if the fallback is in use.";
    SERVICE_CONNECTIONS Counter "ipvsd_service_connections" "" ["service", "address"] "Connections that the kernel has scheduled.";
    SERVICE_PACKETS Counter "ipvsd_service_packets" "" ["service", "address", "direction"] "Packets, in from clients and out to them (out: with nat only).";
    SERVICE_BYTES Counter "ipvsd_service_bytes" "bytes" ["service", "address", "direction"] "Bytes of these packets.";
    SERVICE_CONNECTION_RATE Gauge "ipvsd_service_connection_rate" "" ["service", "address"] "Connections a second, as the kernel estimates it.";
    SERVICE_PACKET_RATE Gauge "ipvsd_service_packet_rate" "" ["service", "address", "direction"] "Packets a second, as the kernel estimates it.";
    SERVICE_BYTE_RATE Gauge "ipvsd_service_byte_rate" "" ["service", "address", "direction"] "Bytes a second, as the kernel estimates it.";

    UP Gauge "ipvsd_destination_up" "" ["service", "address", "destination"] "1 if it counts as up, 0 if as down; absent without checks, and until they have spoken.";
    UP_SINCE Gauge "ipvsd_destination_up_changed_timestamp_seconds" "seconds" ["service", "address", "destination"] "Since when its health is what it is.";
    FLAPPING Gauge "ipvsd_destination_flapping" "" ["service", "address", "destination"] "1 if it is held down because it kept changing; absent without checks.";
    CHECK_SECONDS Gauge "ipvsd_destination_check_duration_seconds" "seconds" ["service", "address", "destination", "check", "kind"] "How long the last run of the check took.";
    WEIGHT Gauge "ipvsd_destination_weight" "" ["service", "address", "destination", "of"] "Its weight: as configured, as it should be now (effective), and as the kernel has it (kernel).";
    DRAINING Gauge "ipvsd_destination_draining" "" ["service", "address", "destination"] "1 while it is on its way out of the table; absent otherwise.";
    DRAIN_CONNECTIONS Gauge "ipvsd_destination_drain_connections" "" ["service", "address", "destination"] "Connections that its drain waits for.";
    DRAIN_DEADLINE Gauge "ipvsd_destination_drain_deadline_timestamp_seconds" "seconds" ["service", "address", "destination"] "When its drain ends at the latest.";
    OPEN Gauge "ipvsd_destination_open_connections" "" ["service", "address", "destination", "state"] "Connections that it has now: active, inactive (closing, or of udp) and persistent (templates).";
    CONNECTIONS Counter "ipvsd_destination_connections" "" ["service", "address", "destination"] "Connections that the kernel has scheduled to it.";
    PACKETS Counter "ipvsd_destination_packets" "" ["service", "address", "destination", "direction"] "Packets, in from clients and out to them (out: with nat only).";
    BYTES Counter "ipvsd_destination_bytes" "bytes" ["service", "address", "destination", "direction"] "Bytes of these packets.";
    CONNECTION_RATE Gauge "ipvsd_destination_connection_rate" "" ["service", "address", "destination"] "Connections a second, as the kernel estimates it.";
    PACKET_RATE Gauge "ipvsd_destination_packet_rate" "" ["service", "address", "destination", "direction"] "Packets a second, as the kernel estimates it.";
    BYTE_RATE Gauge "ipvsd_destination_byte_rate" "" ["service", "address", "destination", "direction"] "Bytes a second, as the kernel estimates it.";
}
