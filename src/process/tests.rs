use super::*;

fn words(argv: &[&str]) -> Vec<String> {
    argv.iter().map(|word| (*word).to_owned()).collect()
}

const AMPLE: Duration = Duration::from_secs(30);

/// Runs it on a runtime of its own.
fn ended(argv: &[&str], input: Option<Vec<u8>>, timeout: Duration) -> Ended {
    let argv = words(argv);
    on_runtime(run(Program { argv: &argv, env: &[], input, timeout }))
}

fn on_runtime<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn shell(script: &str) -> Ended {
    ended(&["/bin/sh", "-c", script], None, AMPLE)
}

#[test]
fn tells_how_a_program_ended_and_what_it_wrote() {
    assert_eq!(shell("echo fine; echo so far >&2"), Ended { how: How::Exited(0), output: "fine so far".to_owned() });
    assert_eq!(shell("echo no; exit 3"), Ended { how: How::Exited(3), output: "no".to_owned() });
    assert_eq!(shell("kill -9 $$").how, How::Signalled(9));
}
