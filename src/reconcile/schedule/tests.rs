use super::*;

const RESYNC: Duration = Duration::from_secs(30);

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn schedule() -> (Schedule, Instant) {
    let start = Instant::now();
    (Schedule::new(RESYNC, start), start)
}

#[test]
fn a_burst_of_file_events_is_one_pass_after_a_quiet_window() {
    let (mut schedule, start) = schedule();
    for at in [0, 40, 80] {
        schedule.event(Event::Files, start + ms(at));
        assert_eq!(schedule.take(start + ms(at)), None);
    }
    assert_eq!(schedule.wait(start + ms(100)), ms(80));
    assert_eq!(schedule.take(start + ms(179)), None);
    assert_eq!(schedule.take(start + ms(180)), Some(Why { files: true, ..Why::default() }));
    assert_eq!(schedule.take(start + ms(180)), None);
}

#[test]
fn an_endless_burst_waits_no_longer_than_a_second() {
    let (mut schedule, start) = schedule();
    let mut passes = Vec::new();
    for at in (0..3000).step_by(50) {
        schedule.event(Event::Files, start + ms(at));
        if schedule.take(start + ms(at)).is_some() {
            passes.push(at);
        }
    }
    assert_eq!(passes, [1000, 2050], "each a second after the first event that it answers");
}

#[test]
fn a_slow_writer_is_waited_for() {
    let (mut schedule, start) = schedule();
    for at in [0, 900, 2500, 4000] {
        schedule.event(Event::Writing, start + ms(at));
        assert_eq!(schedule.take(start + ms(at)), None);
    }
    schedule.event(Event::Files, start + ms(4100));
    assert_eq!(schedule.take(start + ms(4900)), None, "something else that moves does not end the writing");
    schedule.event(Event::Written, start + ms(5000));
    assert_eq!(schedule.take(start + ms(5000)), Some(Why { files: true, ..Why::default() }));
}

#[test]
fn a_writer_that_never_closes_is_not_waited_for_for_ever() {
    let (mut schedule, start) = schedule();
    schedule.event(Event::Writing, start);
    assert_eq!(schedule.wait(start), Schedule::PATIENCE_WITH_WRITERS);
}

#[test]
fn events_cannot_starve_the_resync() {
    let (mut schedule, start) = schedule();
    let mut resyncs = Vec::new();
    for at in (0..100_000).step_by(10) {
        schedule.event(Event::Files, start + ms(at));
        schedule.event(Event::Reload, start + ms(at));
        if schedule.take(start + ms(at)).is_some_and(|why| why.resync) {
            resyncs.push(at);
        }
    }
    assert_eq!(resyncs, [30_000, 60_000, 90_000]);
}

#[test]
fn a_reload_is_due_at_once_and_answers_the_files_too() {
    let (mut schedule, start) = schedule();
    schedule.event(Event::Files, start);
    schedule.event(Event::Reload, start);
    schedule.event(Event::Reload, start);
    assert_eq!(schedule.wait(start), Duration::ZERO);
    assert_eq!(schedule.take(start), Some(Why { reload: true, ..Why::default() }));
    assert_eq!(schedule.take(start + ms(200)), None);
}

#[test]
fn a_resync_in_the_middle_of_a_save_leaves_the_files_for_later() {
    let (mut schedule, start) = schedule();
    schedule.event(Event::Files, start + RESYNC - ms(20));
    assert_eq!(schedule.take(start + RESYNC), Some(Why { resync: true, ..Why::default() }));
    assert_eq!(schedule.take(start + RESYNC + ms(80)), Some(Why { files: true, ..Why::default() }));
}

