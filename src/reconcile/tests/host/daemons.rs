//! Synchronisation daemons: ended, begun anew, and left as they are.

use super::*;
use crate::model::Footing;

#[test]
fn a_daemon_is_not_edited_but_ended_and_begun_anew() {
    let mut stage = Stage::new();
    let wants = |settings: SyncSettings| Desired {
        host: Wanted { sync: BTreeMap::from([(SyncRole::Master, settings)]), ..Wanted::default() },
        ..desired(&[])
    };
    stage.pass(&wants(master(7)));
    stage.is_settled_after(&["start master"], &wants(master(7)));
    stage.pass(&wants(master(8)));
    stage.is_settled_after(&["start master", "stop master", "start master"], &wants(master(8)));
    // One that is gone already was stopped.
    stage.kernel.0.daemons().clear();
    assert!(stage.pass(&wants(master(8))).plan.has_drift());
    stage.is_settled_after(&["start master"], &wants(master(8)));
    // One that cannot be had leaves the one that runs.
    let running = stage.kernel.0.daemons().clone();
    let on = |interface: &str| SyncSettings { interface: interface.to_owned(), ..master(9) };
    let report = stage.pass(&wants(on("eth9")));
    assert_eq!(report.host_results, [HostResult::Failed("there is no interface eth9".to_owned())]);
    assert_eq!(stage.log(), ["start master"]);
    stage.kernel.0.with_interface("eth9", FakeInterface { is_up: false, ..FakeInterface::default() });
    let report = stage.pass(&wants(on("eth9")));
    let reason = "the interface eth9 is down; try `ip link set eth9 up`".to_owned();
    assert_eq!(report.host_results, [HostResult::Failed(reason)]);
    assert_eq!(stage.log(), ["start master", "stop master", "start master", "start master"]);
    assert_eq!(*stage.kernel.0.daemons(), running);
    stage.kernel.0.with_interface("eth9", FakeInterface::default());
    stage.pass(&wants(on("eth9")));
    stage.is_settled_after(&["start master", "stop master", "start master"], &wants(on("eth9")));
    stage.pass(&desired(&[]));
    stage.is_settled_after(&["stop master"], &desired(&[]));
}

/// The kernel says that it runs, whatever became of the interface or the address that its sockets are bound to.
#[test]
fn a_daemon_that_has_lost_its_footing_begins_anew() {
    let mut stage = Stage::new();
    let wants = |role, settings: SyncSettings| Desired {
        host: Wanted { sync: BTreeMap::from([(role, settings)]), ..Wanted::default() },
        ..desired(&[])
    };
    let master = wants(SyncRole::Master, master(7));
    let stands = |stage: &Stage, index, address: Option<[u8; 4]>| {
        let footing = Footing { index, address: address.map(Into::into) };
        stage.host().0.borrow_mut().footings.insert("lo".to_owned(), footing);
    };
    stands(&stage, 1, Some([10, 0, 0, 1]));
    stage.pass(&master);
    stage.is_settled_after(&["start master"], &master);
    const ANEW: [&str; 3] = ["start master", "stop master", "start master"];
    for (index, address) in [(1, Some([10, 0, 0, 2])), (1, None), (2, None), (3, Some([10, 0, 0, 2]))] {
        stands(&stage, index, address);
        assert!(stage.pass(&master).plan.has_drift(), "{index} {address:?}");
        stage.is_settled_after(&ANEW, &master);
    }
    // What cannot be seen has not moved.
    stands(&stage, 4, None);
    stage.host().0.borrow_mut().dark = true;
    stage.is_settled(&master);
    stands(&stage, 3, Some([10, 0, 0, 2]));
    stage.host().0.borrow_mut().dark = false;
    stage.is_settled(&master);

    // Without its interface it cannot be started; that there was one is not forgotten.
    let mut lo = stage.host().0.borrow_mut().footings.remove("lo").unwrap();
    lo.index += 1;
    stage.kernel.0.without_interface("lo");
    for _ in 0..2 {
        let report = stage.pass(&master);
        assert_eq!(report.host_results, [HostResult::Failed("there is no interface lo".to_owned())]);
    }
    stage.log();
    stage.kernel.0.with_interface("lo", FakeInterface::default());
    stage.host().0.borrow_mut().footings.insert("lo".to_owned(), lo);
    stage.pass(&master);
    stage.is_settled_after(&ANEW, &master);

    // A backup receives whatever the addresses are.
    let backup = wants(SyncRole::Backup, self::master(7));
    stage.pass(&backup);
    stage.is_settled_after(&["start backup", "stop master"], &backup);
    stands(&stage, lo.index, Some([10, 0, 0, 9]));
    stage.is_settled(&backup);
    stands(&stage, 9, None);
    assert!(stage.pass(&backup).plan.has_drift());
    stage.is_settled_after(&["start backup", "stop backup", "start backup"], &backup);
}
