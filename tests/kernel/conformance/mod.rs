//! What IPVS does, case by case, for any `Ipvs` with an empty table: the real kernel and the fake alike.
//!
//! Read in `net/netfilter/ipvs/ip_vs_ctl.c`, and decided by running it on a real kernel.

mod convergence;
mod destinations;
mod services;
mod settings;
mod tables;

pub(crate) use convergence::*;
pub(crate) use destinations::*;
pub(crate) use services::*;
pub(crate) use settings::*;
pub(crate) use tables::*;

use std::collections::BTreeMap;

use ipvsd::ipvs::{Errno, Ipvs, Outcome, Refusal, carry_out};
use ipvsd::model::{
    Checksum, DestinationKey, DestinationSettings, Family, Forward, Live, Netmask, Persistence, Protocol, Scheduler,
    ServiceFlags, ServiceKey, ServiceSettings, Tunnel, TunnelType,
};
use ipvsd::plan::Operation;
use ipvsd::reconcile::read_whole;

/// What a case runs on, and in what it may differ from others of its kind.
pub(crate) struct Subject<'a> {
    pub(crate) ipvs: &'a mut dyn Ipvs,
    /// Upper thresholds over `i32::MAX` are refused: 6.12 does, 6.1 does not.
    pub(crate) thresholds_are_checked: bool,
    /// The table of connections is the namespace's own, and there from the first service on: 7.1 and later.
    pub(crate) has_its_own_table: bool,
}

const WEB: &str = "tcp://192.0.2.10:80";
const WEB6: &str = "tcp://[2001:db8::10]:80";
const ONE: &str = "10.0.0.1:80";
const ONE6: &str = "[2001:db8::1]:80";

fn key(text: &str) -> ServiceKey {
    text.parse().unwrap()
}

fn target(text: &str) -> DestinationKey {
    text.parse().unwrap()
}

fn scheduled(name: &str) -> ServiceSettings {
    ServiceSettings { scheduler: Scheduler::new(name), flags: ServiceFlags::default(), persistence: None }
}

fn persistent(timeout: u32, netmask: Netmask, engine: Option<&str>) -> ServiceSettings {
    let engine = engine.map(str::to_owned);
    ServiceSettings { persistence: Some(Persistence { timeout, netmask, engine }), ..scheduled("rr") }
}

fn weighing(weight: u32) -> DestinationSettings {
    DestinationSettings { forward: Forward::Nat, weight, max_connections: 0, min_connections: 0 }
}

fn forwarded(forward: Forward) -> DestinationSettings {
    DestinationSettings { forward, ..weighing(1) }
}

fn add(service: &str, settings: &ServiceSettings) -> Operation {
    Operation::AddService { service: key(service), settings: settings.clone() }
}

fn edit(service: &str, to: &ServiceSettings) -> Operation {
    Operation::EditService { service: key(service), from: scheduled("rr"), to: to.clone() }
}

fn delete(service: &str) -> Operation {
    Operation::DeleteService { service: key(service), from: scheduled("rr"), destinations: 0 }
}

fn add_destination(service: &str, destination: &str, settings: DestinationSettings) -> Operation {
    Operation::AddDestination { service: key(service), destination: target(destination), settings }
}

fn edit_destination(service: &str, destination: &str, to: DestinationSettings) -> Operation {
    Operation::EditDestination { service: key(service), destination: target(destination), from: weighing(1), to }
}

fn delete_destination(service: &str, destination: &str) -> Operation {
    Operation::DeleteDestination { service: key(service), destination: target(destination), from: weighing(1) }
}

