//! A page of everything, read as a scraper would.

mod shipped;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use axum::http::Method;

use super::catalogue::{ALL, Kind, Metric};
use super::*;
use crate::api::{About, Backstage, Broadcast, Sample};
use crate::model::{
    DestinationSettings, Forward, Health, Live, LiveDestination, LiveService, Scheduler, ServiceFlags, ServiceSettings,
    Stats,
};
use crate::reconcile::{
    CheckVerdict, DestinationStatus, DockerFinding, DockerStatus, DrainStatus, Event, Fault, ServiceStatus, Sort,
    Status, Verdict, Verdicts,
};

fn about() -> About {
    About { version: "1.2.3".into(), pid: 7, started: 1000 }
}

fn live_destination(count: u64) -> LiveDestination {
    let stats = Stats {
        connections: count,
        in_packets: 10 * count,
        out_bytes: 1 << 40,
        connection_rate: 3,
        ..Stats::default()
    };
    LiveDestination {
        settings: DestinationSettings { forward: Forward::Nat, weight: 50, max_connections: 0, min_connections: 0 },
        active_connections: 5,
        inactive_connections: 6,
        persistent_connections: 7,
        stats,
    }
}

fn live_service(destinations: &[&str]) -> LiveService {
    LiveService {
        settings: ServiceSettings {
            scheduler: Scheduler::new("rr"),
            flags: ServiceFlags::default(),
            persistence: None,
        },
        stats: Stats { connections: 99, ..Stats::default() },
        destinations: destinations.iter().map(|key| (key.parse().unwrap(), live_destination(42))).collect(),
    }
}

/// Something of everything.
fn everything() -> (Status, Verdicts, Live) {
    let web = "tcp://192.0.2.10:80".parse().unwrap();
    let [up, down, leaving] = ["10.0.0.1:80", "[2001:db8::2]:80", "10.0.0.3:80"].map(|key| key.parse().unwrap());
    let told = |health, configured| DestinationStatus {
        health: Some(health),
        checks: Some(health),
        since: Some(2000),
        configured: Some(configured),
        effective: 40,
        ..DestinationStatus::default()
    };
    let drain = Some(DrainStatus { connections: 8, until: 3000 });
    let destinations = [
        (up, told(Health::Up, 100)),
        (down, told(Health::Down, 100)),
        (leaving, DestinationStatus { drain, ..DestinationStatus::default() }),
    ];
    let service = ServiceStatus {
        name: Some("web".into()),
        up: 1,
        of: 2,
        failed: true,
        destinations: destinations.into(),
        ..ServiceStatus::default()
    };
    let mut status = Status { pass_at: 4000, services: [(web, service)].into(), ..Status::default() };
    status.helpers.insert("fwmark:7".parse().unwrap());
    status.tally.configuration.sha256 = "abc".into();
    status.failures = [(Sort::Service, [(Fault::Unavailable, 2)].into())].into();
    status.docker = Some(DockerStatus {
        engine: "/var/run/docker.sock".into(),
        listed_at: Some(4001),
        containers: 7,
        destinations: 5,
        findings: vec![DockerFinding::default(); 2],
        ..DockerStatus::default()
    });
    status.tally.whole.add(Duration::from_millis(30));
    let check = CheckVerdict {
        name: "web".into(),
        kind: "http",
        health: Health::Up,
        reason: String::new(),
        flapping: false,
        took: Some(Duration::from_micros(1500)),
    };
    let other = CheckVerdict { name: "tcp".into(), kind: "tcp", ..check.clone() };
    let of = |checks: &[&CheckVerdict]| Verdict {
        health: Health::Up,
        reason: String::new(),
        since: Instant::now(),
        checks: checks.iter().map(|check| (*check).clone()).collect(),
    };
    let destinations = [((web, up), of(&[&check])), ((web, leaving), of(&[&check])), ((web, down), of(&[&other]))];
    let verdicts = Verdicts { destinations: destinations.into(), trouble: Vec::new() };
    let mut live = Live::default();
    live.services.insert(web, live_service(&["10.0.0.1:80", "[2001:db8::2]:80", "10.0.0.3:80"]));
    live.services.insert("udp://192.0.2.99:53".parse().unwrap(), live_service(&["10.0.0.9:53"]));
    live.services.insert("fwmark:7".parse().unwrap(), live_service(&["10.0.0.1:80"]));
    (status, verdicts, live)
}

