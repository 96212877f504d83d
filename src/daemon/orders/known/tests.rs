use super::*;
use crate::model::{DestinationSettings, Forward, LiveDestination, LiveService, OwnedService, Stats, WeightOverride};
use crate::reconcile::{DestinationStatus, ServiceStatus};

fn service(text: &str) -> ServiceKey {
    text.parse().unwrap()
}

fn destination(text: &str) -> DestinationKey {
    text.parse().unwrap()
}

fn live(of: &[(&str, &[(&str, u32)])]) -> Live {
    let mut live = Live::default();
    for (key, destinations) in of {
        let of = |weight| LiveDestination {
            settings: DestinationSettings { forward: Forward::Nat, weight, max_connections: 0, min_connections: 0 },
            active_connections: 0,
            inactive_connections: 0,
            persistent_connections: 0,
            stats: Stats::default(),
        };
        let destinations = destinations.iter().map(|(key, weight)| (destination(key), of(*weight))).collect();
        let settings = crate::model::ServiceSettings {
            scheduler: crate::model::Scheduler::new("rr"),
            flags: crate::model::ServiceFlags(0),
            persistence: None,
        };
        live.services.insert(service(key), LiveService { settings, stats: Stats::default(), destinations });
    }
    live
}

/// `web` on two addresses, `api`, and `dns` without a destination; of the configuration's destinations one is not in the
/// kernel, and there one is on its way out, one is foreign, and one is a check's.
fn known(overrides: &Overrides) -> Known {
    let status = |destinations: &[(&str, u32)], name: &str| ServiceStatus {
        name: Some(name.to_owned()),
        destinations: destinations
            .iter()
            .map(|(key, weight)| {
                (destination(key), DestinationStatus { configured: Some(*weight), ..DestinationStatus::default() })
            })
            .collect(),
        ..ServiceStatus::default()
    };
    let web: &[(&str, u32)] = &[("10.0.0.11:8080", 100), ("10.0.0.12:80", 100), ("10.0.0.12:81", 0)];
    let mut desired = Status::default();
    desired.services.insert(service("tcp://192.0.2.10:80"), status(web, "web"));
    desired.services.insert(service("tcp://192.0.2.11:80"), status(&web[..1], "web"));
    desired.services.insert(service("fwmark:7"), status(&[("10.0.0.14:0", 1)], "api"));
    desired.services.insert(service("udp://192.0.2.10:53"), status(&[], "dns"));
    let live = live(&[
        (
            "tcp://192.0.2.10:80",
            &[("10.0.0.11:8080", 100), ("10.0.0.12:80", 0), ("10.0.0.13:80", 0), ("10.0.0.9:80", 1)],
        ),
        ("tcp://192.0.2.99:80", &[("10.0.0.9:80", 1)]),
        ("fwmark:1000", &[("10.0.0.11:0", 1)]),
    ]);
    let mut record = Record::default();
    let mut owned = OwnedService::default();
    for key in ["10.0.0.11:8080", "10.0.0.12:80", "10.0.0.13:80"] {
        owned.destinations.insert(destination(key), None);
    }
    record.services.insert(service("tcp://192.0.2.10:80"), owned);
    let mut helper = OwnedService::default();
    helper.destinations.insert(destination("10.0.0.11:0"), None);
    record.services.insert(service("fwmark:1000"), helper);
    let helped =
        crate::model::Helped { service: service("tcp://192.0.2.10:80"), destination: destination("10.0.0.11:8080") };
    record.helpers.insert(1000, helped);
    Known::of_status(&desired).with(Some(&live), &record, overrides)
}

fn resolved(service: &str, destination: &str) -> Result<String, String> {
    let targets = known(&Overrides::default()).resolve(service, destination)?;
    Ok(targets.iter().map(|target| format!("{} of {}\n", target.destination, target.service)).collect())
}

