//! What the loop promises between passes.

use super::*;

pub(super) const NO_REASON: Why = Why {
    start: false,
    files: false,
    reload: false,
    resync: false,
    retry: false,
    health: false,
    overrides: false,
    api: false,
    docker: false,
    names: false,
    step: false,
    poll: false,
};
pub(super) const RESYNC: Why = Why { resync: true, ..NO_REASON };
pub(super) const FILES: Why = Why { files: true, ..NO_REASON };
pub(super) const RELOAD: Why = Why { reload: true, ..NO_REASON };
const POLL: Why = Why { poll: true, ..NO_REASON };
pub(super) const RETRY: Why = Why { retry: true, ..NO_REASON };

/// Runs `steps` on a loop: at each time (in ms), for each reason. Gives the operations that each sent.
fn tick(kernel: &Shared, script: Script, first: &Desired, steps: &[(u64, Why)]) -> Vec<usize> {
    let start = Instant::now();
    let mut players = Players { ipvs: kernel.clone(), script, ..Players::default() };
    let mut looping = players.looping(first.clone(), start);
    steps
        .iter()
        .map(|(at, why)| {
            looping.tick(*why, &|| moment(start + Duration::from_millis(*at)));
            kernel.0.borrow_mut().take_log().len()
        })
        .collect()
}

#[test]
fn a_refused_configuration_leaves_the_last_good_one_in_force() {
    let kernel = Shared::default();
    let good = desired(&[(WEB, &[(A, 1)])]);
    let next = desired(&[(WEB, &[(A, 2)])]);
    let script = Script {
        next: VecDeque::from([Config::Refused(String::new()), Config::New(Box::new(next.clone()))]),
        ..Script::default()
    };
    let sent = tick(&kernel, script, &good, &[(0, RESYNC), (10, FILES), (20, RESYNC), (30, FILES)]);
    assert_eq!(sent, [2, 0, 0, 1]);
}

#[test]
fn a_resync_or_a_poll_believes_no_file_that_it_finds_changed() {
    let kernel = Shared::default();
    let good = desired(&[(WEB, &[(A, 1), (B, 1)])]);
    let torn = desired(&[(WEB, &[(A, 1)])]);
    let script = Script { next: VecDeque::from([Config::New(Box::new(torn))]), ..Script::default() };
    let sent = tick(&kernel, script, &good, &[(0, RETRY), (10, RESYNC), (20, POLL), (30, FILES)]);
    assert_eq!(sent, [3, 0, 0, 2], "the file event that it raises does: one is quiesced, and deleted");
}

#[test]
fn what_was_asked_for_by_name_is_no_mistake_in_files_be_it_that_they_are_read_first() {
    let good = Desired { max_delete: MaxDelete::Count(0), ..desired(&[(WEB, &[(A, 1)]), (DNS, &[(A, 1)])]) };
    let less = Desired { table: desired(&[(DNS, &[(A, 1)])]).table, ..good.clone() };
    // The destination is quiesced, and goes with its service.
    for (asked, sent, left) in [(BTreeSet::new(), [4, 0], 2), ([key(WEB)].into(), [4, 2], 1)] {
        let kernel = Shared::default();
        let script = Script { next: VecDeque::from([Config::New(Box::new(less.clone()))]), asked, ..Script::default() };
        let (mut players, start) = (Players { ipvs: kernel.clone(), script, ..Players::default() }, Instant::now());
        let mut looping = players.looping(good.clone(), start);
        let mut told = Vec::new();
        for why in [RESYNC, FILES] {
            looping.tick(why, &|| moment(start));
            told.push(kernel.0.borrow_mut().take_log().len());
        }
        assert_eq!(told, sent);
        assert_eq!(kernel.0.borrow_mut().table().len(), left);
    }
}

#[test]
fn what_failed_waits_for_its_time_and_a_reload_asks_at_once() {
    let kernel = Shared::default();
    kernel.0.borrow_mut().refuse(key(WEB), Some(destination(B)), Errno::INVAL);
    let wanted = desired(&[(WEB, &[(A, 1), (B, 1)])]);
    let whys = [(0, RESYNC), (100, RESYNC), (1300, RETRY), (1400, RETRY), (1500, RELOAD), (1600, RESYNC)];
    let sent = tick(&kernel, Script::default(), &wanted, &whys);
    assert_eq!(sent, [3, 0, 1, 0, 1, 0]);
}