fn page_of(most_services: usize, most_destinations: usize) -> String {
    let (status, verdicts, live) = everything();
    let about = about();
    let traffic = Arc::<Traffic>::default();
    for status in [200, 200, 429] {
        let mut response = Response::new(Default::default());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        drop(traffic.ask(&Method::GET, "/v1/status").answer(response));
    }
    drop(traffic.ask(&Method::PUT, "/service/web"));
    let _inside = traffic.enter();
    render(&Scene {
        about: &about,
        status: &status,
        verdicts: &verdicts,
        sampled: 5_000_007,
        live: &live,
        traffic: &traffic,
        broadcast: &Broadcast::default(),
        most_services,
        most_destinations,
    })
}

/// A page, read by the rules of the format, and by what the catalogue says of it.
fn parse(page: &str) -> BTreeMap<String, Vec<(String, String, f64)>> {
    let families = walk::openmetrics(page).unwrap();
    let names: Vec<&str> = families.iter().map(|family| family.name.as_str()).collect();
    let catalogued: Vec<&str> = ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(names, catalogued, "each once, in the order of the catalogue");
    let mut read = BTreeMap::new();
    for (walk::Family { name, kind, unit, help, samples }, metric) in families.into_iter().zip(ALL) {
        assert_eq!((kind.as_str(), unit.as_str(), help.as_str()), (metric.kind.as_str(), metric.unit, metric.help));
        let of_family = read.entry(name).or_insert_with(Vec::new);
        for walk::Sample { suffix, labels, value } in samples {
            let names = labels.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "le");
            assert!(names.eq(metric.labels.iter().copied()), "{}: {labels:?}", metric.name);
            let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
            of_family.push((suffix, labels.join(","), value));
        }
    }
    read
}

fn value(families: &BTreeMap<String, Vec<(String, String, f64)>>, name: &str, labels: &str) -> Option<f64> {
    let samples = families.get(name)?;
    samples.iter().find(|(_, has, _)| has == labels).map(|(.., value)| *value)
}

#[test]
fn the_page_is_openmetrics_and_has_everything() {
    let families = parse(&page_of(10_000, 10_000));
    for metric in ALL {
        assert!(families.get(metric.name).is_some_and(|samples| !samples.is_empty()), "no sample of {}", metric.name);
    }
    assert_eq!(families.len(), ALL.len());
    let get = |name: &str, labels: &str| value(&families, name, labels);
    let web = "service=\"web\",address=\"tcp://192.0.2.10:80\"";
    let up = format!("{web},destination=\"10.0.0.1:80\"");
    let down = format!("{web},destination=\"[2001:db8::2]:80\"");
    let leaving = format!("{web},destination=\"10.0.0.3:80\"");
    let foreign = "service=\"\",address=\"udp://192.0.2.99:53\",destination=\"10.0.0.9:53\"";
    assert_eq!(get("ipvsd_build_info", "version=\"1.2.3\""), Some(1.0));
    assert_eq!(get("ipvsd_kernel_sampled_timestamp_seconds", ""), Some(5000.007));
    assert_eq!(get("ipvsd_service_destinations_up", web), Some(1.0));
    assert_eq!(get("ipvsd_service_connections", web), Some(99.0));
    assert_eq!(get("ipvsd_destination_up", &up), Some(1.0));
    assert_eq!(get("ipvsd_destination_up", &down), Some(0.0));
    assert_eq!(get("ipvsd_destination_up", &leaving), None, "it has no checks");
    assert_eq!(get("ipvsd_destination_weight", &format!("{up},of=\"configured\"")), Some(100.0));
    assert_eq!(get("ipvsd_destination_weight", &format!("{up},of=\"effective\"")), Some(40.0));
    assert_eq!(get("ipvsd_destination_weight", &format!("{up},of=\"kernel\"")), Some(50.0));
    assert_eq!(get("ipvsd_destination_weight", &format!("{leaving},of=\"configured\"")), None);
    assert_eq!(get("ipvsd_destination_drain_connections", &leaving), Some(8.0));
    assert_eq!(get("ipvsd_destination_draining", &up), None);
    assert_eq!(get("ipvsd_destination_connections", foreign), Some(42.0), "what is foreign is counted, too");
    assert_eq!(get("ipvsd_destination_bytes", &format!("{up},direction=\"out\"")), Some((1_u64 << 40) as f64));
    let engine = "engine=\"/var/run/docker.sock\"";
    let told = [("up", 1.0), ("last_list_timestamp_seconds", 4001.0), ("containers", 7.0), ("destinations", 5.0)];
    for (name, value) in told.into_iter().chain([("findings", 2.0)]) {
        assert_eq!(get(&format!("ipvsd_docker_{name}"), engine), Some(value), "{name}");
    }
    let check = format!("{up},check=\"web\",kind=\"http\"");
    assert_eq!(get("ipvsd_destination_check_duration_seconds", &check), Some(0.0015));
    let helped = families["ipvsd_service_connections"].iter().any(|(_, labels, _)| labels.contains("fwmark:7"));
    assert!(!helped, "what carries checks is no service of anybody");
    let buckets: Vec<f64> = families["ipvsd_pass_duration_seconds"]
        .iter()
        .filter(|(suffix, labels, _)| suffix == "_bucket" && labels.contains("all"))
        .map(|(.., count)| *count)
        .collect();
    assert!(buckets.is_sorted() && buckets.last() == Some(&1.0), "{buckets:?}");
}

