use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::queue::QUEUE;
use super::*;
use crate::daemon::Runtime;

const AMPLE: Duration = Duration::from_secs(30);

fn up(service: u8, destination: u16) -> Notice {
    Notice::DestinationUp {
        service: format!("tcp://192.0.2.{service}:80").parse().unwrap(),
        name: format!("s{service}"),
        destination: format!("10.0.0.1:{destination}").parse().unwrap(),
    }
}

/// A hook in a folder of its own: a script of the shell, with the folder as its `$0`.
struct Bench {
    folder: tempfile::TempDir,
    runtime: Runtime,
    runner: HookRunner,
}

impl Bench {
    fn new(script: &str, at_once: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Runtime::start().unwrap();
        let runner = HookRunner::start(&runtime.spawner());
        let bench = Self { folder, runtime, runner };
        bench.configure(script, at_once);
        bench
    }

    fn hooks(&self, script: &str, at_once: usize) -> Hooks {
        let folder = self.folder.path().to_str().unwrap();
        let on_change = ["/bin/sh", "-c", script, folder].map(str::to_owned).to_vec();
        Hooks { on_change, timeout: AMPLE * 2, at_once }
    }

    fn configure(&self, script: &str, at_once: usize) {
        self.runner.set(Some(&self.hooks(script, at_once)));
    }

