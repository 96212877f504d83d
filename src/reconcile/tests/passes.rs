//! What one pass promises when things go wrong.

use super::*;
use crate::reconcile::read_whole;

#[test]
fn a_pass_converges_and_the_next_one_sends_nothing() {
    let mut scene = Scene::default();
    let wanted = desired(&[(WEB, &[(A, 1), (B, 0)]), (DNS, &[(A, 5)])]);
    let report = scene.pass(&wanted);
    assert_eq!((report.changed(), report.failed()), (5, 0));
    assert_eq!(scene.table(), wanted.table);
    assert_eq!(scene.executed(), 5);
    assert_eq!(scene.store.saved.len(), 2, "once before, once after");
    assert_eq!(scene.store.saved.last(), Some(&scene.record));

    let report = scene.pass(&wanted);
    assert_eq!((report.plan.steps.len(), report.plan.unchanged), (0, 5));
    assert_eq!(scene.executed(), 0);
    assert_eq!(scene.store.saved.len(), 2, "nothing new to write down");
}

#[test]
fn what_is_foreign_stays_and_what_was_owned_goes() {
    let mut scene = Scene::default();
    scene.foreign(DNS, &[(A, 1)]);
    scene.pass(&desired(&[(WEB, &[(A, 1)])]));
    scene.pass(&desired(&[]));
    let left: Vec<ServiceKey> = scene.table().services.into_keys().collect();
    assert_eq!(left, [key(DNS)]);
    assert_eq!(scene.record, Record::default());
}

#[test]
fn what_is_wanted_and_there_is_adopted_with_nothing_sent() {
    let mut scene = Scene::default();
    scene.foreign(WEB, &[(A, 1), (B, 1)]);
    scene.pass(&desired(&[(WEB, &[(A, 1)])]));
    assert_eq!(scene.executed(), 0, "the other destination is foreign");
    assert!(scene.record.owns_destination(&key(WEB), &destination(A)));
    assert!(!scene.record.owns_destination(&key(WEB), &destination(B)));
    scene.pass(&desired(&[]));
    assert_eq!(scene.table(), desired(&[(WEB, &[(B, 1)])]).table, "the service is kept for the foreign one");
}

#[test]
fn a_torn_dump_changes_nothing() {
    let mut scene = Scene::default();
    let wanted = desired(&[(WEB, &[(A, 1), (B, 1)]), (DNS, &[(A, 1)])]);
    scene.pass(&wanted);
    scene.kernel.take_log();
    for hidden in [Hidden::Service(key(WEB)), Hidden::Destination(key(WEB), destination(B))] {
        scene.kernel.tear_next_read(vec![hidden]);
        let report = scene.pass(&wanted);
        assert_eq!((report.plan.steps.len(), scene.executed()), (0, 0), "{hidden:?}");
        assert!(scene.record.owns_destination(&key(WEB), &destination(B)));
    }
}

#[test]
fn a_torn_dump_disowns_nothing() {
    let wanted = desired(&[(WEB, &[(A, 1)])]);
    for hidden in [Hidden::Service(key(DNS)), Hidden::Destination(key(WEB), destination(B))] {
        let mut scene = Scene::default();
        scene.pass(&desired(&[(WEB, &[(A, 1), (B, 1)]), (DNS, &[(A, 1)])]));
        // What the dump leaves out is not wanted any more: nothing in the plan asks for a second look at it.
        scene.kernel.tear_next_read(vec![hidden]);
        scene.pass(&wanted);
        scene.pass(&wanted);
        assert_eq!(scene.table(), wanted.table, "{hidden:?}");
    }
}

#[test]
fn an_entry_that_is_gone_at_the_second_look_is_not_deleted() {
    let mut scene = Scene::default();
    scene.pass(&desired(&[(WEB, &[(A, 1), (B, 1)])]));
    scene.kernel.take_log();
    // The dump still shows it, the exact read does not.
    scene.kernel.before_next_read(|_| {});
    scene.kernel.before_next_read(|table| {
        table.get_mut(&key(WEB)).unwrap().destinations.remove(&destination(B));
    });
    scene.pass(&desired(&[(WEB, &[(A, 1)])]));
    assert_eq!(scene.executed(), 0);
}

