//! The diff: a merge-join of the live table and the effective one, with the ownership record alongside.

use std::collections::{BTreeMap, btree_map};

use crate::model::{
    DestinationKey, DestinationSettings, Manage, OwnedService, Record, Service, ServiceKey, ServiceSettings,
    ServiceView, Table, TableView,
};

use super::Plan;
use super::join::{Follow, Joined, join};
use super::note::Note;
use super::operation::{Cause, Operation, Stage, Step};

/// What turns `live` into `effective`, in the order of execution, as far as `manage` and `record` allow.
///
/// Carried out in full on `live`, the plan gives `effective` and what is foreign beside it; a second diff is
/// then empty. It holds one operation for each difference and no more. What is wanted is added and edited
/// under every policy, also outside of a `manage` list.
///
/// One walk over the three, in step. Nothing is allocated for what is equal.
pub fn diff(live: &impl TableView, effective: &Table, manage: &Manage, record: &Record) -> Plan {
    let mut differ = Differ::new(manage, record);
    let mut owned = Follow::new(record.services.iter());
    for joined in join(live.services(), &effective.services) {
        let key = *joined.key();
        let claim = differ.claim(&key, owned.find(&key));
        match joined {
            Joined::Both(_, live, wanted) => differ.both(claim, live, wanted),
            Joined::Live(_, live) => differ.live_only(claim, live),
            Joined::Wanted(_, wanted) => differ.wanted_only(claim, wanted),
        }
    }
    differ.finish()
}

/// What the policy and the record say of one service.
#[derive(Clone, Copy)]
struct Claim<'a> {
    service: ServiceKey,
    /// All of it may be deleted, whoever put it there.
    covered: bool,
    /// What is owned of it may be deleted.
    owned_may_go: bool,
    owned: Option<&'a OwnedService>,
}

impl<'a> Claim<'a> {
    fn may_delete(&self) -> bool {
        self.covered || (self.owned_may_go && self.owned.is_some())
    }

    /// What the record says of its destinations.
    fn destinations(&self) -> Owned<'a> {
        Follow::new(self.owned.map(|owned| owned.destinations.iter()).unwrap_or_default())
    }

    fn may_delete_destination(&self, owned: bool) -> bool {
        self.covered || (self.owned_may_go && owned)
    }

    /// Whether all of it is live as it is wanted, as nearly always, and all or none of it may be deleted, as the service may: one
    /// walk, which takes a third of what a join does.
    fn is_settled<D: AsRef<DestinationSettings>>(
        &self,
        live: &BTreeMap<DestinationKey, D>,
        wanted: &BTreeMap<DestinationKey, DestinationSettings>,
    ) -> bool {
        let mut owned = match self.owned {
            _ if self.covered || !self.owned_may_go => None,
            Some(owned) if owned.destinations.len() == live.len() => Some(owned.destinations.keys()),
            _ => return false,
        };
        let mut is_owned = |key| owned.as_mut().is_none_or(|owned| owned.next() == Some(key));
        let mut both = live.iter().zip(wanted);
        live.len() == wanted.len()
            && both.all(|((one, found), (other, settings))| one == other && found.as_ref() == settings && is_owned(one))
    }
}

/// The destinations on record, and how they were left.
type Owned<'a> = Follow<btree_map::Iter<'a, DestinationKey, Option<DestinationSettings>>>;

/// The plan while it is made. Deletes of services wait at the end, and so do the later stages.
struct Differ<'a> {
    manage: &'a Manage,
    record: &'a Record,
    plan: Plan,
    /// The raises of the service at hand: they stand behind its adds.
    raises: Vec<Step>,
    lowerings: Vec<Step>,
    destination_deletes: Vec<Step>,
    service_deletes: Vec<Step>,
}

impl<'a> Differ<'a> {
    fn new(manage: &'a Manage, record: &'a Record) -> Self {
        Self {
            manage,
            record,
            plan: Plan::default(),
            raises: Vec::new(),
            lowerings: Vec::new(),
            destination_deletes: Vec::new(),
            service_deletes: Vec::new(),
        }
    }