impl Subject<'_> {
    fn execute(&mut self, operations: &[Operation]) -> Vec<Result<(), Refusal>> {
        self.ipvs.execute(&operations.iter().collect::<Vec<_>>()).unwrap()
    }

    fn carry_out(&mut self, operations: &[Operation]) -> Vec<Outcome> {
        carry_out(self.ipvs, &operations.iter().collect::<Vec<_>>()).unwrap()
    }

    #[track_caller]
    fn accepts(&mut self, operation: Operation) {
        let results = self.execute(std::slice::from_ref(&operation));
        assert_eq!(results, [Ok(())], "{operation:?}");
    }

    #[track_caller]
    fn refuses(&mut self, operation: Operation, errno: Errno) -> String {
        let results = self.execute(std::slice::from_ref(&operation));
        assert_eq!(results.len(), 1);
        match &results[0] {
            Err(refusal) => {
                assert_eq!(refusal.errno, errno, "{operation:?}: {refusal}");
                refusal.reason.clone()
            }
            Ok(()) => panic!("accepted, instead of {errno:?}: {operation:?}"),
        }
    }

    fn read(&mut self) -> Live {
        let live = self.ipvs.read().unwrap();
        assert_eq!(live.unknown, Vec::<String>::new());
        live
    }

    /// After a burst of services: from Linux 7.1 on the table grows behind one, and a dump that comes meanwhile is torn (1 in 10 of
    /// 2,000 was left out).
    fn read_whole(&mut self) -> Live {
        let live = read_whole(self.ipvs).unwrap();
        assert_eq!(live.unknown, Vec::<String>::new());
        live
    }

    /// The settings of a service, by a dump and by a single read, which must agree.
    #[track_caller]
    fn settings(&mut self, service: &str) -> ServiceSettings {
        let dumped = self.read().services.get(&key(service)).map(|live| live.settings.clone());
        let single = self.ipvs.read_services(&[key(service)]).unwrap();
        let single = single.get(&key(service)).map(|live| live.settings.clone());
        assert_eq!(dumped, single);
        single.unwrap_or_else(|| panic!("there is no {service}"))
    }

    #[track_caller]
    fn destination(&mut self, service: &str, destination: &str) -> DestinationSettings {
        let live = self.read();
        let dumped = live.services[&key(service)].destinations.get(&target(destination)).map(|live| live.settings);
        let single = &self.ipvs.read_services(&[key(service)]).unwrap()[&key(service)];
        assert_eq!(dumped, single.destinations.get(&target(destination)).map(|live| live.settings));
        dumped.unwrap_or_else(|| panic!("{service} has no {destination}"))
    }

    #[track_caller]
    fn keeps(&mut self, service: &str, settings: ServiceSettings) {
        self.accepts(add(service, &settings));
        assert_eq!(self.settings(service), settings, "{service}");
        self.accepts(delete(service));
    }

    #[track_caller]
    fn keeps_destination(&mut self, service: &str, destination: &str, settings: DestinationSettings) {
        self.accepts(add_destination(service, destination, settings));
        assert_eq!(self.destination(service, destination), settings, "{destination}");
        self.accepts(delete_destination(service, destination));
    }
}

/// Hands the names of all cases to the macro `run`.
macro_rules! every_case {
    ($run:ident) => {
        $run! {
            an_empty_table,
            keys_that_differ_in_anything_are_different_services,
            every_scheduler,
            what_exists_is_not_added_again,
            what_is_missing_is_neither_edited_nor_deleted,
            an_unknown_scheduler_or_engine_is_named,
            names_have_a_longest_length,
            an_ipv6_prefix_is_1_to_128,
            weights_and_thresholds_have_ranges,
            a_destination_has_a_unicast_address,
            a_gue_tunnel_has_a_port,
            every_forwarding_method_comes_back,
            the_other_family_takes_a_tunnel,
            odd_things_are_taken_without_a_word,
            the_mark_0_is_a_tcp_service,
            long_persistence_overflows,
            an_edit_replaces_everything,
            a_deleted_service_takes_its_destinations_along,
            a_refusal_stops_nothing_behind_it,
            every_error_of_many_finds_its_operation,
            a_large_table_is_read_whole,
            a_large_service_is_read_whole,
            what_is_gone_already_was_deleted,
            what_exists_already_becomes_what_was_wanted,
            what_exists_and_cannot_become_what_was_wanted_failed,
            what_depends_on_a_failure_is_skipped,
            timeouts_are_set_one_by_one,
            timeouts_have_a_longest,
            a_daemon_runs_until_it_is_stopped,
            one_daemon_of_each_role_runs,
            a_daemon_needs_an_interface,
            an_interface_that_is_down_has_no_master,
            every_id_comes_back,
            the_group_is_a_multicast_address,
            no_port_and_no_ttl_are_the_usual_ones,
            messages_have_a_length,
            no_connection_is_synchronised_beside_mixed_families,
        }
    };
}
pub(crate) use every_case;