#[test]
fn a_retry_and_a_poll_come_at_their_time() {
    let (mut schedule, start) = schedule();
    schedule.set_retry(Some(start + ms(500)));
    schedule.set_poll(Some(ms(2000)), start);
    assert_eq!(schedule.wait(start), ms(500));
    assert_eq!(schedule.take(start + ms(500)), Some(Why { retry: true, ..Why::default() }));
    assert_eq!(schedule.wait(start + ms(500)), ms(1500));
    assert_eq!(schedule.take(start + ms(2000)), Some(Why { poll: true, ..Why::default() }));
    assert_eq!(schedule.wait(start + ms(2000)), ms(2000));
}

#[test]
fn verdicts_are_answered_in_bursts_and_after_a_rest() {
    let (mut schedule, start) = schedule();
    schedule.event(Event::Health, start);
    schedule.event(Event::Health, start + ms(40));
    assert_eq!(schedule.wait(start), Schedule::BURST);
    assert_eq!(schedule.take(start + ms(50)), Some(Why { health: true, ..Why::default() }));
    schedule.passed(Why { health: true, ..Why::default() }, start + ms(475), ms(425));
    // What somebody else asked for in between takes nothing from that.
    schedule.passed(Why { api: true, ..Why::default() }, start + ms(480), ms(1));
    schedule.event(Event::Health, start + ms(500));
    assert_eq!(schedule.wait(start + ms(500)), ms(400));
    assert_eq!(schedule.take(start + ms(900)), Some(Why { health: true, ..Why::default() }));
    schedule.event(Event::Health, start + ms(1000));
    assert_eq!(schedule.wait(start + ms(1000)), Schedule::BURST);
}

#[test]
fn nobody_waits_for_a_verdict_because_everything_was_looked_at() {
    let due_anyway = [
        Why { start: true, ..Why::default() },
        Why { files: true, ..Why::default() },
        Why { reload: true, ..Why::default() },
        Why { resync: true, health: true, docker: true, ..Why::default() },
    ];
    for why in due_anyway {
        let (mut schedule, start) = schedule();
        schedule.passed(why, start, ms(6000));
        schedule.event(Event::Health, start);
        assert_eq!(schedule.wait(start), Schedule::BURST, "after {why}");
        assert_eq!(schedule.take(start + Schedule::BURST), Some(Why { health: true, ..Why::default() }));
        schedule.event(Event::Docker, start);
        assert_eq!(schedule.take(start + Schedule::BURST), Some(Why { docker: true, ..Why::default() }), "after {why}");
    }
}

#[test]
fn what_comes_over_the_api_is_due_at_once_and_leaves_the_files_alone() {
    let (mut schedule, start) = schedule();
    schedule.event(Event::Files, start);
    schedule.event(Event::Api, start);
    assert_eq!(schedule.wait(start), Duration::ZERO);
    assert_eq!(schedule.take(start), Some(Why { api: true, ..Why::default() }));
    assert_eq!(schedule.take(start + ms(100)), Some(Why { files: true, ..Why::default() }));
}

#[test]
fn reasons_read_well() {
    assert_eq!(Why { start: true, ..Why::default() }.to_string(), "start");
    assert_eq!(Why { files: true, resync: true, ..Why::default() }.to_string(), "files+resync");
}

#[test]
fn containers_that_change_in_a_burst_are_answered_once_and_a_pass_that_takes_long_gets_its_rest() {
    let start = Instant::now();
    let mut schedule = Schedule::new(Duration::from_secs(30), start);
    for number in 0..200 {
        schedule.event(Event::Docker, start + Duration::from_micros(number * 200));
    }
    assert_eq!(schedule.wait(start), Schedule::BURST);
    assert_eq!(schedule.take(start), None);
    let due = start + Schedule::BURST;
    assert_eq!(schedule.take(due), Some(Why { docker: true, ..Why::default() }));
    assert_eq!(schedule.take(due), None);
    schedule.passed(Why { docker: true, ..Why::default() }, due, Duration::from_secs(1));
    schedule.event(Event::Docker, due);
    assert_eq!(schedule.wait(due), Duration::from_secs(1));
}