#[test]
fn names_addresses_and_short_forms_find_their_destinations() {
    let both = "10.0.0.11:8080 of tcp://192.0.2.10:80\n10.0.0.11:8080 of tcp://192.0.2.11:80\n";
    for (service, destination, want) in [
        ("web", "10.0.0.11:8080", both),
        ("web", "10.0.0.11", both),
        ("tcp://192.0.2.11:80", "10.0.0.11", "10.0.0.11:8080 of tcp://192.0.2.11:80\n"),
        // The service's port goes before another one of the same address.
        ("web", "10.0.0.12", "10.0.0.12:80 of tcp://192.0.2.10:80\n"),
        ("web", "10.0.0.12:81", "10.0.0.12:81 of tcp://192.0.2.10:80\n"),
        ("web", "10.0.0.13", "10.0.0.13:80 of tcp://192.0.2.10:80\n"),
        ("api", "10.0.0.14", "10.0.0.14:0 of fwmark:7\n"),
        ("fwmark:7", "10.0.0.14:0", "10.0.0.14:0 of fwmark:7\n"),
    ] {
        assert_eq!(resolved(service, destination).as_deref(), Ok(want), "{service} {destination}");
    }
}

#[test]
fn what_is_not_found_says_what_there_is() {
    for (service, destination, want) in [
        ("wbe", "10.0.0.11", "no service `wbe`: did you mean `web`? (known: api, dns, web)"),
        ("Web", "10.0.0.11", "no service `Web`: did you mean `web`? (known: api, dns, web)"),
        ("x", "10.0.0.11", "no service `x` (known: api, dns, web)"),
        (
            "tcp://192.0.2.10:81",
            "10.0.0.11",
            "no service `tcp://192.0.2.10:81`: did you mean `tcp://192.0.2.10:80`? \
             (known: fwmark:7, tcp://192.0.2.10:80, tcp://192.0.2.11:80, udp://192.0.2.10:53)",
        ),
        (
            "tcp://192.0.2.10",
            "x",
            "`tcp://192.0.2.10` is no service: the port is missing: write `tcp://192.0.2.10:PORT`",
        ),
        (
            "tcp://192.0.2.99:80",
            "x",
            "tcp://192.0.2.99:80 is in the kernel's table, but it is not ipvsd's: no override holds there",
        ),
        (
            "fwmark:1000",
            "10.0.0.11",
            "no service `fwmark:1000` \
            (known: fwmark:7, tcp://192.0.2.10:80, tcp://192.0.2.11:80, udp://192.0.2.10:53)",
        ),
        ("web", "server", "`server` is no destination: `server` is not an IP address"),
        (
            "web",
            "10.0.0.11:80",
            "no destination `10.0.0.11:80` of web: did you mean `10.0.0.12:80`? \
            (known: 10.0.0.11:8080, 10.0.0.12:80, 10.0.0.12:81, 10.0.0.13:80)",
        ),
        (
            "web",
            "10.0.0.9:80",
            "10.0.0.9:80 of web is in the kernel's table, but it is not ipvsd's: no override holds there",
        ),
        ("dns", "10.0.0.11", "no destination `10.0.0.11` of dns: there are none"),
    ] {
        assert_eq!(resolved(service, destination).unwrap_err(), want, "{service} {destination}");
    }
}

#[test]
fn an_address_with_several_ports_is_not_guessed_at() {
    let mut status = Status::default();
    let of = status.services.entry(service("tcp://192.0.2.10:80")).or_default();
    for port in 0..20 {
        let key = DestinationKey { address: "2001:db8::1".parse().unwrap(), port: 8080 + port };
        of.destinations.insert(key, DestinationStatus { configured: Some(1), ..DestinationStatus::default() });
    }
    let known = Known::of_status(&status);
    let error = known.resolve("tcp://192.0.2.10:80", "2001:db8::1").unwrap_err();
    assert!(
        error.starts_with(
            "2001:db8::1 is several destinations of tcp://192.0.2.10:80, name one with its port: [2001:db8::1]:8080, "
        ),
        "{error}"
    );
    assert!(error.ends_with(" and 8 more"), "{error}");
}

