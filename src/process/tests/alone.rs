//! What takes a process of its own: where nothing else opens descriptors, has children, or minds another signal.

use super::*;

const ALONE: &str = "IPVSD_TEST_ALONE";

/// Runs a test of this file in a process of its own. The options are those of env(1).
fn alone(test: &str, options: &[&str]) {
    let output = Command::new("env")
        .args(options)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("process::tests::alone::{test}"), "--ignored", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains(" 1 passed"), "{}\n{text}", output.status);
    print!("{text}");
}

fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// All children, zombies among them, in words.
fn children() -> Vec<String> {
    let ours = |entry: &fs::DirEntry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // PID (NAME) STATE PPID …; a name may hold anything.
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.to_owned();
        (parent == std::process::id().to_string()).then_some(stat)
    };
    fs::read_dir("/proc").unwrap().filter_map(|entry| ours(&entry.unwrap())).collect()
}

/// Dying takes a moment, and nothing tells us of it.
async fn no_children() {
    let none = async {
        while !children().is_empty() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(AMPLE, none).await.unwrap_or_else(|_| panic!("left behind: {:#?}", children()));
}

#[test]
fn two_hundred_runs_leave_nothing_behind() {
    alone("runs_leave_nothing_behind", &[]);
}

#[test]
#[ignore = "by two_hundred_runs_leave_nothing_behind"]
fn runs_leave_nothing_behind() {
    if !is_alone() {
        return;
    }
    let moment = Duration::from_millis(5);
    let round = || async {
        sh("exit 1", AMPLE).await;
        sh(&format!("{HUNG} & {HUNG} & exit 0"), AMPLE).await;
        sh(&format!("{HUNG} & {HUNG}"), moment).await;
        sh("exec yes", moment).await;
        start_and_wait(&["/bin/cat"], Some(vec![0; 200_000]), AMPLE).await;
        start_and_wait(&[HUNG], None, AMPLE).await;
        start_and_wait(&["/bin/sleep", "60"], Some(vec![0; 200_000]), moment).await;
        let dropped = tokio::spawn(async move { sh(&format!("{HUNG} & {HUNG}"), AMPLE).await });
        sleep(moment).await;
        dropped.abort();
        let _ = timeout(moment, sh(HUNG, AMPLE)).await;
        let _ = timeout(moment, sh("exit 0", AMPLE)).await;
    };
    on_runtime(async {
        round().await; // whatever is opened once and for all
        no_children().await;
        let before = descriptors();
        for _ in 0..20 {
            round().await;
        }
        no_children().await;
        assert_eq!(descriptors(), before);
    });
}

#[test]
fn ended_runtimes_leave_nothing_behind() {
    alone("runtimes_leave_nothing_behind", &[]);
}

#[test]
#[ignore = "by ended_runtimes_leave_nothing_behind"]
fn runtimes_leave_nothing_behind() {
    if !is_alone() {
        return;
    }
    on_runtime(sh("exit 0", AMPLE)); // whatever is opened once and for all
    let before = descriptors();
    for _ in 0..20 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.spawn(async { sh(&format!("{HUNG} & {HUNG}"), AMPLE).await });
        runtime.block_on(async { tokio::task::yield_now().await });
        assert!(!children().is_empty());
    }
    // Whoever is next reaps what was not dead yet.
    on_runtime(async {
        let none = async {
            while !children().is_empty() {
                sh("exit 0", AMPLE).await;
            }
        };
        timeout(AMPLE, none).await.unwrap();
    });
    assert_eq!(descriptors(), before);
}

#[test]
fn an_ignored_sigchld_is_no_hindrance() {
    alone("with_sigchld_ignored", &["--ignore-signal=CHLD"]);
}

#[test]
#[ignore = "by an_ignored_sigchld_is_no_hindrance"]
fn with_sigchld_ignored() {
    if !is_alone() {
        return;
    }
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    assert_ne!(u64::from_str_radix(ignored.trim(), 16).unwrap() & (1 << 16), 0, "the test tests nothing: {ignored}");
    assert_eq!(shell("exit 3").how, How::Exited(3));
    assert_eq!(shell("exit 0").how, How::Exited(0));
}

#[test]
fn the_first_process_of_a_container_reaps_what_it_inherits() {
    alone("as_a_subreaper", &[]);
}

#[test]
#[ignore = "by the_first_process_of_a_container_reaps_what_it_inherits"]
fn as_a_subreaper() {
    if !is_alone() {
        return;
    }
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    on_runtime(async {
        for script in [format!("{HUNG} & {HUNG} & exit 3"), format!("(({HUNG}) & {HUNG}) & {HUNG} & exit 3")] {
            assert_eq!(sh(&script, AMPLE).await.how, How::Exited(3));
            assert_eq!(children(), Vec::<String>::new());
            assert_eq!(sh(&format!("{script} | {HUNG}"), SHORT).await.how, How::TimedOut(SHORT));
            assert_eq!(children(), Vec::<String>::new());
        }
    });
}

#[test]
fn a_thousand_runs_at_once_are_bounded() {
    alone("a_thousand_runs", &[]);
}

#[test]
#[ignore = "by a_thousand_runs_at_once_are_bounded"]
fn a_thousand_runs() {
    if !is_alone() {
        return;
    }
    const RUNS: u32 = 1000;
    for at_once in [1, 16, 64] {
        on_runtime(async {
            sh("exit 0", AMPLE).await;
            let before = descriptors();
            let places = std::sync::Arc::new(tokio::sync::Semaphore::new(at_once));
            let started = Instant::now();
            let mut runs = tokio::task::JoinSet::new();
            for number in 0..RUNS {
                let places = places.clone();
                runs.spawn(async move {
                    let _place = places.acquire_owned().await.unwrap();
                    let seen = descriptors();
                    let argv = words(&["/bin/echo", &number.to_string()]);
                    let ended = run(Program { argv: &argv, env: &[], input: None, timeout: AMPLE }).await;
                    assert_eq!(ended, Ended { how: How::Exited(0), output: number.to_string() });
                    seen
                });
            }
            let most = runs.join_all().await.into_iter().max().unwrap();
            println!("{at_once} at once: {} µs per run", started.elapsed().as_micros() / u128::from(RUNS));
            assert!(most <= before + 3 * at_once, "{most} descriptors, {before} before");
            assert_eq!((descriptors(), children()), (before, Vec::new()));
        });
    }
}
