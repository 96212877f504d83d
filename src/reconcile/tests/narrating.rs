//! What a pass has to say.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::*;
use crate::reconcile::narrate;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is logged of a pass.
fn told(report: Report, said: &mut narrate::Said) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    tracing::subscriber::with_default(subscriber, || {
        let told = narrate::Circumstances {
            why: Why::default(),
            took: Duration::ZERO,
            services: None,
            outdated: false,
            waits: false,
        };
        narrate::pass(told, &Ok(report), &[], &desired(&[]), said);
    });
    let bytes = log.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn report(steps: Vec<Step>, results: Vec<StepResult>) -> Report {
    let note = Note::KeptService { service: key(WEB), foreign: vec![destination(A)] };
    let plan = Plan { steps, notes: vec![note; 2000], ..Plan::default() };
    Report {
        plan,
        results,
        host_results: Vec::new(),
        refused: None,
        unknown: Vec::new(),
        store_error: None,
        notices: Vec::new(),
        picture: Picture::default(),
    }
}

#[test]
fn a_pass_with_much_to_say_says_the_first_of_it() {
    let operation = Operation::DeleteService { service: key(WEB), from: service(&[]).settings, destinations: 0 };
    let failed = StepResult::Failed(Refusal::new(&operation, Errno::BUSY, None));
    let steps = vec![Step::new(operation, Cause::Change); 4000];
    let results = [vec![StepResult::Done; 2000], vec![failed; 2000]].concat();
    let mut said = narrate::Said::default();
    let text = told(report(steps, results), &mut said);
    // Tests that run at the same time without a subscriber can turn single lines off, so there may be fewer.
    let lines = text.lines().count();
    assert!(!text.contains("name=\"\""), "nothing is said of a name that is not known");
    assert!((narrate::LINES..=3 * (narrate::LINES + 1) + 1).contains(&lines), "{lines} lines");

    let text = told(report(Vec::new(), Vec::new()), &mut said);
    assert!(text.lines().count() <= 1, "what lasts is said once: {text}");
}