#[test]
fn what_is_overridden_can_be_taken_back_when_nothing_else_is_left_of_it() {
    let mut overrides = Overrides::default();
    let given = Override { drained_since: Some(1), ..Override::default() };
    overrides.set(service("tcp://192.0.2.77:80"), destination("10.0.0.77:80"), given);
    let known = known(&overrides);
    let targets = known.resolve("tcp://192.0.2.77:80", "10.0.0.77").unwrap();
    assert_eq!(known.standing(targets[0]), Standing { given, ..Standing::default() });
}

#[test]
fn the_last_destination_with_weight_is_known() {
    let target = |last: &str| Target { service: service("tcp://192.0.2.10:80"), destination: destination(last) };
    // 10.0.0.12:80 is at 0 in the kernel, 10.0.0.12:81 by configuration, 10.0.0.13:80 is leaving.
    assert!(known(&Overrides::default()).is_last(target("10.0.0.11:8080")));
    assert!(!known(&Overrides::default()).is_last(target("10.0.0.12:80")), "it takes nothing as it is");
    let mut blind = known(&Overrides::default());
    blind.live = false;
    assert!(!blind.is_last(target("10.0.0.11:8080")), "as far as can be seen, 10.0.0.12:80 is well");
    let mut overrides = Overrides::default();
    overrides.set(
        service("tcp://192.0.2.10:80"),
        destination("10.0.0.12:80"),
        Override { weight: Some(WeightOverride { weight: 0, since: 1, until: None }), ..Override::default() },
    );
    let mut blind = known(&overrides);
    blind.live = false;
    assert!(blind.is_last(target("10.0.0.11:8080")));
    let down = HealthOverride { health: Forced::Down, since: 1, until: None };
    overrides.set(
        service("tcp://192.0.2.10:80"),
        destination("10.0.0.12:80"),
        Override { health: Some(down), ..Override::default() },
    );
    let mut ignored = known(&overrides);
    ignored.live = false;
    assert!(ignored.is_last(target("10.0.0.11:8080")), "what is down takes nothing");
    ignored.services.get_mut(&service("tcp://192.0.2.10:80")).unwrap().ignores_down = true;
    assert!(!ignored.is_last(target("10.0.0.11:8080")));
    blind.services.get_mut(&service("tcp://192.0.2.10:80")).unwrap().fallback = Some(destination("10.0.0.11:8080"));
    assert!(!blind.is_last(target("10.0.0.11:8080")), "a fallback is not what a service lives on");
}

mod giving {
    use super::super::super::words::words;
    use super::*;
    use crate::model::Action;

    /// 2026-01-05T13:40:00Z
    const NOW: u64 = 1_767_620_400;

    fn said(action: Action, before: Override, last: &str) -> String {
        let known = known(&Overrides::default());
        let target = Target { service: service("tcp://192.0.2.10:80"), destination: destination(last) };
        let after = if action.is_moot(known.standing(target)) { before } else { action.on(before, NOW) };
        action.sentence(&known, target, (before, after), NOW)
    }