/// `most` services and destinations, and what is left out then: services, destinations and checks.
#[test]
fn so_much_has_metrics_of_its_own_and_they_say_what_has_not() {
    for (most, has, omitted) in [
        ((9, 0), (2, 0, 0), (0, 4, 3)),
        ((9, 1), (2, 1, 1), (0, 3, 2)),
        ((9, 2), (2, 2, 2), (0, 2, 1)),
        ((9, 3), (2, 3, 3), (0, 1, 0)),
        ((9, 4), (2, 4, 3), (0, 0, 0)),
        ((1, 9), (1, 3, 3), (1, 1, 0)),
        ((0, 9), (0, 0, 0), (2, 4, 3)),
    ] {
        let families = parse(&page_of(most.0, most.1));
        let count = |name: &str| families[name].len();
        let counts = (
            count("ipvsd_service_connections"),
            count("ipvsd_destination_connections"),
            count("ipvsd_destination_check_duration_seconds"),
        );
        assert_eq!(counts, has, "{most:?}");
        let left_out =
            |object: &str| value(&families, "ipvsd_metrics_omitted", &format!("object=\"{object}\"")).unwrap();
        let left_out = ["service", "destination", "check"].map(left_out).map(|count| count as usize);
        assert_eq!(left_out, <[usize; 3]>::from(omitted), "{most:?}");
    }
}

#[test]
fn the_http_side_and_what_fails_are_told_of() {
    let families = parse(&page_of(9, 9));
    let get = |name: &str, labels: &str| value(&families, name, labels);
    let request = |labels: &str| get("ipvsd_http_requests", labels);
    assert_eq!(request("route=\"v1\",method=\"GET\",status=\"200\""), Some(2.0));
    assert_eq!(request("route=\"v1\",method=\"GET\",status=\"429\""), Some(1.0));
    assert_eq!(request("route=\"gorb\",method=\"PUT\",status=\"gone\""), Some(1.0));
    assert_eq!(get("ipvsd_http_rate_limited_requests", ""), Some(1.0));
    assert_eq!(get("ipvsd_http_open_connections", ""), Some(1.0));
    assert_eq!(get("ipvsd_http_refused_connections", "reason=\"full\""), Some(0.0));
    assert_eq!(get("ipvsd_http_streams", ""), Some(0.0));
    let all = |labels: &str| {
        let mut of = families["ipvsd_http_request_duration_seconds"].iter();
        of.find(|(suffix, has, _)| suffix == "_count" && has == labels).unwrap().2
    };
    assert_eq!((all("route=\"v1\""), all("route=\"page\"")), (3.0, 0.0));
    assert_eq!(get("ipvsd_failing_objects", "object=\"service\",reason=\"unavailable\""), Some(2.0));
    assert_eq!(get("ipvsd_failing_objects", "object=\"host\",reason=\"other\""), Some(0.0));
}

#[test]
fn whatever_a_name_holds_it_is_one_label() {
    let odd = "a\\\"b\n\u{202e}\u{0}\r\u{2028}🦀{}=,# EOF";
    let about = about();
    let web = "tcp://192.0.2.10:80".parse().unwrap();
    let service = ServiceStatus { name: Some(odd.into()), ..ServiceStatus::default() };
    let status = Status { services: [(web, service)].into(), ..Status::default() };
    let page = render(&Scene {
        about: &about,
        status: &status,
        verdicts: &Verdicts::default(),
        sampled: 0,
        live: &Live::default(),
        traffic: &Traffic::default(),
        broadcast: &Broadcast::default(),
        most_services: 1,
        most_destinations: 1,
    });
    let families = walk::openmetrics(&page).unwrap();
    let up = families.iter().find(|family| family.name == "ipvsd_service_destinations_up").unwrap();
    assert_eq!(up.samples[0].labels[0], ("service".to_owned(), odd.to_owned()));
}

