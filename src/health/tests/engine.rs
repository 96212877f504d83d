use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;

use super::*;
use crate::health::testing::{assignment, check, key};
use crate::model::{Check, Health, Pass};

/// Longer than any of this takes; a test that hits it has failed.
const PATIENCE: Duration = Duration::from_secs(30);

fn quick() -> Check {
    let mut check = check("tcp");
    check.timing.interval = Duration::from_millis(20);
    check.timing.timeout = Duration::from_millis(20);
    (check.timing.rise, check.timing.fall) = (1, 1);
    check
}

/// Runs an engine with a probe of the test's, while `body` plays the loop on a thread of its own.
fn play<F>(probe: impl Fn(Arc<Job>) -> F, body: impl FnOnce(&mut Engine, &mpsc::Receiver<Event>) + Send)
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let (send, events) = mpsc::channel();
    let (mut engine, runner) = Engine::new(move |event| _ = send.send(event), 4);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            body(&mut engine, &events);
            drop(engine);
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { timeout(PATIENCE, runner.run_with(probe)).await.expect("ends with the engine") });
        assert_eq!(runtime.metrics().num_alive_tasks(), 0);
    });
}

fn wait_for(engine: &mut Engine, events: &mpsc::Receiver<Event>, is: impl Fn(&Verdicts) -> bool) -> Arc<Verdicts> {
    loop {
        engine.take_changed();
        let verdicts = engine.verdicts();
        if is(&verdicts) {
            return verdicts;
        }
        assert_eq!(events.recv_timeout(PATIENCE).expect("told of every change"), Event::Health);
    }
}

#[test]
fn probes_that_panic_or_hang_are_down_and_stop_nobody() {
    let probe = |job: Arc<Job>| async move {
        match job.address.port() {
            // A panic that does not print.
            1 => std::panic::resume_unwind(Box::new("a mistake")),
            2 => std::future::pending().await,
            3 => Err("refused".to_owned()),
            _ => Ok(()),
        }
    };
    play(probe, |engine, events| {
        let keys = [1, 2, 3, 4].map(|port| key("tcp://192.0.2.1:80", &format!("10.0.0.1:{port}")));
        let one = assignment(Health::Unknown, Pass::All, &[("web", quick())]);
        engine.assign(&keys.iter().map(|key| (*key, one.clone())).collect());
        let all = |verdicts: &Verdicts| verdicts.destinations.values().all(|one| one.health != Health::Unknown);
        let verdicts = wait_for(engine, events, all);
        let said = keys.map(|key| (verdicts.destinations[&key].health, verdicts.destinations[&key].reason.clone()));
        assert_eq!(said[0], (Health::Down, "tcp: ipvsd itself failed at it: a mistake".to_owned()));
        assert_eq!(said[1], (Health::Down, "tcp: no answer within 20ms".to_owned()));
        assert_eq!(said[2], (Health::Down, "tcp: refused".to_owned()));
        assert_eq!(said[3], (Health::Up, String::new()));
        // And on it goes, for those as well.
        let runs = engine.meter().runs;
        let began = Instant::now();
        while engine.meter().runs < runs + 20 {
            assert!(began.elapsed() < PATIENCE);
            std::thread::yield_now();
        }
    });
}

#[test]
fn a_run_whose_destination_is_gone_is_dropped() {
    struct Guard(Arc<AtomicUsize>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let alive = Arc::new(AtomicUsize::new(0));
    let (probes, seen) = (alive.clone(), alive.clone());
    let probe = move |_| {
        probes.fetch_add(1, Ordering::SeqCst);
        let guard = Guard(probes.clone());
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    };
    play(probe, move |engine, _| {
        let mut check = quick();
        check.timing.timeout = Duration::from_secs(3600);
        let one = assignment(Health::Unknown, Pass::All, &[("web", check)]);
        engine.assign(&[(key("tcp://192.0.2.1:80", "10.0.0.1:1"), one)].into());
        let wait_until = |count| {
            let began = Instant::now();
            while seen.load(Ordering::SeqCst) != count {
                assert!(began.elapsed() < PATIENCE);
                std::thread::yield_now();
            }
        };
        wait_until(1);
        engine.assign(&Assignments::new());
        wait_until(0);
    });
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[test]
fn checks_that_have_stopped_are_said_to_have() {
    let (engine, runner) = Engine::new(|_| (), 1);
    assert!(engine.verdicts().trouble.is_empty());
    drop(runner);
    let trouble = engine.verdicts().trouble.clone();
    assert!(trouble.len() == 1 && trouble[0].contains("have stopped"), "{trouble:?}");
}