    #[test]
    fn each_override_says_what_is_so_now() {
        const TITLE: &str = "10.0.0.11:8080 of tcp://192.0.2.10:80 (web)";
        let none = Override::default();
        let drained = Override { drained_since: Some(NOW - 300), ..none };
        let weight = WeightOverride { weight: 10, since: NOW - 300, until: None };
        let both = Override { weight: Some(weight), ..drained };
        let ten = Action::Weight { weight: 10, seconds: Some(1500) };
        for (action, before, want) in [
            (Action::Drain, none, "is drained"),
            (Action::Drain, drained, "is drained already, since 13:35 UTC"),
            (Action::Undrain, none, "was not drained"),
            (Action::Undrain, drained, "is not drained any more"),
            (Action::Undrain, both, "is not drained any more; its weight is 10 by override"),
            (ten, none, "has weight 10 until 14:05 UTC (configured: 100)"),
            (ten, drained, "has weight 10 until 14:05 UTC (configured: 100); it stays drained all the same"),
            (
                Action::Weight { weight: 0, seconds: None },
                none,
                "has weight 0 until it is taken back (configured: 100)",
            ),
            (Action::ResetWeight, both, "has its own weight again (configured: 100)"),
        ] {
            assert_eq!(said(action, before, "10.0.0.11:8080"), format!("{TITLE} {want}"));
        }
        assert_eq!(said(Action::ResetWeight, drained, "10.0.0.11:8080"), format!("no weight was set for {TITLE}"));
        assert_eq!(
            said(Action::Drain, none, "10.0.0.13:80"),
            "10.0.0.13:80 of tcp://192.0.2.10:80 (web) is not in the configuration any more, and on its way out already"
        );
        assert_eq!(Action::Drain.on(both, NOW), both, "what is drained is drained since then");
        assert_eq!(Action::Undrain.on(both, NOW), Override { weight: Some(weight), ..none });
        assert_eq!(Action::ResetWeight.on(both, NOW), drained);
        assert_eq!(words(both, NOW), ["drained by override since 13:35 UTC", "weight 10 by override since 13:35 UTC"]);
        assert_eq!(words(ten.on(none, NOW), NOW + 60), ["weight 10 by override until 14:05 UTC (24m more)"]);
    }

    #[test]
    fn health_says_what_is_so_now() {
        const TITLE: &str = "10.0.0.11:8080 of tcp://192.0.2.10:80 (web)";
        let none = Override::default();
        let drained = Override { drained_since: Some(NOW - 300), ..none };
        let of = |health, until| Some(HealthOverride { health, since: NOW - 300, until });
        let down = Override { health: of(Forced::Down, None), ..none };
        let action = |health, seconds| Action::Health { health, seconds };
        for (action, before, want) in [
            (action(Forced::Down, Some(1500)), none, "counts as down until 14:05 UTC"),
            (action(Forced::Up, None), none, "counts as up until it is taken back"),
            (action(Forced::Up, None), drained, "counts as up until it is taken back; it stays drained all the same"),
            (Action::ResetHealth, down, "has its own health again"),
            (
                Action::ResetHealth,
                Override { drained_since: Some(1), ..down },
                "has its own health again; it stays drained all the same",
            ),
            (
                Action::Undrain,
                Override { drained_since: Some(1), ..down },
                "is not drained any more; it is down by override",
            ),
            (
                Action::Weight { weight: 10, seconds: None },
                down,
                "has weight 10 until it is taken back (configured: 100); it stays down all the same",
            ),
        ] {
            assert_eq!(said(action, before, "10.0.0.11:8080"), format!("{TITLE} {want}"));
        }
        assert_eq!(said(Action::ResetHealth, drained, "10.0.0.11:8080"), format!("no health was set for {TITLE}"));
        let longer = action(Forced::Down, Some(60)).on(down, NOW);
        assert_eq!(longer.health, of(Forced::Down, Some(NOW + 60)), "it has been down since then");
        let up = action(Forced::Up, None).on(down, NOW).health.unwrap();
        assert_eq!((up.health, up.since), (Forced::Up, NOW));
        assert_eq!(Action::ResetHealth.on(Override { drained_since: Some(1), ..down }, NOW).drained_since, Some(1));
        assert_eq!(words(down, NOW), ["down by override since 13:35 UTC"]);
        assert_eq!(words(longer, NOW), ["down by override until 13:41 UTC (1m more)"]);
    }

