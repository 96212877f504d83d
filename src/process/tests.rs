use std::fs;
use std::future::Future;
use std::path::PathBuf;

use tokio::io::{AsyncReadExt, BufReader};
use tokio::net::unix::pipe;

use super::*;

/// Far more than anything here takes. What is left behind by mistake lives for [`HUNG`], which is longer.
const AMPLE: Duration = Duration::from_secs(30);
const HUNG: &str = "sleep 60";
/// For what is meant to run out of time, after it has got to where it hangs.
const SHORT: Duration = Duration::from_secs(1);

fn words(argv: &[&str]) -> Vec<String> {
    argv.iter().map(|word| (*word).to_owned()).collect()
}

fn on_runtime<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn start_and_wait(argv: &[&str], input: Option<Vec<u8>>, timeout: Duration) -> Ended {
    run(Program { argv: &words(argv), env: &[], input, timeout }).await
}

async fn sh(script: &str, timeout: Duration) -> Ended {
    start_and_wait(&["/bin/sh", "-c", script], None, timeout).await
}

fn ended(argv: &[&str]) -> Ended {
    on_runtime(start_and_wait(argv, None, AMPLE))
}

fn shell(script: &str) -> Ended {
    ended(&["/bin/sh", "-c", script])
}

/// Reads a script with input.
fn fed(script: &str, input: usize, timeout: Duration) -> Ended {
    on_runtime(start_and_wait(&["/bin/sh", "-c", script], Some(vec![b'x'; input]), timeout))
}

/// A named pipe that scripts hold open: it is at its end when the last of them is dead.
struct Witness {
    _folder: tempfile::TempDir,
    path: PathBuf,
    reader: BufReader<Receiver>,
    writer: Option<Sender>,
}

impl Witness {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("witness");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let reader = BufReader::new(pipe::OpenOptions::new().open_receiver(&path).unwrap());
        // Until a script has it open, there must be somebody else, or that is the end as well.
        let writer = Some(pipe::OpenOptions::new().open_sender(&path).unwrap());
        Self { _folder: folder, path, reader, writer }
    }

    /// A script that shows itself here before it goes on.
    fn script(&self, script: &str) -> String {
        format!("exec 9>'{}'; echo >&9; {script}", self.path.display())
    }

    async fn begun(&mut self) {
        timeout(AMPLE, self.reader.read_u8()).await.expect("nothing has begun").unwrap();
    }

    async fn gone(mut self) {
        self.writer = None;
        let mut rest = Vec::new();
        timeout(AMPLE, self.reader.read_to_end(&mut rest)).await.expect("somebody is still alive").unwrap();
    }
}

#[test]
fn tells_how_a_program_ended_and_what_it_wrote() {
    assert_eq!(shell("echo fine; echo so far >&2"), Ended { how: How::Exited(0), output: "fine so far".to_owned() });
    assert_eq!(shell("echo no; exit 3"), Ended { how: How::Exited(3), output: "no".to_owned() });
    assert_eq!(shell("exit 255").how, How::Exited(255));
    assert_eq!(shell("kill -9 $$").how, How::Signalled(9));
    assert_eq!(shell("printf '\\033[2Jtwo\\nlines'").output, "[2Jtwo lines");
}

#[test]
fn is_said_in_words() {
    let second = Duration::from_secs(1);
    for (how, text) in [
        (How::Exited(3), "exit status 3"),
        (How::Signalled(9), "killed by signal 9"),
        (How::TimedOut(second), "not ended within 1s"),
        (How::TimedOut(second * 5 / 2), "not ended within 2s 500ms"),
    ] {
        assert_eq!(how.to_string(), text);
    }
}