#[test]
fn a_service_that_comes_at_last_comes_with_its_destinations() {
    let kernel = Shared::default();
    kernel.0.borrow_mut().without_module("wrr");
    // Many, since waits are jittered: each of them must not have one of its own.
    let addresses: Vec<String> = (1..=100).map(|host| format!("10.0.0.{host}:80")).collect();
    let destinations: Vec<(&str, u32)> = addresses.iter().map(|address| (address.as_str(), 1)).collect();
    let wanted = desired(&[(WEB, &destinations)]);
    let start = Instant::now();
    let mut players = Players { ipvs: kernel.clone(), ..Players::default() };
    let mut looping = players.looping(wanted, start);
    looping.tick(RESYNC, &|| moment(start));
    kernel.0.borrow_mut().with_scheduler("wrr");
    for ms in (0..3000).step_by(10) {
        looping.tick(RETRY, &|| moment(start + Duration::from_millis(ms)));
        let there = kernel.0.borrow().log().iter().filter(|done| done.result.is_ok()).count();
        assert!([0, 101].contains(&there), "{there} of 101 are there after {ms} ms");
    }
    assert_eq!(kernel.0.borrow_mut().table().len(), 1);
}

#[test]
fn a_refused_pass_is_not_made_again_without_end() {
    let kernel = Shared::default();
    kernel.0.borrow_mut().refuse(key(WEB), Some(destination(B)), Errno::INVAL);
    let mut wanted = desired(&[(WEB, &[(A, 1), (B, 1)])]);
    (wanted.manage, wanted.max_delete) = (Manage::All, MaxDelete::Count(0));
    let start = Instant::now();
    let mut players = Players { ipvs: kernel.clone(), ..Players::default() };
    let mut looping = players.looping(wanted, start);
    looping.tick(RESYNC, &|| moment(start));
    // Somebody adds what would have to be deleted, and that is not allowed; the failure is still to be retried.
    kernel.0.borrow_mut().table().insert(key(DNS), live(&service(&[])));
    looping.tick(RESYNC, &|| moment(start));
    let passes = passes_within(&mut looping, start, Duration::from_secs(20));
    assert!(passes <= 2, "{passes} passes in 20 s");
}

#[test]
fn many_failures_make_few_passes() {
    let kernel = Shared::default();
    let addresses: Vec<String> = (1..=200).map(|host| format!("10.0.0.{host}:80")).collect();
    let destinations: Vec<(&str, u32)> = addresses.iter().map(|address| (address.as_str(), 1)).collect();
    kernel.0.borrow_mut().not_unicast("10.0.0.0/8".parse().unwrap());
    let wanted = desired(&[(WEB, &destinations)]);
    let start = Instant::now();
    let mut players = Players { ipvs: kernel.clone(), ..Players::default() };
    let mut looping = players.looping(wanted, start);
    looping.tick(RESYNC, &|| moment(start));
    let passes = passes_within(&mut looping, start, Duration::from_secs(60));
    assert!((5..=63).contains(&passes), "{passes} passes in a minute");
}

/// Runs the loop for `time`, and counts how often something was due; no more than a thousand times.
fn passes_within(looping: &mut Loop<'_>, start: Instant, time: Duration) -> usize {
    let (mut now, mut passes) = (start, 0);
    while now < start + time && passes < 1000 {
        now += looping.idle(now);
        looping.turn(&|| moment(now));
        passes += 1;
    }
    passes
}

#[test]
fn a_kernel_that_does_not_answer_is_tried_again() {
    let kernel = Shared::default();
    kernel.0.borrow_mut().fail_next(Error::Protocol("lost".into()));
    let wanted = desired(&[(WEB, &[(A, 1)])]);
    assert_eq!(tick(&kernel, Script::default(), &wanted, &[(0, RESYNC), (1300, RETRY)]), [0, 2]);
}

#[test]
fn the_loop_ends_on_stop_and_has_made_its_first_pass() {
    let kernel = Shared::default();
    let mut players = Players { ipvs: kernel.clone(), ..Players::default() };
    let wanted = desired(&[(WEB, &[(A, 1)])]);
    let (sender, events) = channel();
    sender.send(Event::Stop).unwrap();
    players.looping(wanted, Instant::now()).run(&events, &Now::read);
    assert_eq!(kernel.0.borrow().log().len(), 2);
}
