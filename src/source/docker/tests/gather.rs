//! Containers to destinations, as a table.

use super::*;
use crate::model::{Auto, Policy, Quiesced, Scheduler, ServiceFlags, ServiceSettings};
use crate::source::docker::facts::{Health, Port};
use crate::source::docker::gather::{Gathered, gather};

/// What a service gets, a line each: `ADDRESS NAME WEIGHT`, and why it is quiesced.
fn lines(gathered: &Gathered, service: &str) -> Vec<String> {
    let of = gathered.services.get(&key(service)).or_else(|| gathered.auto.get(&key(service)).map(|(_, of)| of));
    let line = |(key, of): (&crate::model::DestinationKey, &crate::source::docker::Contributed)| {
        let quiesced = of.quiesced.map(|why| format!(" ({why})")).unwrap_or_default();
        format!("{key} {} {}{quiesced}", of.name, of.settings.weight)
    };
    of.into_iter().flatten().map(line).collect()
}

fn said(gathered: &Gathered) -> Vec<String> {
    gathered.findings.iter().map(ToString::to_string).collect()
}

fn alone(selector: Selector, containers: Vec<Container>) -> Gathered {
    gather(&docker(), &ground(&[(WEB, "web", selector)]), &seen(containers))
}

#[test]
fn a_label_is_a_wish_and_nothing_else_is() {
    let with = |labels: &[(&str, &str)]| container("one", 2, labels);
    let service = (SERVICE_LABEL, "web");
    #[rustfmt::skip]
    let cases: &[(Container, &[&str], &[&str])] = &[
        (with(&[]), &[], &[]),
        (with(&[service]), &["172.17.0.2:80 one 100"], &[]),
        (with(&[(SERVICE_LABEL, "api, web")]), &["172.17.0.2:80 one 100"],
            &["container one: its label ipvsd.service says `api`, and there is no such service"]),
        (with(&[(SERVICE_LABEL, "wbe")]), &[],
            &["container one: its label ipvsd.service says `wbe`, and there is no such service; there is `web`"]),
        (with(&[service, ("ipvsd.port", "8080"), ("ipvsd.weight", "0")]), &["172.17.0.2:8080 one 0"], &[]),
        (with(&[service, ("ipvsd.port", "http")]), &[],
            &["container one: its label ipvsd.port says `http`: a port is 1 to 65535; it is left out"]),
        (with(&[service, ("ipvsd.port", "0")]), &[],
            &["container one: its label ipvsd.port says `0`: a port is 1 to 65535; it is left out"]),
        (with(&[service, ("ipvsd.weight", "70000")]), &[],
            &["container one: its label ipvsd.weight says `70000`: a weight is 0 to 65535; it is left out"]),
        (with(&[service, ("ipvsd.forward", "masq")]), &[],
            &["container one: its label ipvsd.forward says `masq`: there are nat, dr and tunnel; it is left out"]),
        (with(&[service, ("ipvsd.forward", "dr"), ("ipvsd.port", "81")]), &[],
            &["container one: dr leaves the port alone, and 81 is not that of `web`, 80; it is left out"]),
        (with(&[service, ("ipvsd.forward", "dr")]), &["172.17.0.2:80 one 100"], &[]),
        (with(&[service, ("ipvsd.check", "tpc")]), &[],
            &["container one: its label ipvsd.check says `tpc`, and there is no such check; there is `tcp`; it is left out"]),
        (with(&[service, ("ipvsd.network", "lan")]), &[],
            &["container one: it is not on the network `lan`; it is left out of `web`"]),
        (with(&[service, ("ipvsd.wieght", "5")]), &["172.17.0.2:80 one 100"],
            &["container one: its label ipvsd.wieght means nothing; there is ipvsd.weight"]),
        (with(&[service, ("ipvsd.port", "80\u{1b}[31m")]), &[],
            &["container one: its label ipvsd.port says `80\u{fffd}[31m`: a port is 1 to 65535; it is left out"]),
    ];
    for (container, want, findings) in cases {
        // Another one that is as it should be goes by none of it.
        let gathered = alone(selector(), vec![container.clone(), web("two", 3)]);
        let mut want: Vec<String> = want.iter().map(|line| (*line).to_owned()).collect();
        want.push("172.17.0.3:80 two 100".to_owned());
        assert_eq!(lines(&gathered, WEB), want, "{:?}", container.labels);
        assert_eq!(said(&gathered), *findings, "{:?}", container.labels);
    }
}

