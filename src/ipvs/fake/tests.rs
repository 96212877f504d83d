//! What the fake does beyond the real kernel: failing on request. And `carry_out` under such failures.

use super::*;
use crate::ipvs::{Outcome, carry_out};
use crate::model::{DestinationSettings, Forward, ServiceFlags, ServiceSettings};
use crate::netlink;

const WEB: &str = "tcp://192.0.2.10:80";
const ONE: &str = "10.0.0.1:80";

fn settings(scheduler: &str) -> ServiceSettings {
    ServiceSettings { scheduler: Scheduler::new(scheduler), flags: ServiceFlags::default(), persistence: None }
}

fn add(service: &str) -> Operation {
    Operation::AddService { service: service.parse().unwrap(), settings: settings("rr") }
}

fn add_destination(weight: u32) -> Operation {
    let settings = DestinationSettings { forward: Forward::Nat, weight, max_connections: 0, min_connections: 0 };
    Operation::AddDestination { service: WEB.parse().unwrap(), destination: ONE.parse().unwrap(), settings }
}

fn timeout() -> Error {
    netlink::Error::Timeout(std::time::Duration::from_secs(1), "testing").into()
}

#[test]
fn a_refused_entry_is_refused_until_it_relents() {
    let mut fake = Fake::new();
    let (web, one) = (WEB.parse().unwrap(), ONE.parse().unwrap());
    fake.refuse(web, Some(one), Errno::NOMEM);
    let operations = [add(WEB), add_destination(1)];
    let results = fake.execute(&operations.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(results[0], Ok(()));
    assert_eq!(results[1].as_ref().unwrap_err().errno, Errno::NOMEM);
    fake.relent();
    assert_eq!(fake.execute(&[&operations[1]]).unwrap(), [Ok(())]);
    let log: Vec<_> = fake.take_log().into_iter().map(|executed| executed.result).collect();
    assert_eq!(log, [Ok(()), Err(Errno::NOMEM), Ok(())]);
}

#[test]
fn a_broken_send_may_have_carried_out_a_part() {
    let mut fake = Fake::new();
    fake.fail_next_after(1, timeout());
    assert!(matches!(fake.execute(&[&add(WEB), &add("fwmark:1")]), Err(Error::Netlink(_))));
    assert_eq!(fake.table().keys().map(ToString::to_string).collect::<Vec<_>>(), [WEB]);
    fake.fail_next(timeout());
    assert!(fake.read().is_err());
    assert!(fake.read().is_ok(), "once");
}

#[test]
fn a_torn_dump_hides_what_a_single_read_shows() {
    let mut fake = Fake::new();
    let web = WEB.parse().unwrap();
    let operations = [add(WEB), add_destination(1), add("fwmark:1")];
    fake.execute(&operations.iter().collect::<Vec<_>>()).unwrap();
    fake.tear_next_read(vec![
        Hidden::Service("fwmark:1".parse().unwrap()),
        Hidden::Destination(web, ONE.parse().unwrap()),
    ]);
    let torn = fake.read().unwrap();
    assert_eq!((torn.services.len(), torn.services[&web].destinations.len()), (1, 0));
    assert_eq!(fake.read_services(&[web]).unwrap()[&web].destinations.len(), 1);
    assert_eq!(fake.read().unwrap().services.len(), 2);
    assert_eq!(fake.reads(), 2);
}

#[test]
fn what_appears_just_before_is_edited_into_shape() {
    let mut fake = Fake::new();
    let web = WEB.parse().unwrap();
    fake.before_next_execute(move |table| {
        let live = LiveService { settings: settings("wlc"), stats: Stats::default(), destinations: BTreeMap::new() };
        table.insert(web, live);
    });
    assert_eq!(carry_out(&mut fake, &[&add(WEB)]).unwrap(), [Outcome::Converged]);
    assert_eq!(fake.table()[&web].settings, settings("rr"));
    let verbs: Vec<_> = fake.log().iter().map(|executed| executed.operation.verb()).collect();
    assert_eq!(verbs, ["add", "edit"]);
}

#[test]
fn what_appears_and_is_gone_again_failed() {
    let mut fake = Fake::new();
    fake.execute(&[&add(WEB)]).unwrap();
    fake.before_next_read(|table| table.clear());
    let outcomes = carry_out(&mut fake, &[&add(WEB)]).unwrap();
    assert!(matches!(&outcomes[..], [Outcome::Failed(refusal)] if refusal.errno == Errno::EXIST), "{outcomes:?}");
}

#[test]
fn a_failed_service_that_exists_all_the_same_skips_nothing() {
    let mut fake = Fake::new();
    let web = WEB.parse().unwrap();
    fake.execute(&[&add(WEB)]).unwrap();
    fake.refuse(web, None, Errno::NOMEM);
    let outcomes = carry_out(&mut fake, &[&add(WEB), &add_destination(1)]).unwrap();
    assert!(matches!(&outcomes[0], Outcome::Failed(_)));
    assert_eq!(outcomes[1], Outcome::Done);
}
