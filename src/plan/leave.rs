//! How destinations leave: quiesced first, and deleted when nobody is at them any more.
//!
//! [`diff`](super::diff()) says what is to go; [`drain`] says when. A delete that waits stays one step of the plan: whoever
//! carries it out quiesces first, looks at the connections, and deletes if there are none. Once quiesced, what still has
//! connections is a [`Note`] and no step: a pass over it sends nothing.

use std::collections::BTreeMap;

use crate::model::{DestinationKey, LiveDestination, LiveService, ServiceKey};

use super::Plan;
use super::note::Note;
use super::operation::{Operation, Stage, Step};

/// How one entry leaves the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leave {
    /// Its connections are waited for, so many seconds at most. `None` deletes at once.
    pub wait: Option<u64>,
    /// Connections that were seen.
    pub connections: u64,
    /// Does not count for `max_delete`: a drain that was let begin, or something that comes and goes by itself.
    pub exempt: bool,
    /// It is quiesced, and its deadline on record: there is nothing to do but wait.
    pub begun: bool,
}

/// All connections of a destination, templates of persistence among them.
pub fn connections(live: &LiveDestination) -> u64 {
    let LiveDestination { active_connections, inactive_connections, persistent_connections, settings: _, stats: _ } =
        live;
    u64::from(*active_connections) + u64::from(*inactive_connections) + u64::from(*persistent_connections)
}

/// Lets each deleted destination leave as `leave` says. `live` is what the plan was made for. A service that is deleted
/// waits for those of its destinations that wait; the others go before it.
#[must_use]
pub fn drain(
    plan: Plan,
    live: &BTreeMap<ServiceKey, LiveService>,
    leave: impl Fn(&ServiceKey, &DestinationKey, &LiveDestination) -> Leave,
) -> Plan {
    if plan.stage(Stage::Delete).is_empty() {
        return plan;
    }
    let Plan { steps, mut notes, unchanged, owned, host } = plan;
    // Deletes of services stand behind everything else.
    let services = steps.partition_point(|step| !matches!(step.operation, Operation::DeleteService { .. }));
    let mut kept = Vec::with_capacity(steps.len());
    let mut deleted_services = Vec::new();
    for (index, mut step) in steps.into_iter().enumerate() {
        let found = live.get(step.operation.service());
        match (&mut step.operation, found) {
            (Operation::DeleteDestination { service, destination, .. }, Some(found)) => {
                if let Some(found) = found.destinations.get(destination) {
                    step.leave = leave(service, destination, found);
                }
            }
            (Operation::DeleteService { service, destinations, .. }, Some(found)) => {
                let leaves: Vec<_> =
                    found.destinations.iter().map(|(key, found)| (*key, found, leave(service, key, found))).collect();
                let (waiting, rest): (Vec<_>, Vec<_>) =
                    leaves.into_iter().partition(|(_, _, leave)| leave.wait.is_some());
                step.leave = together(if waiting.is_empty() { &rest } else { &waiting });
                if !waiting.is_empty() {
                    *destinations = waiting.len();
                    kept.extend(rest.into_iter().map(|(destination, found, leave)| {
                        let (service, from) = (*service, found.settings);
                        let operation = Operation::DeleteDestination { service, destination, from };
                        Step { operation, cause: step.cause, leave }
                    }));
                }
            }
            _ => {}
        }
        match waits(&step) {
            Some(note) => notes.push(note),
            None if index < services => kept.push(step),
            None => deleted_services.push(step),
        }
    }
    kept.append(&mut deleted_services);
    Plan { steps: kept, notes, unchanged, owned, host }
}

/// How a service leaves with these destinations.
fn together(leaves: &[(DestinationKey, &LiveDestination, Leave)]) -> Leave {
    let all = || leaves.iter().map(|(_, _, leave)| leave);
    Leave {
        wait: all().filter_map(|leave| leave.wait).max(),
        connections: all().map(|leave| leave.connections).sum(),
        exempt: !leaves.is_empty() && all().all(|leave| leave.exempt),
        begun: !leaves.is_empty() && all().all(|leave| leave.begun),
    }
}