#[test]
fn one_failure_blocks_no_other_and_takes_no_weight_away() {
    let mut scene = Scene::default();
    scene.pass(&desired(&[(WEB, &[(A, 1)]), (DNS, &[(A, 1)])]));
    scene.kernel.refuse(key(WEB), Some(destination(B)), Errno::INVAL);
    let wanted = desired(&[(WEB, &[(B, 1)]), (DNS, &[(B, 1)])]);
    let report = scene.pass(&wanted);
    assert_eq!(scene.table(), desired(&[(WEB, &[(A, 1)]), (DNS, &[(B, 1)])]).table);
    assert_eq!((report.changed(), report.failed()), (2, 2));
    let failed = report.results.iter().position(|result| matches!(result, StepResult::Failed(_))).unwrap();
    assert!(
        report.results.iter().any(|result| matches!(result, StepResult::Skipped { because, .. } if *because == failed))
    );

    scene.kernel.relent();
    assert_eq!(scene.pass(&wanted).failed(), 0);
    assert_eq!(scene.table(), wanted.table);
}

#[test]
fn a_service_that_cannot_be_added_is_the_reason_for_its_destinations() {
    let mut scene = Scene::default();
    scene.kernel.without_module("wrr");
    let report = scene.pass(&desired(&[(WEB, &[(A, 1), (B, 1)])]));
    assert!(matches!(report.results[0], StepResult::Failed(_)));
    for result in &report.results[1..] {
        assert!(matches!(result, StepResult::Skipped { because: 0, .. }), "{result:?}");
    }
    assert_eq!(scene.record, Record::default(), "nothing came to be, so nothing is owned");
}

#[test]
fn a_crash_in_the_middle_leaves_nothing_that_nobody_owns() {
    let mut scene = Scene::default();
    scene.foreign(DNS, &[(A, 1)]);
    // The dump, the second look at what is to be added, and the execution, which dies after two operations.
    let kernel = Shared(Rc::new(RefCell::new(std::mem::take(&mut scene.kernel))), Rc::default());
    let mut dying = Dying { kernel: kernel.clone(), after: 2 };
    let options = Options { force: false, only: None, held: &|_| None, host_held: &|_| None };
    let wanted = desired(&[(WEB, &[(A, 1), (B, 1)])]);
    let result = pass(
        Hands {
            ground: Ground { ipvs: &mut dying, host: &mut scene.host },
            record: &mut Record::default(),
            store: &mut scene.store,
        },
        terms(&wanted),
        &mut Sight::Once { status: None },
        &options,
    );
    assert!(matches!(result, Err(PassError::Apply { planned: 3, .. })), "{result:?}");
    assert_eq!(kernel.0.borrow().log().len(), 2);

    // The next process knows only what was written down, and the configuration has changed meanwhile.
    std::mem::swap(&mut scene.kernel, &mut kernel.0.borrow_mut());
    scene.record = scene.store.load().unwrap().0;
    scene.pass(&desired(&[]));
    let left: Vec<ServiceKey> = scene.table().services.into_keys().collect();
    assert_eq!(left, [key(DNS)]);
}

/// A kernel that goes away in the middle of an execution.
struct Dying {
    kernel: Shared,
    after: usize,
}

impl Ipvs for Dying {
    fn info(&mut self) -> Result<Info, Error> {
        self.kernel.info()
    }

    fn read(&mut self) -> Result<Live, Error> {
        self.kernel.read()
    }

    fn read_services(&mut self, keys: &[ServiceKey]) -> Result<BTreeMap<ServiceKey, LiveService>, Error> {
        self.kernel.read_services(keys)
    }

    fn execute(&mut self, operations: &[&Operation]) -> Result<Vec<Result<(), Refusal>>, Error> {
        self.kernel.0.borrow_mut().fail_next_after(self.after, Error::Protocol("lost".into()));
        self.kernel.execute(operations)
    }

    fn settings(&mut self) -> Result<KernelSettings, Error> {
        self.kernel.settings()
    }

