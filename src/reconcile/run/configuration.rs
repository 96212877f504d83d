//! How a configuration comes into force.

use super::Loop;
use crate::model::{Desired, OnDown};
use crate::plan;
use crate::reconcile::host::Ground;
use crate::reconcile::narrate;
use crate::reconcile::observe::{Inputs, observe};
use crate::reconcile::pass::Refused;
use crate::reconcile::schedule::{Now, Why};
use crate::reconcile::sight::Sight;

impl Loop<'_> {
    /// Puts a configuration into force, unless it would delete more than it may: then it waits, and what is in force goes on.
    /// Says whether it is in force now.
    pub(super) fn take(&mut self, desired: Box<Desired>, why: Why, clock: &dyn Fn() -> Now) -> bool {
        let started = clock();
        if let Some(refused) = self.refuses(&desired, started.unix) {
            let told = self.circumstances(why, clock().at - started.at);
            narrate::refused(told, &refused, &mut self.said);
            self.waiting = Some((desired, refused));
            return false;
        }
        self.accept(*desired);
        self.schedule.set_resync(self.desired.resync, clock().at);
        true
    }

    /// Why a configuration may not come into force, with the table as it is. If that cannot be read, the pass will say so.
    fn refuses(&mut self, desired: &Desired, unix: u64) -> Option<Refused> {
        if self.force {
            return None;
        }
        let (record, overrides, farewells) = (&self.record, &self.overrides, &self.farewells);
        let inputs = Inputs { desired, record, overrides, farewells, unix, restore_host: false };
        let mut ground = Ground { ipvs: self.ipvs, host: self.company.host };
        let observed = observe(&mut ground, &inputs, &mut Sight::Once { status: None }).ok()?;
        plan::guard(&observed.plan, desired.max_delete).err().map(Refused::from)
    }

    /// Puts a configuration into force. The checks of what it drops go on while that drains.
    fn accept(&mut self, desired: Desired) {
        // One that nobody went by before has no say now.
        let heeded = self.desired.policies.iter().filter(|(_, policy)| policy.on_down != OnDown::Ignore);
        for (service, policy) in heeded {
            for (destination, checks) in &policy.checks {
                self.farewells.insert((*service, *destination), checks.clone());
            }
        }
        self.company.checker.set_at_once(desired.checks_at_once);
        self.company.listener.configure(desired.hooks.as_ref());
        self.desired = desired;
        let (desired, record) = (&self.desired, &self.record);
        self.farewells.retain(|(service, destination), _| {
            record.owns_destination(service, destination) && !desired.table.has(service, destination)
        });
    }
}