#[test]
fn what_cannot_be_started_says_why() {
    let folder = tempfile::tempdir().unwrap();
    // Written by another process: a file that is open for writing here is so in what other tests start meanwhile, and
    // cannot be executed then.
    let file = |name: &str, text: &str, mode: &str| {
        let path = folder.path().join(name);
        let script = "printf %s \"$1\" >\"$0\"; chmod $2 \"$0\"";
        let written = Command::new("/bin/sh").args(["-c", script]).arg(&path).args([text, mode]).status();
        assert!(written.unwrap().success());
        path.to_str().unwrap().to_owned()
    };
    let plain = file("plain", "#!/bin/sh\n", "644");
    let orphan = file("orphan", "#!/no/such/interpreter\n", "755");
    let text = file("text", "exit 0\n", "755");
    for (argv, why) in [
        (&[][..], "there is no program to run"),
        (&["/no/such/program"], "No such file or directory"),
        (&["no-such-program-in-path"], "No such file or directory"),
        (&[""], "No such file or directory"),
        (&[plain.as_str()], "Permission denied"),
        (&["/"], "Permission denied"),
        (&[orphan.as_str()], "No such file or directory (the file is there, its interpreter is not)"),
        // No shell takes over where the kernel does not know the format.
        (&[text.as_str()], "Exec format error"),
        (&["/bin/true", "a\0b"], "nul byte found in provided data"),
    ] {
        let Ended { how, output } = ended(argv);
        assert_eq!(how.to_string(), format!("cannot be started: {why}"), "{argv:?}");
        assert_eq!(output, "");
    }
}

#[test]
fn the_environment_is_what_is_given() {
    let argv = words(&["/usr/bin/env"]);
    let env = [("IPVSD_EVENT", "a b".to_owned()), ("EMPTY", String::new())];
    let ended = on_runtime(run(Program { argv: &argv, env: &env, input: None, timeout: AMPLE }));
    let mut found: Vec<&str> = ended.output.split("IPVSD_EVENT=a b").flat_map(str::split_whitespace).collect();
    found.sort_unstable();
    let path = format!("PATH={}", std::env::var("PATH").unwrap());
    assert_eq!(found, ["EMPTY=", path.as_str()]);
    assert!(ended.output.contains("IPVSD_EVENT=a b"));

    assert_eq!(shell("pwd; readlink /proc/$$/fd/0").output, "/ /dev/null");
    // A group of its own, all signals as usual: nothing blocked, and nothing ignored but what was before us.
    let group = shell("cut -d' ' -f5 /proc/$$/stat; echo $$").output;
    let (group, pid) = group.split_once(' ').unwrap();
    assert_eq!(group, pid);
    let signals = shell("exec grep -E '^Sig(Blk|Ign)' /proc/self/status").output;
    let masks: Vec<u64> = signals.split(' ').filter_map(|word| u64::from_str_radix(word, 16).ok()).collect();
    let (blocked, ignored) = (masks[0], masks[1]);
    assert_eq!((blocked, ignored & (1 << (13 - 1))), (0, 0), "{signals}");
}

#[test]
fn inherits_no_descriptors() {
    let target = |entry: fs::DirEntry| fs::read_link(entry.path()).ok().map(|path| path.display().to_string());
    // Whatever came to us that way from outside goes on like that.
    let from_outside: Vec<String> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| {
            let info = fs::read_to_string(PathBuf::from("/proc/self/fdinfo").join(entry.file_name()));
            let flags =
                info.unwrap_or_default().lines().find_map(|line| line.strip_prefix("flags:").map(str::to_owned));
            flags.is_some_and(|flags| u32::from_str_radix(flags.trim(), 8).unwrap() & 0o2_000_000 == 0)
        })
        .filter_map(target)
        .collect();
    on_runtime(async {
        let mut witness = Witness::new();
        let script = witness.script(HUNG);
        let other = sh(&script, AMPLE);
        let list = async {
            witness.begun().await;
            sh("exec readlink /proc/$$/fd/*", AMPLE).await
        };
        let list = tokio::select! { _ = other => unreachable!(), list = list => list.output };
        let known = |seen: &&str| *seen == "/dev/null" || from_outside.iter().any(|outside| outside == seen);
        let mut seen: Vec<&str> = list.split(' ').filter(|seen| !known(seen)).collect();
        seen.dedup();
        assert!(seen.len() == 1 && seen[0].starts_with("pipe:"), "{list}");
        witness.gone().await;
    });
}

#[test]
fn at_the_timeout_the_whole_group_is_killed() {
    let scripts = [
        format!("{HUNG} & {HUNG}"),
        format!("trap '' TERM INT HUP PIPE; {HUNG}; {HUNG}"),
        format!("exec >&- 2>&- <&-; {HUNG}"),
        "kill -STOP $$".to_owned(),
        format!("(({HUNG}) & ({HUNG} | {HUNG})) & {HUNG}"),
    ];
    on_runtime(async {
        let mut all = tokio::task::JoinSet::new();
        for script in scripts {
            all.spawn(async move {
                let mut witness = Witness::new();
                assert_eq!(sh(&witness.script(&script), SHORT).await.how, How::TimedOut(SHORT), "{script}");
                witness.begun().await;
                witness.gone().await;
            });
        }
        all.join_all().await;
    });
}