/// The note of a step that has nothing to do but wait.
fn waits(step: &Step) -> Option<Note> {
    let Leave { wait, connections, begun, exempt: _ } = step.leave;
    let seconds = wait.filter(|_| begun && connections > 0)?;
    let (service, destination) = (*step.operation.service(), step.operation.destination().copied());
    Some(Note::Draining { service, destination, connections, seconds })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Live, Manage, Record, Stats, Table};
    use crate::plan::testing::{lines, table};
    use crate::plan::{diff, render};

    const WEB: &str = "tcp://192.0.2.10:80";

    /// Each destination has so many active connections.
    fn live(table: &Table, connections: u32) -> Live {
        let services = table.services.iter().map(|(key, service)| {
            let destinations = service.destinations.iter().map(|(key, settings)| {
                let live = LiveDestination {
                    settings: *settings,
                    active_connections: connections,
                    inactive_connections: 0,
                    persistent_connections: 0,
                    stats: Stats::default(),
                };
                (*key, live)
            });
            let settings = service.settings.clone();
            (*key, LiveService { settings, stats: Stats::default(), destinations: destinations.collect() })
        });
        Live { services: services.collect(), unknown: Vec::new() }
    }

    fn wait(found: &LiveDestination) -> Leave {
        let begun = found.settings.weight == 0;
        Leave { wait: Some(90), connections: connections(found), exempt: false, begun }
    }

    fn planned(live: &Live, wanted: &Table) -> Plan {
        let plan = diff(&live.to_table(), wanted, &Manage::All, &Record::default());
        drain(plan, &live.services, |_, _, found| wait(found))
    }

    #[test]
    fn a_delete_waits_as_a_step_until_it_is_quiesced_and_as_a_note_from_then_on() {
        let wanted = table(&[(WEB, &[("10.0.0.1:80", 1)])]);
        for (weight, connections, steps, notes) in [(5, 0, 1, 0), (5, 3, 1, 0), (0, 3, 0, 1), (0, 0, 1, 0)] {
            let before = table(&[(WEB, &[("10.0.0.1:80", 1), ("10.0.0.2:80", weight)])]);
            let plan = planned(&live(&before, connections), &wanted);
            assert_eq!((plan.steps.len(), plan.notes.len()), (steps, notes), "weight {weight}, {connections}");
        }
    }

    #[test]
    fn a_service_waits_for_the_last_of_its_destinations() {
        let before = table(&[(WEB, &[("10.0.0.1:80", 0), ("10.0.0.2:80", 5)])]);
        let plan = planned(&live(&before, 2), &Table::default());
        assert_eq!(lines(&plan), ["delete service tcp://192.0.2.10:80 and its 2 destinations"]);
        assert_eq!(plan.steps[0].leave, Leave { wait: Some(90), connections: 4, exempt: false, begun: false });
        let before = table(&[(WEB, &[("10.0.0.1:80", 0), ("10.0.0.2:80", 0)])]);
        let plan = planned(&live(&before, 2), &Table::default());
        assert!(plan.is_empty());
        let notes: Vec<String> = plan.notes.iter().map(render::note_line).collect();
        assert_eq!(notes, ["tcp://192.0.2.10:80 drains: 4 connections left, deleted after 1m30s at the latest"]);
        let plan = planned(&live(&table(&[(WEB, &[])]), 0), &Table::default());
        assert_eq!(plan.steps[0].leave, Leave::default());

        // One that need not be waited for goes alone.
        let before = table(&[(WEB, &[("10.0.0.1:80", 0), ("10.0.0.2:80", 5)]), ("fwmark:7", &[])]);
        let live = live(&before, 2);
        let plan = diff(&before, &Table::default(), &Manage::All, &Record::default());
        let now = Leave { wait: None, connections: 2, exempt: true, begun: true };
        let first = |destination: &DestinationKey| destination.to_string() == "10.0.0.1:80";
        let plan =
            drain(plan, &live.services, |_, destination, found| if first(destination) { now } else { wait(found) });
        assert_eq!(
            lines(&plan),
            [
                "delete destination 10.0.0.1:80 of tcp://192.0.2.10:80",
                "delete service tcp://192.0.2.10:80 and its 1 destination",
                "delete service fwmark:7",
            ]
        );
        assert_eq!((plan.steps[0].leave, plan.deletes()), (now, 3));
    }
}
