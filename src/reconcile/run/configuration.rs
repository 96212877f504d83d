//! How a configuration comes into force.

use std::collections::{BTreeMap, BTreeSet};

use super::{Beginning, Loop, Part};
use crate::model::{Desired, Host, OnDown, Policy, Record, ServiceKey, SharedChecks};
use crate::plan::{self, Of, Plan};
use crate::reconcile::checker::Assignments;
use crate::reconcile::concern::{Concern, with_helpers};
use crate::reconcile::host::Ground;
use crate::reconcile::narrate;
use crate::reconcile::observe::{Inputs, observe};
use crate::reconcile::part::PartIpvs;
use crate::reconcile::pass::Refused;
use crate::reconcile::schedule::{Event, Now, Why};
use crate::reconcile::sight::Sight;
use crate::reconcile::standing::Standing;

impl Loop<'_> {
    /// Puts a configuration into force, unless it would delete more than it may: then it waits, and what is in force goes on.
    /// Says whether it is in force now.
    pub(super) fn take(&mut self, mut desired: Box<Desired>, why: Why, clock: &dyn Fn() -> Now) -> bool {
        let started = clock();
        self.company.source.replaces(&self.desired, &mut desired);
        let concern = Concern::between(&self.desired, &desired, &self.record);
        if let Some(refused) = self.refuses(&desired, &concern, started.unix) {
            let told = self.circumstances(why, clock().at - started.at, &Concern::All);
            narrate::refused(told, &refused, &mut self.said);
            self.waiting = Some((desired, refused));
            self.tally.refused();
            return false;
        }
        self.accept(*desired, &concern);
        self.beginning = Beginning::Over;
        self.company.source.in_force();
        self.tally.accepted(started.unix);
        self.owed.join(concern);
        self.schedule.set_resync(self.desired.resync, clock().at);
        true
    }

    /// A process that begins with more deletes than it may make goes on with what the one before had in force, and lets the new
    /// configuration wait, as that one would have.
    pub(super) fn go_back(&mut self, why: Why, clock: &dyn Fn() -> Now) {
        if self.beginning != Beginning::Asked {
            return;
        }
        self.beginning = Beginning::Refused;
        let Some(before) = self.company.source.recall(&self.record) else { return };
        let now = clock();
        // What the refused pass has seen was by the other one's rules.
        self.company.checker.assign(&Assignments::new());
        self.standing = Standing::default();
        self.company.checker.set_at_once(before.checks_at_once);
        self.company.listener.configure(&before);
        self.retired = Some(std::mem::replace(&mut self.desired, *before));
        self.tally.accepted(now.unix);
        self.schedule.set_resync(self.desired.resync, now.at);
        self.schedule.event(Event::Files, now.at);
        self.reconcile(why, clock);
    }

    /// Puts what came over the API into force. Of what it takes away as well: it was asked for by name.
    pub(super) fn take_part(&mut self, part: Part) {
        let Part { services, desired, look } = part;
        let before = self.desired.part(&services);
        let Desired { table, origins, policies, .. } = desired;
        let after = Desired { table, origins, policies, ..before.clone() };
        // What a part says of the host is nothing, and the host may go by its services all the same.
        let mut concern = Concern::between(&before, &after, &self.record);
        if self.desired.host != Host::default() && !concern.is_nothing() {
            concern = Concern::All;
        }
        concern.add(services.iter().chain(&look).copied());
        self.farewells.extend(farewells(before.policies.iter(), &after));
        if let Some((waiting, _)) = &mut self.waiting {
            waiting.put_part(&services, after.clone());
        }
        self.desired.put_part(&services, after);
        // Whoever did it wants to see it now.
        let of_part = Concern::Services(&services | &look);
        self.backoff.keep_only(|object| !object.is_in(&of_part));
        self.owed.join(concern);
    }

    /// Nothing waits to come into force any more, which all of the status and the log are to say.
    pub(super) fn wait_no_more(&mut self) {
        if self.waiting.take().is_some() {
            self.owed = Concern::All;
        }
    }

    /// Why a configuration may not come into force, with the table as it is. If that cannot be read, the pass will say so.
    fn refuses(&mut self, desired: &Desired, concern: &Concern, unix: u64) -> Option<Refused> {
        if self.force {
            return None;
        }
        let services = match concern {
            Concern::All => None,
            Concern::Services(services) => with_helpers(services.clone(), desired, &self.record),
        };
        let mut plan = match services {
            None => self.foresee(desired, &self.record.clone(), None, unix)?,
            Some(services) => {
                let record = self.record.part(&services);
                let elsewhere = self.owned.saturating_sub(record.entries(&desired.manage));
                let plan = self.foresee(&desired.part(&services), &record, Some(&services), unix)?;
                Plan { owned: plan.owned + elsewhere, ..plan }
            }
        };
        plan.exempt(&self.company.source.asked());
        plan::guard(&plan, desired.max_delete).err().map(Refused::from)
    }

    /// What would be done now, to everything or to these services.
    fn foresee(
        &mut self,
        desired: &Desired,
        record: &Record,
        services: Option<&BTreeSet<ServiceKey>>,
        unix: u64,
    ) -> Option<Plan> {
        let (overrides, farewells) = (&self.overrides, &self.farewells);
        let inputs = Inputs { desired, record, overrides, farewells, unix, restore_host: false };
        let mut sight = Sight::Once { status: None };
        let seen = match services {
            None => observe(&mut Ground { ipvs: self.ipvs, host: self.company.host }, &inputs, &mut sight),
            Some(services) => {
                let mut ipvs = PartIpvs { ipvs: self.ipvs, services };
                observe(&mut Ground { ipvs: &mut ipvs, host: self.company.host }, &inputs, &mut sight)
            }
        };
        Some(seen.ok()?.plan)
    }

    /// Puts a configuration into force. The checks of what it drops go on while that drains.
    fn accept(&mut self, desired: Desired, concern: &Concern) {
        let before = &self.desired;
        let taken = match concern {
            Concern::All => farewells(before.policies.iter(), &desired),
            Concern::Services(services) => {
                let policies = services.iter().filter_map(|key| before.policies.get_key_value(key));
                farewells(policies, &desired)
            }
        };
        self.farewells.extend(taken);
        self.company.checker.set_at_once(desired.checks_at_once);
        self.company.listener.configure(&desired);
        self.retired = Some(std::mem::replace(&mut self.desired, desired));
        self.forget_farewells(concern);
    }

    /// Of these services, what is desired again or not owned any more needs no last checks.
    pub(super) fn forget_farewells(&mut self, concern: &Concern) {
        let (desired, record) = (&self.desired, &self.record);
        self.farewells.retain(|(service, destination), _| {
            !concern.covers(service)
                || (record.owns_destination(service, destination) && !desired.table.has(service, destination))
        });
    }
}

/// The checks of what is not desired any more go on while it drains. One that nobody went by before has no say then.
fn farewells<'a>(
    policies: impl Iterator<Item = (&'a ServiceKey, &'a Policy)>,
    after: &Desired,
) -> BTreeMap<Of, SharedChecks> {
    let heeded = policies.filter(|(_, policy)| policy.on_down != OnDown::Ignore);
    let all =
        heeded.flat_map(|(service, policy)| policy.checks.iter().map(move |(of, checks)| ((*service, *of), checks)));
    let gone = all.filter(|((service, destination), _)| !after.table.has(service, destination));
    gone.map(|(of, checks)| (of, checks.clone())).collect()
}
