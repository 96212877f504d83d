//! Configurations applied one after another, without clearing the table in between.
//!
//! Each directory of `scenarios/` is one: `config.toml`, `config.yaml` or `config/`, a directory of several files; and what
//! `ipvsadm -Sn` is to print afterwards, in any order, in `expected.rules`, written by hand from what the configuration
//! means. Thresholds, which `-Sn` leaves out, stand in `expected.thresholds`; a destination that does not stand there has
//! none. A scheduler that not every kernel has is named in `needs-scheduler`; without it the table must be that
//! of `expected.without.rules`, and the refusal in words.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::netns;
use crate::program::{Ended, Program};
use crate::rules::Rules;

#[derive(Debug)]
struct Scenario {
    name: String,
    config: PathBuf,
    expected: Rules,
    /// A scheduler, and the table without it.
    needs: Option<(String, Rules)>,
}

impl Scenario {
    fn read(directory: &Path) -> Self {
        let name = directory.file_name().unwrap().to_str().unwrap().to_owned();
        let file = |name: &str| fs::read_to_string(directory.join(name)).ok();
        let mut configs = ["config", "config.toml", "config.yaml"].map(|name| directory.join(name)).into_iter();
        let config = configs.find(|path| path.exists()).unwrap_or_else(|| panic!("{name} has no configuration"));
        let rules = |name: &str| file(name).map(|text| Rules::parse(&text));
        let mut expected = rules("expected.rules").unwrap_or_else(|| panic!("{name} has no expectation"));
        if let Some(text) = file("expected.thresholds") {
            expected.add_thresholds(&text);
        }
        let needs = file("needs-scheduler")
            .map(|scheduler| (scheduler.trim().to_owned(), rules("expected.without.rules").unwrap()));
        Self { name, config, expected, needs }
    }
}

fn scenarios() -> Vec<Scenario> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel/scenarios");
    let mut directories: Vec<PathBuf> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    directories.sort();
    directories.iter().map(|directory| Scenario::read(directory)).collect()
}

/// Whether `ipvsadm` can make a service of that scheduler here.
fn kernel_has(scheduler: &str) -> bool {
    let add = ["-A", "-f", "99", "-s", scheduler];
    let added = Command::new("ipvsadm").args(add).stderr(Stdio::null()).status().unwrap().success();
    if added {
        netns::ipvsadm(&["-D", "-f", "99"], "");
    }
    added
}

fn summary(changed: usize, failed: usize, unchanged: usize) -> String {
    format!("changed={changed} failed={failed} unchanged={unchanged}")
}

/// One ipvsd, and the table as the last scenario left it.
struct Series {
    program: Program,
    before: Rules,
}

impl Series {
    fn ipvsd(&self, scenario: &Scenario, arguments: &[&str], code: i32) -> Ended {
        let ended = self.program.run(scenario.config.to_str().unwrap(), arguments);
        let Ended { code: got, out, err } = &ended;
        assert_eq!(*got, Some(code), "{}: ipvsd {arguments:?}:\n{out}{err}", scenario.name);
        ended
    }

    fn apply(&self, scenario: &Scenario, code: i32, expected: &str) -> Ended {
        // The steps of this series delete what they like; max_delete has tests of its own.
        let ended = self.ipvsd(scenario, &["apply", "--force"], code);
        let last = ended.out.lines().last().unwrap_or_default();
        assert_eq!(last, expected, "{}: apply:\n{}{}", scenario.name, ended.out, ended.err);
        ended
    }

    fn run(&mut self, scenario: &Scenario) {
        let Scenario { name, config: _, expected, needs } = scenario;
        if let Some((scheduler, without)) = needs
            && !kernel_has(scheduler)
        {
            return self.refused(scenario, scheduler, without);
        }
        let operations = self.before.operations_to(expected);
        let unchanged = self.before.common_with(expected);
        let all = expected.common_with(expected);
        self.ipvsd(scenario, &["plan"], if operations == 0 { 0 } else { 2 });
        self.apply(scenario, 0, &summary(operations, 0, unchanged));
        let live = Rules::live();
        live.assert_are(expected, name);
        self.ipvsd(scenario, &["plan"], 0);
        self.apply(scenario, 0, &summary(0, 0, all));
        self.before = live;
    }

    /// Every operation of this scenario is refused for its scheduler.
    fn refused(&mut self, scenario: &Scenario, scheduler: &str, without: &Rules) {
        let Scenario { name, config: _, expected, needs: _ } = scenario;
        let operations = self.before.operations_to(expected);
        let unchanged = self.before.common_with(expected);
        for _ in 0..2 {
            let ended = self.apply(scenario, 1, &summary(0, operations, unchanged));
            let words = format!("scheduler `{scheduler}` is not available in this kernel");
            let lines = ended.out.lines().filter(|line| line.starts_with("FAILED ") && line.contains(&words));
            assert_eq!(lines.count(), operations, "{name}: {}", ended.out);
            Rules::live().assert_are(without, name);
        }
        self.ipvsd(scenario, &["plan"], 2);
        self.before = without.clone();
    }
}

#[test]
fn one_after_another() {
    let _kernel = netns::enter();
    let scenarios = scenarios();
    assert!(scenarios.len() >= 50, "only {} scenarios", scenarios.len());
    let mut series = Series { program: Program::new(), before: Rules::default() };
    for scenario in &scenarios {
        series.run(scenario);
    }
}

/// The order is not what makes them come out right: from the last one back to the first.
#[test]
fn one_after_another_backwards() {
    let _kernel = netns::enter();
    let mut series = Series { program: Program::new(), before: Rules::default() };
    for scenario in scenarios().iter().rev().filter(|scenario| scenario.needs.is_none()) {
        series.run(scenario);
    }
}