#[test]
fn a_service_goes_by_whatever_label_it_likes() {
    let compose = |value: Option<&str>| Selector {
        label: "com.docker.compose.service".into(),
        value: value.map(str::to_owned),
        port: Some(8080),
        ..selector()
    };
    let one = container("one", 2, &[("com.docker.compose.service", "front")]);
    assert_eq!(lines(&alone(compose(Some("front")), vec![one.clone()]), WEB), ["172.17.0.2:8080 one 100"]);
    assert_eq!(lines(&alone(compose(None), vec![one.clone()]), WEB), ["172.17.0.2:8080 one 100"]);
    assert!(lines(&alone(compose(Some("fron")), vec![one]), WEB).is_empty());
    let gathered = gather(&docker(), &ground(&[(WEB, "web", compose(None))]), &seen(vec![web("two", 3)]));
    assert_eq!(
        said(&gathered),
        ["container two: its label ipvsd.service says `web`, a service that asks for no such containers: add \
          `docker = {}` to it"]
    );
}

#[test]
fn what_a_container_is_in_decides_whether_it_gets_new_connections() {
    let mut paused = web("a", 2);
    paused.paused = true;
    let of = |name: &str, last, health| Container { health, ..web(name, last) };
    let containers = vec![
        paused,
        of("b", 3, Health::Unhealthy),
        of("c", 4, Health::Starting),
        of("d", 5, Health::Healthy),
        of("e", 6, Health::None),
        Container { ending: true, ..web("f", 7) },
        web("g", 8),
    ];
    let mut seen = seen(containers);
    seen.stopping.insert("id-g".into());
    let plain = gather(&docker(), &ground(&[(WEB, "web", selector())]), &seen);
    let minding = Selector { healthcheck: true, ..selector() };
    let minding = gather(&docker(), &ground(&[(WEB, "web", minding)]), &seen);
    let both = |why: [&str; 7]| -> Vec<String> {
        let line = |(at, why): (usize, &str)| {
            let name = char::from(b'a' + u8::try_from(at).unwrap());
            format!("172.17.0.{}:80 {name} 100{why}", at + 2)
        };
        why.into_iter().enumerate().map(line).collect()
    };
    let [paused, stopping] = [" (its container is paused)", " (its container is stopping)"];
    assert_eq!(lines(&plain, WEB), both([paused, "", "", "", "", stopping, stopping]));
    let [sick, new] = [" (its container is unhealthy)", " (its container is not healthy yet)"];
    assert_eq!(lines(&minding, WEB), both([paused, sick, new, "", "", stopping, stopping]));
    assert_eq!(minding.services[&key(WEB)].values().next().unwrap().quiesced, Some(Quiesced::Paused));
}

#[test]
fn of_two_with_one_address_the_older_has_it_whatever_they_are_called() {
    let old = Container { created: 5, ..web("z", 2) };
    let new = Container { created: 6, ..web("a", 2) };
    let gathered = alone(selector(), vec![new.clone(), old.clone()]);
    assert_eq!(gathered, alone(selector(), vec![old, new]));
    assert_eq!(lines(&gathered, WEB), ["172.17.0.2:80 z 100"]);
    assert_eq!(said(&gathered), ["container a: 172.17.0.2:80 of `web` is the container z already; it is left out"]);

    let mut written = ground(&[(WEB, "web", selector())]);
    written.bases.get_mut(&key(WEB)).unwrap().written.insert("172.17.0.2:80".parse().unwrap());
    let gathered = gather(&docker(), &written, &seen(vec![web("one", 2)]));
    assert!(lines(&gathered, WEB).is_empty());
    assert_eq!(
        said(&gathered),
        ["container one: 172.17.0.2:80 is a destination of `web` as it is written: that one counts"]
    );
}