    fn fifo(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    fn notice(&mut self, notice: &Notice) {
        self.runner.notice(notice);
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    fn waiting(&self) -> usize {
        self.runner.shared.state().queue.len()
    }
}

#[test]
fn each_notice_is_a_run() {
    let script = r#"cat >>"$0/out"; echo "$IPVSD_EVENT,$IPVSD_SERVICE,$IPVSD_NAME,$IPVSD_DESTINATION" >>"$0/out""#;
    let mut bench = Bench::new(script, 1);
    bench.notice(&up(1, 8080));
    bench.notice(&Notice::ConfigurationRefused { problems: "x".repeat(100_000) });
    bench.runner.end(AMPLE);
    let out = bench.read("out");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 4, "{out}");
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert!(lines[0].starts_with(r#"{"version":1,"time":"#) && lines[0].ends_with(r#""destination":"10.0.0.1:8080"}"#));
    assert!(lines[0].contains(&format!(r#""host":"{}","event":"destination_up","service""#, host.trim())), "{out}");
    assert_eq!(lines[1], "destination_up,tcp://192.0.2.1:80,s1,10.0.0.1:8080");
    assert!(lines[2].contains("xxx…") && lines[2].ends_with("\"}"));
    assert_eq!(lines[3], "configuration_refused,,,");
    // What comes after the end is nobody's.
    bench.notice(&up(1, 1));
    bench.runner.end(AMPLE);
    assert_eq!((bench.read("out"), bench.waiting()), (out, 0));
}

#[test]
fn those_of_a_service_never_overlap_and_keep_their_order() {
    let mut bench = Bench::new(r#"echo "begin $IPVSD_DESTINATION" >>"$0/$IPVSD_NAME"; echo end >>"$0/$IPVSD_NAME""#, 4);
    for number in 1..=20 {
        bench.notice(&up(1, number));
        bench.notice(&up(2, number));
    }
    bench.runner.end(AMPLE);
    let expected: String = (1..=20).map(|number| format!("begin 10.0.0.1:{number}\nend\n")).collect();
    assert_eq!((bench.read("s1"), bench.read("s2")), (expected.clone(), expected));
}

#[test]
fn those_of_different_services_run_at_the_same_time() {
    // One alone waits for ever: a pipe is opened by two.
    let script =
        r#"case $IPVSD_NAME in s1) read line <"$0/meet";; *) echo here >"$0/meet";; esac; echo met >>"$0/out""#;
    let mut bench = Bench::new(script, 2);
    bench.fifo("meet");
    bench.notice(&up(1, 1));
    bench.notice(&up(2, 1));
    bench.runner.end(AMPLE);
    assert_eq!(bench.read("out"), "met\nmet\n");
}

#[test]
fn no_more_than_so_many_at_once() {
    let mut bench = Bench::new(r#"echo + >>"$0/out"; sleep 0.01; echo - >>"$0/out""#, 3);
    (1..=30).for_each(|service| bench.notice(&up(service, 1)));
    bench.runner.end(AMPLE);
    let mut running = 0;
    let counts: Vec<i32> = bench
        .read("out")
        .lines()
        .map(|line| {
            running += if line == "+" { 1 } else { -1 };
            running
        })
        .collect();
    assert_eq!((counts.len(), running), (60, 0));
    assert!(counts.iter().all(|count| *count <= 3), "{counts:?}");
}

#[test]
fn a_hook_that_hangs_holds_nobody_up_and_ends_with_ipvsd() {
    let mut bench = Bench::new(r#"exec 9>"$0/alive"; sleep 60 & sleep 60"#, 2);
    let alive = bench.fifo("alive");
    let started = Instant::now();
    bench.notice(&up(1, 1));
    // Opened as soon as it runs.
    let mut alive = fs::File::open(alive).unwrap();
    for _ in 0..3 * QUEUE {
        bench.notice(&up(1, 2));
    }
    assert_eq!(bench.waiting(), QUEUE);
    bench.runner.end(Duration::from_millis(10));
    assert_eq!(bench.runner.shared.state().queue.running(), 0);
    // It is at its end when all of them are dead.
    assert_eq!(std::io::copy(&mut alive, &mut std::io::sink()).unwrap(), 0);
    assert!(started.elapsed() < AMPLE);
    assert!(bench.runtime.is_alive());
}

#[test]
fn the_end_of_the_runtime_is_the_end_of_hooks() {
    let mut bench = Bench::new(r#"exec 9>"$0/alive"; sleep 60 & sleep 60"#, 2);
    let alive = bench.fifo("alive");
    let started = Instant::now();
    bench.notice(&up(1, 1));
    let mut alive = fs::File::open(alive).unwrap();
    bench.runtime.end(AMPLE);
    assert_eq!(std::io::copy(&mut alive, &mut std::io::sink()).unwrap(), 0);
    bench.runner.notice(&up(1, 2));
    bench.runner.end(AMPLE * 10);
    assert!(started.elapsed() < AMPLE);
}

#[test]
fn a_new_program_is_run_for_what_is_queued() {
    let mut bench = Bench::new(r#"read line <"$0/go"; cat >>"$0/before""#, 1);
    let go = bench.fifo("go");
    (1..=3).for_each(|number| bench.notice(&up(1, number)));
    // Opened as soon as the first one runs.
    let go = fs::OpenOptions::new().write(true).open(go).unwrap();
    bench.configure(r#"cat >>"$0/after""#, 1);
    drop(go);
    bench.runner.end(AMPLE);
    assert_eq!(bench.read("before").lines().count(), 1);
    assert_eq!(bench.read("after").lines().count(), 2);
}

#[test]
fn without_a_hook_nothing_is_queued() {
    let mut bench = Bench::new(r#"read line <"$0/go"; cat >>"$0/out""#, 1);
    let go = bench.fifo("go");
    (1..=3).for_each(|number| bench.notice(&up(1, number)));
    let go = fs::OpenOptions::new().write(true).open(go).unwrap();
    bench.runner.set(None);
    bench.notice(&up(1, 4));
    assert_eq!(bench.waiting(), 0);
    drop(go);
    bench.runner.end(AMPLE);
    assert_eq!(bench.read("out").lines().count(), 1);
}

/// What is logged by `work`, at the level of warnings and above, without the time.
fn logged(work: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, work);
    let bytes = kept.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn failures_are_logged_and_rationed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let failures = Arc::new(Mutex::new(Ration::new(2, AMPLE * 100)));
    let shared = Arc::new(Shared { state: Mutex::default(), changed: Notify::new() });
    let (at_end, _) = mpsc::channel();
    let run = |argv: &[&str]| {
        let document = Document::new(&up(1, 1), "lb1", SystemTime::UNIX_EPOCH);
        shared.state().queue.push(|| document);
        let waiting = shared.state().queue.start(1).unwrap();
        let run = Run { waiting, shared: Arc::clone(&shared), _at_end: at_end.clone() };
        let on_change = argv.iter().map(|word| (*word).to_owned()).collect();
        let hooks = Arc::new(Hooks { on_change, timeout: AMPLE, at_once: 1 });
        logged(|| runtime.block_on(one(run, hooks, Arc::clone(&failures))))
    };
    assert_eq!(run(&["/bin/true"]), "");
    let of = |program| format!(r#"event="destination_up" program="{program}""#);
    assert_eq!(
        run(&["/bin/sh", "-c", "echo no >&2; exit 3"]),
        format!(" WARN a hook failed: exit status 3; it said: no {}\n", of("/bin/sh"))
    );
    assert_eq!(
        run(&["/no/such/hook"]),
        format!(" WARN a hook failed: cannot be started: No such file or directory {}\n", of("/no/such/hook"))
    );
    assert_eq!(run(&["/bin/false"]), "");
    assert_eq!(run(&["/bin/false"]), "");
    failures.lock().unwrap().renew();
    assert_eq!(
        run(&["/bin/false"]),
        format!(" WARN a hook failed, and so did 2 others before it: exit status 1 {}\n", of("/bin/false"))
    );
}

/// The example that comes with ipvsd, with a logger that only writes down.
#[test]
fn the_example_logs_what_it_is_told() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/hooks/on-change");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    // Another process writes it: what is open for writing here cannot be executed by what other tests start meanwhile.
    let script = r#"printf '#!/bin/sh\nprintf "%%s " "$@" >>"$OUT"; cat >>"$OUT"\n' >"$0"; chmod 755 "$0""#;
    assert!(Command::new("/bin/sh").args(["-c", script]).arg(folder.path().join("logger")).status().unwrap().success());
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let service = "tcp://192.0.2.1:80".parse().unwrap();
    let destination = "10.0.0.1:80".parse().unwrap();
    let notices = [
        Notice::DestinationDown { service, name: "web".into(), destination, reason: "tcp: `$(reboot)`".into() },
        Notice::PanicEnded { service, name: "web".into() },
        Notice::ConfigurationRefused { problems: "a\nb %s -p x".into() },
    ];
    let mut expected = String::new();
    for (notice, heading) in notices.iter().zip([
        "-t ipvsd-hook -p daemon.warning destination_down 10.0.0.1:80 of web (tcp://192.0.2.1:80): ",
        "-t ipvsd-hook -p daemon.notice panic_ended of web (tcp://192.0.2.1:80): ",
        "-t ipvsd-hook -p daemon.warning configuration_refused: ",
    ]) {
        let Document { event, about, text, .. } = Document::new(notice, "lb1", SystemTime::UNIX_EPOCH);
        let mut hook = Command::new(&example)
            .env_clear()
            .envs([("PATH", path.as_str()), ("OUT", out.to_str().unwrap()), ("IPVSD_EVENT", event)])
            .envs(about)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        hook.stdin.take().unwrap().write_all(&text).unwrap();
        assert!(hook.wait().unwrap().success());
        expected += heading;
        expected += std::str::from_utf8(&text).unwrap();
    }
    assert_eq!(fs::read_to_string(&out).unwrap(), expected);
}