#[test]
fn names_are_what_openmetrics_wants() {
    let mut names = BTreeSet::new();
    for metric in ALL {
        let Metric { name, kind, unit, labels, help } = metric;
        assert!(names.insert(name), "{name} twice");
        assert!(
            name.starts_with("ipvsd_") && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{name}"
        );
        assert!(!name.ends_with("_total"), "{name}: the suffix comes by itself");
        assert!(unit.is_empty() || name.ends_with(&format!("_{unit}")), "{name} ends with its unit");
        assert!(help.ends_with('.') && !help.contains(['\\', '\n']), "{name}");
        assert!(!labels.contains(&"le"), "{name}");
        let of_kernel = matches!(kind, Kind::Counter) && name.contains("destination_");
        assert!(!of_kernel || labels.starts_with(&["service", "address", "destination"]), "{name}");
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The table of the documentation, as it is made of the catalogue.
fn table() -> String {
    let mut text = "| metric | kind | unit | labels | what it says |\n|---|---|---|---|---|\n".to_owned();
    for Metric { name, kind, unit, labels, help } in ALL {
        // Else it would be another column.
        let help = help.replace('|', "\\|");
        let suffix = if *kind == Kind::Counter { "_total" } else { "" };
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        text += &format!("| `{name}{suffix}` | {} | {unit} | {} | {help} |\n", kind.as_str(), labels.join(", "));
    }
    text
}

/// `UPDATE_GOLDEN=1` writes it anew.
#[test]
fn the_documentation_has_every_metric() {
    let path = root().join("packaging/doc/metrics.md");
    let text = fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- metrics: made of src/api/metrics/catalogue.rs -->\n", "<!-- end -->\n");
    let (before, rest) = text.split_once(begin).expect("a place for the table");
    let (shown, after) = rest.split_once(end).expect("an end of it");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, format!("{before}{begin}{}{end}{after}", table())).unwrap();
        return;
    }
    assert_eq!(shown, table(), "run this test with UPDATE_GOLDEN=1");
}

struct Still {
    about: About,
    asked: std::sync::atomic::AtomicUsize,
    broadcast: Broadcast,
}

impl Backstage for Still {
    fn about(&self) -> &About {
        &self.about
    }

    fn status(&self) -> Arc<Status> {
        self.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Arc::new(everything().0)
    }

    fn verdicts(&self) -> Arc<Verdicts> {
        Arc::new(everything().1)
    }

    fn sample(&self) -> Arc<Sample> {
        Arc::new(Sample { unix_ms: 1, live: everything().2 })
    }

    fn wake(&self, _: Event) {}

    fn unix(&self) -> u64 {
        1
    }

    fn broadcast(&self) -> &Broadcast {
        &self.broadcast
    }
}

#[test]
fn one_page_serves_all_who_ask_at_once() {
    use http_body_util::BodyExt as _;
    use hyper::service::Service as _;
    let stage = Arc::new(Still { about: about(), asked: Default::default(), broadcast: Broadcast::default() });
    let router = crate::api::router(stage.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let service = hyper_util::service::TowerToHyperService::new(router);
        let ask = |most: Option<usize>| {
            let mut request = axum::http::Request::get("/metrics").body(axum::body::Body::empty()).unwrap();
            if let Some(metrics_destinations) = most {
                request.extensions_mut().insert(Arc::new(Api { metrics_destinations, ..Api::default() }));
            }
            let service = service.clone();
            async move {
                let response = service.call(request).await.unwrap();
                assert_eq!(response.status(), 200);
                assert_eq!(response.headers()["content-type"], TYPE);
                String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
            }
        };
        let (one, other) = tokio::join!(ask(None), ask(None));
        assert_eq!(one, other);
        assert_eq!(stage.asked.load(std::sync::atomic::Ordering::Relaxed), 1);
        assert_eq!(parse(&one)["ipvsd_destination_connections"].len(), 4);
        assert_eq!(parse(&ask(Some(2)).await)["ipvsd_destination_connections"].len(), 2, "as the configuration has it");
    });
}
