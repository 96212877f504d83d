//! The passes of the loop: what each concerns, and what comes of it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Beginning, Loop};
use crate::model::{HostKey, ServiceKey};
use crate::plan::Operation;
use crate::reconcile::backoff::{Backoff, Object};
use crate::reconcile::concern::{Concern, with_helpers};
use crate::reconcile::host::Ground;
use crate::reconcile::narrate::{self, Circumstances};
use crate::reconcile::notice::Passed;
use crate::reconcile::part::{PartChecker, PartIpvs, PartStore};
use crate::reconcile::pass::{Hands, Options, PassError, Report, Terms, pass};
use crate::reconcile::schedule::{Now, Why};
use crate::reconcile::sight::Sight;
use crate::reconcile::status;

/// Fewer services are never most of them.
const MANY: usize = 100;

impl Loop<'_> {
    pub(super) fn circumstances(&self, why: Why, took: Duration, concern: &Concern) -> Circumstances {
        let services = match concern {
            Concern::All => None,
            Concern::Services(services) => Some(services.len()),
        };
        Circumstances { why, took, services, outdated: self.outdated, waits: self.waiting.is_some() }
    }

    /// Makes a pass, says what came of it, and sees when to try again.
    pub(super) fn reconcile(&mut self, why: Why, clock: &dyn Fn() -> Now) {
        let started = clock();
        self.follow_the_clock(started);
        let concern = self.concern(why, started);
        let asked = self.company.source.asked();
        let result = match &concern {
            Concern::All => self.pass_over_all(&asked, started),
            Concern::Services(services) => self.pass_over(services, &asked, started),
        };
        let now = clock();
        let took = now.at - started.at;
        self.schedule.passed(why, now.at, took);
        let told = self.circumstances(why, took, &concern);
        self.tally.pass(why, concern == Concern::All, took, &result, now.unix);
        // A pass that came to nothing has seen something all the same.
        let seen = self.standing.take_notices();
        narrate::pass(told, &result, &seen, &self.desired, &mut self.said);
        if let Ok(report) = &result
            && report.refused.is_none()
        {
            let begins = std::mem::replace(&mut self.beginning, Beginning::Over) != Beginning::Over;
            // One that waits is what was loaded last.
            if begins && self.waiting.is_none() {
                self.company.source.in_force();
            }
            self.remember(report, &concern, now.at);
            self.forget_farewells(&concern);
        }
        self.post(why, &concern, &result, now);
        self.tell(&seen, &result);
        let Circumstances { services, .. } = told;
        let passed = Passed { why, took, services, result: &result, desired: &self.desired };
        self.company.listener.passed(passed);
        self.company.source.passed(&|service| concern.covers(service), &result);
        match result {
            // A refusal does not go away by itself: the next resync looks again. And what a pass over everything may not do is
            // not done piece by piece.
            Ok(report) if report.refused.is_some() => {
                self.trouble = 0;
                self.owed = Concern::All;
                self.schedule.set_retry(None);
                self.look_again(&report, true, now, took);
                self.go_back(why, clock);
            }
            Ok(report) => {
                self.trouble = 0;
                // What was due at the start had its turn, be it that the pass was refused. And failures that fall
                // due one by one make no more than a pass a second.
                let next = self.backoff.next_after(started.at, |object| object.is_in(&concern));
                let next = next.map(|at| at.max(now.at + Backoff::FIRST));
                let is_all = concern == Concern::All;
                if is_all || why.retry {
                    self.schedule.set_retry(next)
                } else {
                    self.schedule.bring_retry(next)
                }
                self.note_what_is_owed(&report, &concern);
                self.look_again(&report, is_all || why.step, now, took);
            }
            Err(PassError::Observe(_) | PassError::Apply { .. }) => {
                // What it did is not known.
                self.owed = Concern::All;
                self.trouble = self.trouble.saturating_add(1);
                let delay = self.backoff.delay(self.trouble);
                self.schedule.set_retry(Some(now.at + delay));
            }
        }
    }

    /// What a pass concerns that is made for `why`. What has been told until now is taken note of.
    fn concern(&mut self, why: Why, now: Now) -> Concern {
        let mut concern = std::mem::take(&mut self.owed);
        let overrides = self.company.overrides.current(now.unix);
        let given = overrides.differing(&self.overrides);
        if !given.is_empty() {
            self.overrides = overrides.clone();
        }
        concern.add(given);
        concern.add(self.company.checker.take_changed());
        if why.health {
            concern.add(self.awaited.iter().copied());
        }
        if why.step {
            concern.add(self.standing.ramping());
            concern.add(self.record.drains.keys().copied());
        }
        if why.retry {
            let due: Vec<Concern> = self.backoff.due(now.at).map(Object::concern).collect();
            due.into_iter().for_each(|object| concern.join(object));
        }
        if why.start || why.reload || why.resync {
            concern = Concern::All;
        }
        // Many reads of one service cost more than one of all of them.
        let is_most = |services: &BTreeSet<ServiceKey>| services.len() > MANY.max(self.record.services.len() / 2);
        match concern {
            Concern::All => Concern::All,
            Concern::Services(services) if is_most(&services) => Concern::All,
            Concern::Services(services) => {
                with_helpers(services, &self.desired, &self.record).map_or(Concern::All, Concern::Services)
            }
        }
    }

    fn pass_over_all(&mut self, asked: &BTreeSet<ServiceKey>, started: Now) -> Result<Report, PassError> {
        let Self { backoff, desired, overrides, farewells, company, .. } = self;
        let options = Options {
            force: self.force,
            only: None,
            held: &|operation| held(backoff, operation, started),
            host_held: &|key| backoff.held(&Object::Host(HostKey::clone(key)), started.at),
        };
        let ground = Ground { ipvs: self.ipvs, host: company.host };
        let hands = Hands { ground, record: &mut self.record, store: company.store };
        let terms = Terms { overrides, farewells, asked, ..Terms::plain(desired, started.unix) };
        let mut sight = Sight::Checks { checker: company.checker, standing: &mut self.standing, now: started.at };
        let result = pass(hands, terms, &mut sight, &options);
        self.owned = self.record.entries(&self.desired.manage);
        result
    }

    /// The same pass, in a world of these services only.
    fn pass_over(
        &mut self,
        services: &BTreeSet<ServiceKey>,
        asked: &BTreeSet<ServiceKey>,
        started: Now,
    ) -> Result<Report, PassError> {
        let desired = self.desired.part(services);
        let overrides = self.overrides.part(services);
        let mut record = self.record.part(services);
        let mut standing = self.standing.take_part(services);
        let elsewhere = self.owned.saturating_sub(record.entries(&desired.manage));
        let Self { backoff, farewells, company, .. } = self;
        let options = Options {
            force: self.force,
            only: None,
            held: &|operation| held(backoff, operation, started),
            host_held: &|_| None,
        };
        let mut ipvs = PartIpvs { ipvs: self.ipvs, services };
        let mut checker = PartChecker { checker: company.checker, services };
        let mut store = PartStore { store: company.store, services, whole: &mut self.record };
        let ground = Ground { ipvs: &mut ipvs, host: company.host };
        let hands = Hands { ground, record: &mut record, store: &mut store };
        let terms =
            Terms { overrides: &overrides, farewells, asked, elsewhere, ..Terms::plain(&desired, started.unix) };
        let mut sight = Sight::Checks { checker: &mut checker, standing: &mut standing, now: started.at };
        let result = pass(hands, terms, &mut sight, &options);
        self.standing.put_part(standing);
        self.owned = elsewhere + record.entries(&desired.manage);
        self.record.put_part(services, record);
        result
    }

    /// Shows what the pass left.
    fn post(&mut self, why: Why, concern: &Concern, result: &Result<Report, PassError>, now: Now) {
        self.tally.tell_apart(|| self.company.source.fingerprint());
        let waits = self.waiting.as_ref().map(|(_, refused)| refused);
        let backoff = &self.backoff;
        let told = status::Told { why, outdated: self.outdated, waits, now, concern, backoff };
        let status = status::of(told, result, &self.desired, &self.record, &self.overrides);
        let status = status::Status { tally: self.tally.clone(), ..status };
        match (concern, result) {
            (Concern::All, Ok(_)) => self.company.board.post(status),
            (Concern::Services(services), Ok(_)) => self.company.board.amend(services, status),
            // What was known before is all that is known.
            (_, Err(_)) => self.company.board.amend(&BTreeSet::new(), status),
        }
    }

    /// What the pass leaves to the next one.
    fn note_what_is_owed(&mut self, report: &Report, concern: &Concern) {
        self.owed.add(report.picture.ready.iter().copied());
        self.awaited.retain(|service| !concern.covers(service));
        self.awaited.extend(&report.picture.awaited);
        // Its address goes with the last service that has it, which takes a view of all of them.
        let has_gone = |operation: &Operation| matches!(operation, Operation::DeleteService { .. });
        let is_part = *concern != Concern::All;
        if is_part
            && !self.record.host.is_empty()
            && report.outcomes().any(|(step, result)| result.is_ok() && has_gone(&step.operation))
        {
            self.owed = Concern::All;
        }
    }

    /// Deadlines of drains are kept by the clock of the day, for the next process. If that clock was set they go with it:
    /// nobody is cut off, and nobody stays, because the time of the day is another.
    fn follow_the_clock(&mut self, now: Now) {
        const SLACK: u64 = 5;
        let ticked = now.at.saturating_duration_since(self.clock.at).as_secs();
        let without = self.clock.unix.saturating_add(ticked);
        self.clock = now;
        if now.unix.abs_diff(without) > SLACK && !self.record.drains.is_empty() {
            self.record.shift_drains(i64::try_from(i128::from(now.unix) - i128::from(without)).unwrap_or(0));
            // What cannot be written now is written with the next pass.
            _ = self.company.store.save(&self.record);
        }
    }
}

fn held(backoff: &Backoff, operation: &Operation, now: Now) -> Option<crate::plan::Held> {
    backoff.held(&Object::of(operation), now.at)
}