#[test]
fn both_families_and_every_kind_of_network() {
    let six = "tcp://[2001:db8::10]:80";
    let both = ground(&[(WEB, "web", selector()), (six, "web", selector()), ("fwmark:7", "mark", selector())]);
    let gathered = gather(&docker(), &both, &seen(vec![web("one", 2)]));
    assert_eq!(lines(&gathered, WEB), ["172.17.0.2:80 one 100"]);
    assert_eq!(lines(&gathered, six), ["[2001:db8::2]:80 one 100"]);
    assert_eq!(lines(&gathered, "fwmark:7"), ["172.17.0.2:0 one 100"], "the packet's port");

    let mut two = web("two", 3);
    two.networks.insert("alpha".into(), Addresses { v4: Some([10, 0, 0, 3].into()), v6: None });
    let gathered = alone(selector(), vec![two.clone()]);
    assert_eq!(lines(&gathered, WEB), ["10.0.0.3:80 two 100"]);
    assert_eq!(
        said(&gathered),
        [
            "container two: it is on the networks alpha, bridge; its address on alpha is taken: say with `network` or the \
          label ipvsd.network which one"
        ]
    );
    let named = Selector { network: Some("bridge".into()), ..selector() };
    let gathered = alone(named, vec![two.clone()]);
    assert_eq!((lines(&gathered, WEB), said(&gathered)), (vec!["172.17.0.3:80 two 100".into()], vec![]));

    let guest = Container { shares: Some("id-two".into()), networks: BTreeMap::new(), ..web("guest", 9) };
    let guest = Container {
        labels: [(SERVICE_LABEL.into(), "web".into()), ("ipvsd.port".into(), "81".into())].into(),
        ..guest
    };
    let gathered = alone(selector(), vec![two, guest]);
    assert_eq!(lines(&gathered, WEB), ["10.0.0.3:80 two 100", "10.0.0.3:81 guest 100"]);

    let on_host = Container { on_host: true, networks: BTreeMap::new(), ..web("host", 9) };
    let lost = Container { networks: BTreeMap::new(), ..web("lost", 9) };
    let gathered = alone(selector(), vec![on_host.clone(), lost]);
    assert!(lines(&gathered, WEB).is_empty());
    assert_eq!(
        said(&gathered),
        [
            "container host: it has the network of its host, of which no IPv4 address is known: set docker.host; it is left \
             out of `web`",
            "container lost: it has no IPv4 address; it is left out of `web`"
        ]
    );
    let docker = Docker { hosts: vec![[192, 0, 2, 20].into()], ..docker() };
    let gathered = gather(&docker, &ground(&[(WEB, "web", selector())]), &seen(vec![on_host]));
    assert_eq!(lines(&gathered, WEB), ["192.0.2.20:80 host 100"]);
}

fn published(name: &str, last: u8, private: u16, public: u16) -> Container {
    let port = Port { protocol: 6, private, public: Some((None, public)), family: None };
    Container { ports: vec![port], ..web(name, last) }
}

#[test]
fn published_ports_are_at_the_host_or_where_they_are_bound() {
    let selector = Selector { reach: Reach::Published, ..selector() };
    let mut bound = published("bound", 2, 80, 8081);
    bound.ports[0].public = Some((Some([198, 51, 100, 7].into()), 8081));
    let containers = vec![bound, published("free", 3, 80, 8082), published("other", 4, 81, 8083)];
    let gathered = alone(selector.clone(), containers.clone());
    assert_eq!(lines(&gathered, WEB), ["198.51.100.7:8081 bound 100"]);
    assert_eq!(
        said(&gathered),
        [
            "container free: its port 80 is published on all addresses of its host: set docker.host to one (IPv4); it is left \
             out of `web`",
            "container other: its port 80 is not published; it is left out of `web`"
        ]
    );
    let docker = Docker { hosts: vec![[192, 0, 2, 20].into()], ..docker() };
    let gathered = gather(&docker, &ground(&[(WEB, "web", selector)]), &seen(containers));
    assert_eq!(lines(&gathered, WEB), ["192.0.2.20:8082 free 100", "198.51.100.7:8081 bound 100"]);

    // What is published for one that has its network from another is published by that one.
    let mut bearer = published("bearer", 4, 80, 8084);
    bearer.labels.clear();
    let guest = Container { shares: Some("id-bearer".into()), networks: BTreeMap::new(), ..web("guest", 9) };
    let of = ground(&[(WEB, "web", Selector { reach: Reach::Published, ..self::selector() })]);
    let gathered = gather(&docker, &of, &seen(vec![bearer, guest]));
    assert_eq!((lines(&gathered, WEB), said(&gathered)), (vec!["192.0.2.20:8084 guest 100".into()], vec![]));
}