#[test]
fn what_the_program_leaves_in_its_group_is_killed() {
    on_runtime(async {
        let mut witness = Witness::new();
        let started = Instant::now();
        let ended = sh(&witness.script(&format!("{HUNG} & {HUNG} >/dev/null 2>&1 & echo done; exit 3")), AMPLE).await;
        assert_eq!(ended, Ended { how: How::Exited(3), output: "done".to_owned() });
        assert!(started.elapsed() < AMPLE);
        witness.begun().await;
        witness.gone().await;
    });
}

#[test]
fn what_has_left_the_group_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let started = Instant::now();
    // It holds all of the pipes.
    let script = format!(
        "f='{}'; setsid sh -c 'echo out; echo $$ >\"$0\"; exec {HUNG}' \"$f\" & while ! [ -s \"$f\" ]; do :; done; exit 4",
        file.display()
    );
    let ended = fed(&script, 1 << 20, AMPLE);
    assert_eq!(ended, Ended { how: How::Exited(4), output: "out".to_owned() });
    assert!(started.elapsed() < AMPLE);
    let pid = rustix::process::Pid::from_raw(fs::read_to_string(&file).unwrap().trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it lives on");
}

#[test]
fn a_program_that_joins_another_group_is_killed_all_the_same() {
    if !Command::new("perl").arg("-e0").status().is_ok_and(|status| status.success()) {
        return; // the shell has no setpgid
    }
    on_runtime(async {
        let mut witness = Witness::new();
        let script = witness.script("exec perl -e 'setpgrp(0, getpgrp(getppid())) or die; sleep 60'");
        assert_eq!(sh(&script, SHORT).await.how, How::TimedOut(SHORT));
        witness.begun().await;
        witness.gone().await;
    });
}

#[test]
fn a_flood_is_bounded() {
    let endless = on_runtime(sh("exec yes 0123456789", SHORT));
    assert_eq!(endless.how, How::TimedOut(SHORT));
    assert!((1000..=1024).contains(&endless.output.len()), "{}", endless.output.len());
    let long = shell("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo the end");
    assert_eq!(long.how, How::Exited(0));
    assert!(long.output.starts_with("…xxx") && long.output.ends_with("xxx the end"), "{}", long.output);
}

#[test]
fn closed_pipes_are_not_the_end() {
    assert_eq!(shell("exec >&- 2>&- <&-; sleep 0.1; exit 7").how, How::Exited(7));
}

#[test]
fn input_need_not_be_read() {
    let much = 1 << 20; // a pipe holds 64 KiB
    assert_eq!(fed("exit 5", much, AMPLE).how, How::Exited(5));
    assert_eq!(fed("exec <&-; sleep 0.1; exit 6", much, AMPLE).how, How::Exited(6));
    assert_eq!(fed("head -c 10; exit 7", much, AMPLE), Ended { how: How::Exited(7), output: "x".repeat(10) });
    assert_eq!(fed(HUNG, much, SHORT).how, How::TimedOut(SHORT));
    assert_eq!(fed("wc -c", much, AMPLE).output, much.to_string());
    assert_eq!(fed("wc -c", 0, AMPLE).output, "0");
}

#[test]
fn times_to_their_limits() {
    assert_eq!(on_runtime(sh("exit 0", Duration::MAX)).how, How::Exited(0));
    assert_eq!(on_runtime(sh(HUNG, Duration::ZERO)).how, How::TimedOut(Duration::ZERO));
}

#[test]
fn a_dropped_future_kills_the_group() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    on_runtime(async {
        let mut witness = Witness::new();
        let script = witness.script(&format!("{HUNG} & {HUNG}"));
        let task = tokio::spawn(is_send(async move { sh(&script, AMPLE).await }));
        witness.begun().await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        witness.gone().await;
    });
}

#[test]
fn an_ended_runtime_kills_the_group() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let another = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut witness = another.block_on(async { Witness::new() });
    let script = witness.script(&format!("{HUNG} & {HUNG}"));
    runtime.spawn(async move { sh(&script, AMPLE).await });
    runtime.block_on(async { tokio::task::yield_now().await });
    another.block_on(witness.begun());
    drop(runtime);
    another.block_on(witness.gone());
}

mod alone;
