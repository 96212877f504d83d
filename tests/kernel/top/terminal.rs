//! A terminal, which is tmux's: what is on it, and in which state it is.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Far longer than anything takes that is waited for.
const WITHIN: Duration = Duration::from_secs(30);
/// What the shell says when it waits for a line.
const PROMPT: &str = "ready>";

/// A terminal with a shell in it, in the network namespace of the thread that starts it. Dropped, it is gone.
pub(super) struct Terminal {
    dir: tempfile::TempDir,
}

impl Terminal {
    pub(super) fn start(columns: u32, lines: u32) -> Self {
        // A plain shell: one that edits lines sets the terminal right by itself.
        let terminal = Self { dir: tempfile::tempdir().unwrap() };
        let (columns, lines) = (columns.to_string(), lines.to_string());
        let shell = format!("exec env -u ENV PS1='{PROMPT} ' sh -i");
        terminal.tmux(&["-f", "/dev/null", "-u", "new-session", "-d", "-x", &columns, "-y", &lines, &shell]);
        terminal.shows("a shell", |page| page.contains(PROMPT));
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .arg("-S")
            .arg(self.dir.path().join("socket"))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("tmux is needed for these tests: {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {arguments:?}: {}: {said}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Presses keys, by tmux's names for them.
    pub(super) fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Writes a line, and enter.
    pub(super) fn types(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.press(&["Enter"]);
    }

    pub(super) fn resize(&self, columns: u32, lines: u32) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &lines.to_string()]);
    }

    /// What is to be seen.
    fn page(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// A word of tmux's about the terminal.
    fn word(&self, format: &str) -> String {
        self.tmux(&["display-message", "-p", format]).trim().to_owned()
    }

    #[track_caller]
    fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + WITHIN;
        while !is_so() {
            assert!(Instant::now() < deadline, "waited {WITHIN:?} for {what}; this is to be seen:\n{}", self.page());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the page is so.
    #[track_caller]
    pub(super) fn shows(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        self.wait(what, || is_so(&self.page()));
    }

    /// A program has it for itself: another screen, and no cursor.
    #[track_caller]
    pub(super) fn is_taken(&self, what: &str) {
        self.wait(&format!("{what}: the other screen"), || self.word("#{alternate_on} #{cursor_flag}") == "1 0");
    }

    /// It is as it was: the shell's screen, with a cursor, and a line that is written is seen and read.
    #[track_caller]
    pub(super) fn is_given_back(&self, what: &str) {
        self.wait(&format!("{what}: the shell's screen"), || self.word("#{alternate_on} #{cursor_flag}") == "0 1");
        self.shows(&format!("{what}: the prompt"), |page| page.trim_end().ends_with(PROMPT));
        self.types("clear; stty -a | tr ' ' '\\n' | grep -xE -- '-?(echo|icanon|isig|icrnl|opost);?' | tr '\\n' ' '");
        // What is written is echoed first: the prompt behind it says that all of it is there.
        self.shows(&format!("{what}: its settings"), |page| {
            page.contains("opost") && page.trim_end().ends_with(PROMPT)
        });
        let page = self.page();
        for wrong in ["-echo", "-icanon", "-isig", "-icrnl", "-opost"] {
            assert!(!page.lines().last().unwrap_or_default().contains(wrong), "{what}: {wrong}:\n{page}");
        }
        assert!(page.contains("echo") && page.contains("icanon"), "{what}: {page}");
        self.types("clear");
        self.shows(&format!("{what}: an empty page"), |page| page.trim() == PROMPT);
    }

    /// Signals what runs in it.
    pub(super) fn signal(&self, signal: Signal) {
        let shell: i32 = self.word("#{pane_pid}").parse().unwrap();
        let is_child = |pid: &i32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // Behind the name, which may hold anything: the state, and the parent.
            let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
            parent == Some(shell)
        };
        let all = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        let children: Vec<i32> = all.filter(is_child).collect();
        let [child] = children.as_slice() else { panic!("{} processes run in the terminal", children.len()) };
        kill_process(Pid::from_raw(*child).unwrap(), signal).unwrap();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let socket = self.dir.path().join("socket");
        let _ = Command::new("tmux").arg("-S").arg(socket).arg("kill-server").stderr(Stdio::null()).status();
    }
}