fn auto(reach: Reach) -> Docker {
    let auto = Auto {
        addresses: vec![[192, 0, 2, 10].into()],
        settings: ServiceSettings {
            scheduler: Scheduler::new("wlc"),
            flags: ServiceFlags::default(),
            persistence: None,
        },
        policy: Policy::new(std::time::Duration::ZERO),
        selector: Selector { reach, ..selector() },
    };
    Docker { auto: Some(auto), hosts: vec![[192, 0, 2, 20].into()], ..docker() }
}

#[test]
fn by_itself_a_service_is_for_an_image_a_port_and_a_protocol() {
    let of = |name: &str, last, image: &str, public| {
        let container = Container { labels: BTreeMap::new(), ..published(name, last, 8081, public) };
        Container { image: image.to_owned(), ..container }
    };
    let mut containers = vec![
        of("one", 2, "sonatype/nexus:3", 32768),
        of("two", 3, "sonatype/nexus:3", 32769),
        Container { created: 9, ..of("late", 4, "other", 32770) },
    ];
    let mut shy = of("shy", 5, "sonatype/nexus:3", 32771);
    shy.labels.insert("ipvsd.auto".into(), "false".into());
    containers.extend([shy, web("labelled", 6)]);
    containers[0].ports.push(Port { protocol: 17, private: 53, public: Some((None, 32790)), family: Some(true) });
    containers[0].ports.push(Port { protocol: 6, private: 9000, public: None, family: None });
    let gathered = gather(&auto(Reach::Published), &Ground::default(), &seen(containers.clone()));
    let names: Vec<String> = gathered.auto.iter().map(|(key, (name, _))| format!("{key} {name}")).collect();
    assert_eq!(
        names,
        ["tcp://192.0.2.10:8081 sonatype-nexus-3-8081-tcp", "udp://192.0.2.10:53 sonatype-nexus-3-53-udp"]
    );
    assert_eq!(
        lines(&gathered, "tcp://192.0.2.10:8081"),
        ["192.0.2.20:32768 one-32768-tcp 100", "192.0.2.20:32769 two-32769-tcp 100"]
    );
    assert_eq!(lines(&gathered, "udp://192.0.2.10:53"), ["192.0.2.20:32790 one-32790-udp 100"]);
    let findings = said(&gathered);
    assert_eq!(
        findings[1],
        "container late: tcp://192.0.2.10:8081 would be its service `other-8081-tcp`, and is `sonatype-nexus-3-8081-tcp` \
         already; it is left out"
    );
    assert!(findings[0].starts_with("container labelled: its label ipvsd.service says `web`"), "{findings:?}");
    assert_eq!(findings.len(), 2);

    let own = gather(&auto(Reach::Container), &Ground::default(), &seen(containers.clone()));
    assert_eq!(
        lines(&own, "tcp://192.0.2.10:8081"),
        ["172.17.0.2:8081 one-32768-tcp 100", "172.17.0.3:8081 two-32769-tcp 100"]
    );
    let taken = ground(&[("tcp://192.0.2.10:8081", "mine", selector())]);
    let gathered = gather(&auto(Reach::Container), &taken, &seen(containers));
    assert_eq!(gathered.auto.len(), 1, "what is written is written");
    assert!(said(&gathered).iter().any(|line| line.contains("and is `mine` as it is written")));
}

#[test]
fn tasks_of_a_swarm_may_share_a_port_of_a_node() {
    let selector = Selector { reach: Reach::Published, ..selector() };
    let task = |name: &str, last| {
        let mut task = published(name, last, 80, 30000);
        task.ports[0].public = Some((Some([192, 0, 2, 31].into()), 30000));
        Container { swarm: Some("web".into()), ..task }
    };
    let gathered = alone(selector, vec![task("web.1.a", 2), task("web.2.b", 3)]);
    assert_eq!((lines(&gathered, WEB), said(&gathered)), (vec!["192.0.2.31:30000 web.1.a 100".into()], vec![]));

    // One that ends takes no new connections, and the port leads to the others.
    let mut both = seen(vec![task("web.1.a", 2), task("web.2.b", 3)]);
    both.containers[0].ending = true;
    let of = ground(&[(WEB, "web", Selector { reach: Reach::Published, ..self::selector() })]);
    assert_eq!(lines(&gather(&docker(), &of, &both), WEB), ["192.0.2.31:30000 web.2.b 100"]);
    both.stopping.insert("id-web.2.b".into());
    assert_eq!(
        lines(&gather(&docker(), &of, &both), WEB),
        ["192.0.2.31:30000 web.1.a 100 (its container is stopping)"],
        "unless all do"
    );
}