    #[test]
    fn health_is_refused_where_there_is_none_and_what_it_does_is_said() {
        let mut known = known(&Overrides::default());
        let web = service("tcp://192.0.2.10:80");
        let target = |last: &str| Target { service: web, destination: destination(last) };
        let [up, down] = [Forced::Up, Forced::Down].map(|health| Action::Health { health, seconds: None });
        let refusal = |known: &Known, action: Action, last| action.refusal(known, target(last)).unwrap_or_default();
        assert!(refusal(&known, down, "10.0.0.13:80").ends_with("its health is what its checks say until it is gone"));
        assert!(refusal(&known, up, "10.0.0.77:80").ends_with("is not in the configuration any more"));
        assert_eq!(refusal(&known, Action::ResetHealth, "10.0.0.77:80"), "");
        assert_eq!(refusal(&known, down, "10.0.0.11:8080"), "");
        let said = |known: &Known, action: Action, last| action.warning(known, target(last)).unwrap_or_default();
        assert!(said(&known, down, "10.0.0.11:8080").starts_with("no other destination of "));
        assert_eq!(said(&known, up, "10.0.0.11:8080"), "");
        assert_eq!(said(&known, up, "10.0.0.12:81"), "", "that it is not in the table may be why");
        let of_web = known.services.get_mut(&web).unwrap();
        of_web.ignores_down = true;
        of_web.fallback = Some(destination("10.0.0.12:80"));
        assert_eq!(
            said(&known, down, "10.0.0.11:8080"),
            "tcp://192.0.2.10:80 (web) has on_down = \"ignore\": what is down keeps its weight; \
             `ipvsd drain` takes new connections away"
        );
        assert_eq!(
            refusal(&known, down, "10.0.0.12:80"),
            "10.0.0.12:80 of tcp://192.0.2.10:80 (web) is the fallback, which has no health: it is in use while no \
             other destination is up"
        );
    }

    #[test]
    fn what_cannot_help_is_refused_and_what_hurts_is_said() {
        let mut overrides = Overrides::default();
        overrides.set(
            service("tcp://192.0.2.10:80"),
            destination("10.0.0.77:80"),
            Override { drained_since: Some(1), ..Override::default() },
        );
        let known = known(&overrides);
        let target = |last: &str| Target { service: service("tcp://192.0.2.10:80"), destination: destination(last) };
        let ten = Action::Weight { weight: 10, seconds: None };
        for (action, last, want) in [
            (
                ten,
                "10.0.0.13:80",
                Some(
                    "10.0.0.13:80 of tcp://192.0.2.10:80 (web) is not in the configuration any more, and on its way out already: its weight is 0 until it is gone",
                ),
            ),
            (Action::Drain, "10.0.0.13:80", None),
            (Action::Undrain, "10.0.0.77:80", None),
            (
                Action::Drain,
                "10.0.0.77:80",
                Some("10.0.0.77:80 of tcp://192.0.2.10:80 (web) is not in the configuration any more"),
            ),
            (ten, "10.0.0.11:8080", None),
        ] {
            assert_eq!(action.refusal(&known, target(last)).as_deref(), want, "{action:?} {last}");
        }
        let last = Some("no other destination of tcp://192.0.2.10:80 (web) has weight: it refuses new connections");
        for (action, last, want) in [
            (Action::Drain, "10.0.0.11:8080", last),
            (Action::Weight { weight: 0, seconds: None }, "10.0.0.11:8080", last),
            (ten, "10.0.0.11:8080", None),
            (Action::Undrain, "10.0.0.11:8080", None),
            (Action::Drain, "10.0.0.12:80", None),
            (Action::Drain, "10.0.0.13:80", None),
            (ten, "10.0.0.12:81", Some("10.0.0.12:81 of tcp://192.0.2.10:80 (web) is not in the kernel's table yet")),
            (Action::Undrain, "10.0.0.12:81", None),
        ] {
            assert_eq!(action.warning(&known, target(last)).as_deref(), want, "{action:?} {last}");
        }
    }
}