    fn finish(self) -> Plan {
        let Self { manage: _, record: _, mut plan, raises: _, lowerings, destination_deletes, service_deletes } = self;
        plan.steps.extend(lowerings);
        plan.steps.extend(destination_deletes);
        plan.steps.extend(service_deletes);
        plan
    }

    fn claim(&self, service: &ServiceKey, owned: Option<&'a OwnedService>) -> Claim<'a> {
        Claim {
            service: *service,
            covered: self.manage.covers(service) || self.record.is_helper(service),
            owned_may_go: *self.manage == Manage::Owned,
            owned,
        }
    }

    fn both(&mut self, claim: Claim<'_>, live: &impl ServiceView, wanted: &Service) {
        let service = claim.service;
        let (from, live) = (live.settings(), live.destinations());
        let Service { settings: to, destinations: wanted } = wanted;
        self.count_owned(claim.may_delete());
        if from == to {
            self.plan.unchanged += 1;
        } else {
            let operation = Operation::EditService { service, from: from.clone(), to: to.clone() };
            self.plan.steps.push(Step::new(operation, service_cause(claim, to)));
        }
        if claim.is_settled(live, wanted) {
            self.plan.unchanged += live.len();
            self.plan.owned += if claim.may_delete() { live.len() } else { 0 };
            return;
        }
        let mut owned = claim.destinations();
        for joined in join(live, wanted) {
            let destination = *joined.key();
            let left = owned.find(&destination);
            match joined {
                Joined::Both(_, from, to) => self.destination_in_both(claim, destination, (from.as_ref(), to), left),
                Joined::Wanted(_, settings) => self.add_destination(service, destination, settings, left),
                Joined::Live(_, from) => {
                    if claim.may_delete_destination(left.is_some()) {
                        self.count_owned(true);
                        self.delete_destination(service, destination, from.as_ref(), left.is_some());
                    } else {
                        self.plan.notes.push(Note::ForeignDestination { service, destination });
                    }
                }
            }
        }
        self.plan.steps.append(&mut self.raises);
    }

    fn destination_in_both(
        &mut self,
        claim: Claim<'_>,
        destination: DestinationKey,
        (from, to): (&DestinationSettings, &DestinationSettings),
        left: Option<&Option<DestinationSettings>>,
    ) {
        self.count_owned(claim.may_delete_destination(left.is_some()));
        if from == to {
            self.plan.unchanged += 1;
            return;
        }
        let operation = Operation::EditDestination { service: claim.service, destination, from: *from, to: *to };
        let queue = match operation.stage() {
            Stage::Lower => &mut self.lowerings,
            Stage::Raise | Stage::Delete => &mut self.raises,
        };
        queue.push(Step::new(operation, destination_cause(left, to)));
    }

    fn wanted_only(&mut self, claim: Claim<'_>, wanted: &Service) {
        let service = claim.service;
        let Service { settings, destinations } = wanted;
        let operation = Operation::AddService { service, settings: settings.clone() };
        self.plan.steps.push(Step::new(operation, service_cause(claim, settings)));
        let mut owned = claim.destinations();
        for (&destination, settings) in destinations {
            self.add_destination(service, destination, settings, owned.find(&destination));
        }
    }

    fn live_only(&mut self, claim: Claim<'_>, live: &impl ServiceView) {
        let service = claim.service;
        let (settings, destinations) = (live.settings(), live.destinations());
        if !claim.may_delete() {
            self.plan.notes.push(Note::ForeignService { service, destinations: destinations.len() });
            return;
        }
        self.count_owned(true);
        let mut owned = claim.destinations();
        let is_foreign = |key: &&DestinationKey| !claim.may_delete_destination(owned.find(key).is_some());
        let foreign: Vec<DestinationKey> = destinations.keys().filter(is_foreign).copied().collect();
        self.plan.owned += destinations.len() - foreign.len();
        if foreign.is_empty() {
            let cause = self.delete_cause(claim.owned.is_some());
            let (from, destinations) = (settings.clone(), destinations.len());
            let operation = Operation::DeleteService { service, from, destinations };
            self.service_deletes.push(Step::new(operation, cause));
            return;
        }
        let mut owned = claim.destinations();
        for (&destination, from) in destinations {
            let is_owned = owned.find(&destination).is_some();
            if claim.may_delete_destination(is_owned) {
                self.delete_destination(service, destination, from.as_ref(), is_owned);
            }
        }
        self.plan.notes.push(Note::KeptService { service, foreign });
    }

    fn add_destination(
        &mut self,
        service: ServiceKey,
        destination: DestinationKey,
        settings: &DestinationSettings,
        left: Option<&Option<DestinationSettings>>,
    ) {
        let operation = Operation::AddDestination { service, destination, settings: *settings };
        self.plan.steps.push(Step::new(operation, destination_cause(left, settings)));
    }

    fn delete_destination(
        &mut self,
        service: ServiceKey,
        destination: DestinationKey,
        from: &DestinationSettings,
        owned: bool,
    ) {
        let operation = Operation::DeleteDestination { service, destination, from: *from };
        self.destination_deletes.push(Step::new(operation, self.delete_cause(owned)));
    }

    fn count_owned(&mut self, owned: bool) {
        self.plan.owned += usize::from(owned);
    }

    /// What we put there is deleted because desired dropped it. What we did not, somebody else added: drift,
    /// unless there is no record to tell by.
    fn delete_cause(&self, owned: bool) -> Cause {
        drift_if(!owned && !self.record.services.is_empty())
    }
}

/// Of an add or edit that makes a service what is wanted.
fn service_cause(claim: Claim<'_>, wanted: &ServiceSettings) -> Cause {
    drift_if(claim.owned.and_then(|owned| owned.left.as_ref()) == Some(wanted))
}

/// Of an add or edit that makes a destination what is wanted.
fn destination_cause(left: Option<&Option<DestinationSettings>>, wanted: &DestinationSettings) -> Cause {
    drift_if(left.and_then(Option::as_ref) == Some(wanted))
}

fn drift_if(drift: bool) -> Cause {
    if drift { Cause::Drift } else { Cause::Change }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{OwnedService, Scope};
    use crate::plan::testing::{destination_key, lines, record_of, service_key, settings, table, weight};

    const WEB: &str = "tcp://192.0.2.10:80";

    fn causes(plan: &Plan) -> Vec<Cause> {
        plan.steps.iter().map(|step| step.cause).collect()
    }

    #[test]
    fn an_edit_is_drift_only_if_the_last_pass_left_what_is_wanted() {
        let live = table(&[(WEB, &[("10.0.0.1:80", 1)])]);
        let wanted = table(&[(WEB, &[("10.0.0.1:80", 2)])]);
        for (left, cause) in [
            (Some(weight(2)), Cause::Drift),
            (Some(weight(1)), Cause::Change),
            (Some(weight(3)), Cause::Change),
            (None, Cause::Change),
        ] {
            let destinations = [(destination_key("10.0.0.1:80"), left)].into();
            let owned = OwnedService { left: Some(settings("wlc")), destinations, drain: None };
            let record = Record { services: [(service_key(WEB), owned)].into(), ..Record::default() };
            assert_eq!(causes(&diff(&live, &wanted, &Manage::Owned, &record)), [cause], "{left:?}");
        }
    }

    #[test]
    fn a_lost_service_is_drift_and_a_destination_that_is_new_in_it_is_a_change() {
        let left = table(&[(WEB, &[("10.0.0.1:80", 1)])]);
        let wanted = table(&[(WEB, &[("10.0.0.1:80", 1), ("10.0.0.2:80", 1)])]);
        let plan = diff(&Table::default(), &wanted, &Manage::Owned, &record_of(&left));
        assert_eq!(causes(&plan), [Cause::Drift, Cause::Drift, Cause::Change]);
        assert!(plan.has_drift());
    }

    #[test]
    fn what_is_dropped_is_a_change_and_what_somebody_added_is_drift() {
        let wanted = table(&[(WEB, &[])]);
        let live = table(&[(WEB, &[("10.0.0.1:80", 1), ("10.0.0.9:80", 1)]), ("fwmark:9", &[])]);
        let record = record_of(&table(&[(WEB, &[("10.0.0.1:80", 1)])]));
        let plan = diff(&live, &wanted, &Manage::All, &record);
        assert_eq!(causes(&plan), [Cause::Change, Cause::Drift, Cause::Drift]);
        assert_eq!(plan.owned, 4);
        let plan = diff(&live, &wanted, &Manage::All, &Record::default());
        assert_eq!(causes(&plan), [Cause::Change; 3]);
    }

    #[test]
    fn a_service_that_holds_a_foreign_destination_is_kept() {
        let live = table(&[(WEB, &[("10.0.0.1:80", 1), ("10.0.0.9:80", 1)])]);
        let record = record_of(&table(&[(WEB, &[("10.0.0.1:80", 1)])]));
        let plan = diff(&live, &Table::default(), &Manage::Owned, &record);
        assert_eq!(lines(&plan), ["delete destination 10.0.0.1:80 of tcp://192.0.2.10:80"]);
        let foreign = vec![destination_key("10.0.0.9:80")];
        assert_eq!(plan.notes, [Note::KeptService { service: service_key(WEB), foreign }]);
        assert_eq!((plan.owned, plan.deletes()), (2, 1));
        let plan = diff(&live, &Table::default(), &Manage::All, &record);
        assert_eq!(lines(&plan), ["delete service tcp://192.0.2.10:80 and its 2 destinations"]);
        assert_eq!((plan.owned, plan.deletes()), (3, 3));
    }

    #[test]
    fn a_list_decides_alone_and_wanted_outside_of_it_is_still_made() {
        let manage = Manage::Within(vec![Scope::Prefix("198.51.100.0/24".parse().unwrap())]);
        let live = table(&[(WEB, &[("10.0.0.1:80", 1)]), ("tcp://198.51.100.1:80", &[("10.0.0.1:80", 1)])]);
        let wanted = table(&[(WEB, &[("10.0.0.2:80", 1)])]);
        let plan = diff(&live, &wanted, &manage, &record_of(&live));
        assert_eq!(
            lines(&plan),
            [
                "add destination 10.0.0.2:80 of tcp://192.0.2.10:80: forward nat, weight 1",
                "delete service tcp://198.51.100.1:80 and its 1 destination",
            ]
        );
        let (service, destination) = (service_key(WEB), destination_key("10.0.0.1:80"));
        assert_eq!(plan.notes, [Note::ForeignDestination { service, destination }]);
        assert_eq!(plan.owned, 2);
    }

    #[test]
    fn raises_come_before_lowerings_across_services_and_zero_is_a_weight() {
        let live = table(&[
            (WEB, &[("10.0.0.1:80", 0), ("10.0.0.2:80", 5), ("10.0.0.3:80", 0)]),
            ("fwmark:7", &[("10.0.0.1:80", 1)]),
        ]);
        let wanted = table(&[
            (WEB, &[("10.0.0.1:80", 5), ("10.0.0.2:80", 0), ("10.0.0.4:80", 0)]),
            ("fwmark:7", &[("10.0.0.1:80", 2)]),
        ]);
        let plan = diff(&live, &wanted, &Manage::All, &Record::default());
        assert_eq!(
            lines(&plan),
            [
                "add destination 10.0.0.4:80 of tcp://192.0.2.10:80: forward nat, weight 0",
                "edit destination 10.0.0.1:80 of tcp://192.0.2.10:80: weight 0 → 5",
                "edit destination 10.0.0.1:80 of fwmark:7: weight 1 → 2",
                "edit destination 10.0.0.2:80 of tcp://192.0.2.10:80: weight 5 → 0",
                "delete destination 10.0.0.3:80 of tcp://192.0.2.10:80",
            ]
        );
        assert_eq!(plan.unchanged, 2);
    }
}
