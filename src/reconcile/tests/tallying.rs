//! What is counted.

use super::looping::{FILES, NO_REASON, RESYNC};
use super::*;
use crate::reconcile::status::{Board, Status};
use crate::reconcile::tally::{Kind, Outcome, PassEnd, Tally, Trigger};

/// What was posted last.
#[derive(Default, Clone)]
struct Seen(Rc<RefCell<Status>>);

impl Board for Seen {
    fn post(&mut self, status: Status) {
        *self.0.borrow_mut() = status;
    }

    fn amend(&mut self, services: &BTreeSet<ServiceKey>, part: Status) {
        self.0.borrow_mut().put_part(services, part);
    }

    fn tell(&mut self, outdated: bool, tally: &Tally) {
        self.0.borrow_mut().tell(outdated, tally);
    }
}

fn second(start: Instant, at: u64) -> Now {
    Now { at: start + Duration::from_secs(at), unix: UNIX + at }
}

fn count(tally: &Tally, kind: Kind, outcome: Outcome) -> u64 {
    tally.operations.get(&kind).and_then(|outcomes| outcomes.get(&outcome)).copied().unwrap_or(0)
}

#[test]
fn passes_operations_drift_and_configurations_are_counted() {
    let kernel = Shared::default();
    let first = desired(&[(WEB, &[(A, 1), (B, 1)])]);
    let next = desired(&[(WEB, &[(A, 2), (B, 1)])]);
    let script = Script {
        next: VecDeque::from([Config::Refused(String::new()), Config::New(Box::new(next.clone()))]),
        ..Script::default()
    };
    let seen = Seen::default();
    let mut board = seen.clone();
    let start = Instant::now();
    let mut players = Players { ipvs: kernel.clone(), script, ..Players::default() };
    let mut looping = players.looping_for(&mut board, first, start);
    let mut tick = |at: u64, why: Why| looping.tick(why, &|| second(start, at));
    let tally = || seen.0.borrow().tally.clone();

    kernel.0.borrow_mut().refuse(key(WEB), Some(destination(B)), Errno::INVAL);
    tick(0, Why { start: true, ..NO_REASON });
    let one = tally();
    assert_eq!(one.passes, [(Trigger::Start, [(PassEnd::Failed, 1)].into())].into());
    assert_eq!(count(&one, Kind::AddService, Outcome::Done), 1);
    assert_eq!(count(&one, Kind::AddDestination, Outcome::Done), 1);
    assert_eq!(count(&one, Kind::AddDestination, Outcome::Failed), 1);
    assert_eq!(one.verified_at, 0, "not all of it is as it should be");
    assert_eq!((one.configuration.generation, one.configuration.accepted), (1, 1));
    assert_eq!(one.whole.counts.iter().sum::<u64>(), 1);

    tick(0, RESYNC);
    assert_eq!(tally().verified_at, 0, "what waits for its time is not as it should be either");
    kernel.0.borrow_mut().relent();
    tick(100, RESYNC);
    let two = tally();
    assert_eq!(two.passes[&Trigger::Resync], [(PassEnd::Done, 2)].into());
    assert_eq!(two.verified_at, UNIX + 100);

    tick(110, FILES);
    assert!(seen.0.borrow().outdated, "it is told at once, without a pass");
    assert_eq!(tally().configuration.refused, 1);
    assert_eq!(tally().configuration.generation, 1);
    tick(120, FILES);
    let three = tally();
    assert_eq!((three.configuration.generation, three.configuration.refused), (2, 1));
    assert_eq!(three.configuration.sha256, "of read 1");
    assert_eq!(count(&three, Kind::EditDestination, Outcome::Done), 1);
    assert_eq!(three.passes[&Trigger::Files], [(PassEnd::Done, 1)].into());
    assert_eq!(three.verified_at, two.verified_at, "a pass over a part has not seen all");
    assert_eq!(three.part.counts.iter().sum::<u64>(), 1);
    assert_eq!(three.drift, crate::reconcile::tally::Drift::default());

    kernel.0.borrow_mut().table().get_mut(&key(WEB)).unwrap().destinations.remove(&destination(A));
    tick(130, RESYNC);
    assert_eq!(tally().drift.destinations, 1);
    assert_eq!(tally().drift.services, 0);

    kernel.0.borrow_mut().fail_next(Error::Protocol("on purpose".into()));
    tick(160, RESYNC);
    let last = tally();
    assert_eq!(last.passes[&Trigger::Resync].get(&PassEnd::Impossible), Some(&1));
    assert_eq!(last.verified_at, UNIX + 130);
}

#[test]
fn what_waits_is_not_told_as_what_is_in_force() {
    let good = Desired { max_delete: MaxDelete::Count(0), ..desired(&[(WEB, &[(A, 1)]), (DNS, &[(A, 1)])]) };
    let without = |key: &str| Desired { table: desired(&[(key, &[(A, 1)])]).table, ..good.clone() };
    let edited = Desired { table: desired(&[(WEB, &[(A, 2)]), (DNS, &[(A, 1)])]).table, ..good.clone() };
    let next = [without(DNS), edited].map(|desired| Config::New(Box::new(desired)));
    let seen = Seen::default();
    let mut board = seen.clone();
    let start = Instant::now();
    let script = Script { next: VecDeque::from(next), ..Script::default() };
    let mut players = Players { script, ..Players::default() };
    let mut looping = players.looping_for(&mut board, good.clone(), start);
    let mut told = Vec::new();
    for why in [RESYNC, FILES, RESYNC, FILES] {
        looping.tick(why, &|| moment(start));
        let status = seen.0.borrow();
        told.push((status.outdated, status.tally.configuration.sha256.clone()));
    }
    let want = [(false, "of read 0"), (true, "of read 0"), (true, "of read 0"), (false, "of read 2")];
    assert_eq!(told, want.map(|(waits, sha256)| (waits, sha256.to_owned())));
}
