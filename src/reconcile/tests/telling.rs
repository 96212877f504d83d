//! What the loop tells of what failed, and of its passes.

use super::looping::{RELOAD, RESYNC, RETRY};
use super::*;
use crate::model::{Api, ApiListen, ServiceOrigin};
use crate::reconcile::notice::{Listener, Notice, Passed};
use crate::reconcile::status::{Agreement, Board, Status};

/// Posted statuses, and passes: why, how many services, how many operations of how many that failed.
#[derive(Default)]
struct Heard {
    status: Rc<RefCell<Status>>,
    passes: Vec<(String, Option<usize>, usize, usize)>,
    agreed: Vec<Agreement>,
}

struct Posted(Rc<RefCell<Status>>);

impl Board for Posted {
    fn post(&mut self, status: Status) {
        *self.0.borrow_mut() = status;
    }

    fn amend(&mut self, services: &BTreeSet<ServiceKey>, part: Status) {
        self.0.borrow_mut().put_part(services, part);
    }
}

impl Listener for Heard {
    fn notice(&mut self, _: &Notice) {}

    fn passed(&mut self, passed: Passed<'_>) {
        let (results, failed) = passed.result.as_ref().map_or((0, 0), |done| (done.results.len(), done.failed()));
        self.passes.push((passed.why.to_string(), passed.services, results, failed));
        // Whoever hears of a pass and then looks sees what it left.
        self.agreed.push(self.status.borrow().agreement());
    }
}

/// When (in ms), why, and what is done before.
type Step<'a> = (u64, Why, &'a dyn Fn(&Shared));

/// The loop at these times (in ms) for these reasons, with something done before each.
fn tell(kernel: &Shared, wanted: Desired, steps: &[Step<'_>]) -> (Heard, Vec<Status>) {
    let start = Instant::now();
    let mut players = Players { ipvs: kernel.clone(), ..Players::default() };
    let mut heard = Heard::default();
    let mut board = Posted(Rc::clone(&heard.status));
    let status = Rc::clone(&heard.status);
    let company = Company {
        source: &mut players.script,
        store: &mut players.store,
        overrides: &mut players.overrides,
        checker: &mut players.checker,
        listener: &mut heard,
        host: &mut players.host,
        board: &mut board,
    };
    let mut looping = Loop::new(&mut players.ipvs, company, (wanted, Record::default()), moment(start));
    let mut seen = Vec::new();
    for (ms, why, before) in steps {
        before(kernel);
        let at = start + Duration::from_millis(*ms);
        looping.tick(*why, &|| Now { at, unix: UNIX + ms / 1000 });
        seen.push(status.borrow().clone());
    }
    drop(looping);
    (heard, seen)
}

fn with_api(mut desired: Desired) -> Desired {
    desired.api = Some(Api {
        listen: ApiListen::Tcp("127.0.0.1:4672".parse().unwrap()),
        tls: None,
        tokens: None,
        writes_per_second: 1,
        default_host: None,
        metrics_services: 1,
        metrics_destinations: 1,
    });
    for key in desired.table.services.keys() {
        desired.origins.insert(
            *key,
            ServiceOrigin { name: format!("of {key}"), file: "a".into(), line: 1, destinations: Default::default() },
        );
    }
    desired
}

const NOTHING: &dyn Fn(&Shared) = &|_| ();

#[test]
fn what_the_kernel_refuses_is_in_the_status_until_it_does_not() {
    use Agreement::{AsConfigured, Differs};
    let kernel = Shared::default();
    let refuse = |kernel: &Shared| kernel.0.borrow_mut().refuse(key(WEB), Some(destination(B)), Errno::INVAL);
    let relent = |kernel: &Shared| kernel.0.borrow_mut().relent();
    let wanted = desired(&[(WEB, &[(A, 1), (B, 1)])]);
    let steps: [Step<'_>; 4] =
        [(0, RESYNC, &refuse), (5_000, RETRY, NOTHING), (6_000, RESYNC, NOTHING), (7_000, RELOAD, &relent)];
    let (heard, seen) = tell(&kernel, wanted, &steps);
    let failing = &seen[0].failing[0];
    assert_eq!((failing.service, failing.destination), (key(WEB), Some(destination(B))));
    assert_eq!((failing.tries, failing.since), (1, UNIX));
    assert!(!failing.reason.is_empty());
    let second = &seen[1].failing[0];
    assert_eq!((second.tries, second.since), (2, UNIX), "since it failed first");
    assert!(second.retry_at > UNIX + 5, "{second:?}");
    assert_eq!(seen[2].failing, seen[1].failing, "what waits is not forgotten");
    assert_eq!((seen[3].failing.len(), seen[3].agreement()), (0, AsConfigured));
    let pass = |why: &str, services, results, failed| (why.to_owned(), services, results, failed);
    let want = [
        pass("resync", None, 3, 1),
        pass("retry", Some(1), 1, 1),
        pass("resync", None, 0, 0),
        pass("reload", None, 1, 0),
    ];
    assert_eq!(heard.passes, want);

    assert_eq!(heard.agreed, [Differs, Differs, Differs, AsConfigured]);
}

#[test]
fn a_pass_that_could_not_be_made_leaves_what_was_known() {
    let kernel = Shared::default();
    let broken = |kernel: &Shared| kernel.0.borrow_mut().fail_next(Error::NotPermitted);
    let wanted = with_api(desired(&[(WEB, &[(A, 1)])]));
    let (_, seen) = tell(&kernel, wanted, &[(0, RESYNC, NOTHING), (10, RESYNC, &broken), (2_000, RESYNC, NOTHING)]);
    assert_eq!(seen[1].agreement(), Agreement::Unknown);
    assert!(
        seen[1].trouble.as_deref().is_some_and(|trouble| trouble.contains("not permitted")),
        "{:?}",
        seen[1].trouble
    );
    assert_eq!(seen[1].services, seen[0].services);
    assert_eq!((seen[2].agreement(), seen[2].trouble.as_deref()), (Agreement::AsConfigured, None));
}

#[test]
fn with_an_http_side_the_status_has_all_services() {
    let wanted = desired(&[(WEB, &[(A, 1), (B, 7)]), (DNS, &[])]);
    let (_, seen) = tell(&Shared::default(), wanted.clone(), &[(0, RESYNC, NOTHING)]);
    assert_eq!(seen[0].services.len(), 0, "nobody asks, and it costs nothing");
    let (_, seen) = tell(&Shared::default(), with_api(wanted), &[(0, RESYNC, NOTHING)]);
    let web = &seen[0].services[&key(WEB)];
    assert_eq!((web.up, web.of, web.name.as_deref()), (2, 2, Some("of tcp://192.0.2.10:80")));
    let of = &web.destinations[&destination(B)];
    assert_eq!((of.configured, of.effective, of.health), (Some(7), 7, None));
    assert!(seen[0].services.contains_key(&key(DNS)));
}