    fn set(&mut self, setting: Setting<'_>) -> Result<Result<(), Refusal>, Error> {
        self.kernel.set(setting)
    }
}

#[test]
fn too_many_deletes_stop_the_whole_pass() {
    let mut scene = Scene::default();
    scene.pass(&desired(&[(WEB, &[(A, 1), (B, 1)])]));
    scene.kernel.take_log();
    let mut wanted = desired(&[(DNS, &[(A, 1)])]);
    wanted.max_delete = MaxDelete::Percent(99);
    let before = scene.table();
    let report = scene.try_pass(&wanted, false, None).unwrap();
    assert!(report.refused.is_some());
    assert_eq!((scene.executed(), scene.table()), (0, before));
    assert_eq!(scene.try_pass(&wanted, true, None).unwrap().failed(), 0);
    assert_eq!(scene.table(), wanted.table);
}

#[test]
fn only_some_kinds_stop_the_whole_pass() {
    let mut scene = Scene::default();
    scene.pass(&desired(&[(WEB, &[(A, 1)])]));
    scene.kernel.take_log();
    let wanted = desired(&[(WEB, &[(B, 1)])]);
    let report = scene.try_pass(&wanted, false, Some(&[Verb::Add, Verb::Edit])).unwrap();
    assert!(report.refused.is_some());
    assert_eq!(scene.executed(), 0);
}

#[test]
fn drift_is_told_apart_from_change() {
    let mut scene = Scene::default();
    scene.pass(&desired(&[(WEB, &[(A, 1), (B, 1)])]));
    scene.kernel.table().get_mut(&key(WEB)).unwrap().destinations.get_mut(&destination(A)).unwrap().settings.weight = 9;
    let report = scene.pass(&desired(&[(WEB, &[(A, 1), (B, 2)])]));
    let causes: Vec<Cause> = report.plan.steps.iter().map(|step| step.cause).collect();
    assert_eq!(causes, [Cause::Change, Cause::Drift], "the raise comes first");
}

#[test]
fn what_does_not_read_back_is_a_failure() {
    let mut scene = Scene::default();
    let wanted = desired(&[(WEB, &[(A, 1)])]);
    // The table is empty, so there is no second look: the next read is the one after the operations.
    scene.kernel.before_next_read(|_| {});
    scene.kernel.before_next_read(|table| {
        table.get_mut(&key(WEB)).unwrap().destinations.get_mut(&destination(A)).unwrap().settings.weight = 7;
    });
    let report = scene.pass(&wanted);
    assert_eq!(report.results[1], StepResult::Unverified("weight is 7, not 1".to_owned()));
}

#[test]
fn a_record_that_cannot_be_written_is_said_and_written_later() {
    let mut scene = Scene::default();
    scene.store.broken = true;
    let wanted = desired(&[(WEB, &[(A, 1)])]);
    let report = scene.pass(&wanted);
    assert!(report.store_error.is_some());
    assert_eq!(scene.table(), wanted.table, "traffic comes first");
    assert!(scene.record.owns(&key(WEB)), "this process knows");

    scene.store.broken = false;
    assert!(scene.pass(&wanted).store_error.is_none());
    assert_eq!(scene.store.saved.last(), Some(&scene.record), "and so does the next one");
}

#[test]
fn a_whole_table_is_read_until_two_dumps_agree() {
    let mut kernel = Fake::default();
    kernel.table().insert(key(WEB), live(&service(&[(A, 1), (B, 1)])));
    kernel.tear_next_read(vec![Hidden::Destination(key(WEB), destination(B))]);
    kernel.tear_next_read(vec![Hidden::Service(key(WEB))]);
    let whole = read_whole(&mut kernel).unwrap();
    assert_eq!(whole.to_table(), desired(&[(WEB, &[(A, 1), (B, 1)])]).table);
    assert_eq!(kernel.reads(), 4);
    for read in 0..20 {
        kernel.tear_next_read(if read % 2 == 0 { vec![] } else { vec![Hidden::Service(key(WEB))] });
    }
    assert!(read_whole(&mut kernel).is_err());
}
