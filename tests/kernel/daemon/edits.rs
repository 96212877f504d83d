//! The configuration is edited, well and badly, in all the ways in which files are edited.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::Signal;

use super::{saved, web, web_saved};
use crate::daemon_process::{Daemon, Line};
use crate::netns;
use crate::network::{Load, Network, VIP, real};
use crate::program::Program;

/// Only events of files and signals wake it.
const SELDOM: &str = "resync = \"1h\"\nmax_delete = \"100%\"";
const FILE: &str = "ipvsd.toml";

/// A mistake of one kind or another, other than any before: what was refused once is not refused again while it stays.
fn broken(random: &mut Rng, number: u64) -> String {
    let good = web(SELDOM, &[1]);
    let text = match random.u8(..6) {
        0 => String::new(),
        1 => good[..good.len() / 2].to_owned() + "\"",
        2 => good.replace("weight = 1", "weight = 70000"),
        3 => good.replace("scheduler", "schedular"),
        4 => good.clone() + "[[services]]\nname = \"twin\"\naddress = \"tcp://192.0.2.10:80\"\n",
        _ => good.replace("version = 1\n", ""),
    };
    format!("# {number}\n{text}")
}

fn is_refusal(line: &Line) -> bool {
    line.level() == "ERROR" && line.message().starts_with("the configuration is refused")
}

/// The weight that the lines say was given to a destination.
fn weight_of(line: &Line) -> Option<u32> {
    let (_, weight) = line.message().strip_prefix("edit destination")?.split_once(" → ")?;
    Some(weight.parse().unwrap())
}

/// Writes a file in place, as `cat >` does.
fn write_in_place(path: &Path, text: &str) {
    let mut file = File::create(path).unwrap();
    let (one, two) = text.split_at(text.len() / 2);
    file.write_all(one.as_bytes()).unwrap();
    file.write_all(two.as_bytes()).unwrap();
}

#[test]
fn a_stream_of_edits_ends_at_the_last_good_one_and_no_pass_is_lost() {
    let seed = std::env::var("IPVSD_TEST_SEED").ok().map_or_else(|| fastrand::u64(..), |text| text.parse().unwrap());
    println!("IPVSD_TEST_SEED={seed}");
    let mut random = Rng::with_seed(seed);
    let _kernel = netns::enter();
    let program = Program::new();
    program.write(FILE, &web(SELDOM, &[0]));
    let mut daemon = Daemon::start(&program, FILE);

    let begin = Instant::now();
    let (mut good, mut stayed) = (vec![0], 0);
    for edit in 1..=200 {
        // The rate of the stream: 10 edits a second, unevenly.
        let due = begin + Duration::from_millis(100 * edit + random.u64(..80));
        sleep(due.saturating_duration_since(Instant::now()));
        // The second last is good and stays, the last is broken and stays.
        let bad = edit == 200 || (edit != 199 && random.u8(..4) == 0);
        let text = if bad { broken(&mut random, edit) } else { web(SELDOM, &[edit as u32]) };
        let stays = edit >= 199 || random.u8(..8) == 0;
        if stays {
            daemon.skip();
        }
        if random.bool() {
            program.write(FILE, &text);
        } else {
            write_in_place(&program.path(FILE), &text);
        }
        if !bad {
            good.push(edit as u32);
        }
        if stays {
            stayed += 1;
            if bad {
                daemon.wait(&format!("the refusal of edit {edit}"), is_refusal);
            } else {
                daemon.wait(&format!("edit {edit}"), |line| weight_of(line) == Some(edit as u32));
                daemon.change("the end of its pass");
            }
        }
    }
    assert_eq!(saved(), web_saved(&[199]));
    println!("200 edits in {:?}, {stayed} of them stayed", begin.elapsed());

    daemon.drain();
    let applied: Vec<u32> = daemon.log.iter().filter_map(weight_of).collect();
    assert!(applied.is_sorted_by(|one, two| one < two), "out of order: {applied:?}");
    assert!(applied.iter().all(|weight| good.contains(weight)), "never asked for: {applied:?}");
    assert!(daemon.log.iter().any(is_refusal));
}

#[test]
fn edits_without_a_pause_are_answered_all_the_same() {
    let _kernel = netns::enter();
    let program = Program::new();
    program.write(FILE, &web(SELDOM, &[0]));
    let mut daemon = Daemon::start(&program, FILE);
    let begin = Instant::now();
    let mut passes = 0;
    for edit in 1.. {
        program.write(FILE, &web(SELDOM, &[edit]));
        passes += daemon.unseen().iter().filter(|line| line.is_pass() && line.number("changed") > 0).count();
        daemon.skip();
        if passes == 2 {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{passes} passes while {edit} edits were made");
        // Shorter than any quiet window.
        sleep(Duration::from_millis(20));
    }
    assert!(begin.elapsed() > Duration::from_secs(1), "it read the files without waiting for them to be still");
}

#[test]
fn every_way_to_save_a_file_is_noticed() {
    let _kernel = netns::enter();
    let program = Program::new();
    let mut weight = 0;
    let mut next = || {
        weight += 1;
        (web(SELDOM, &[weight]), web_saved(&[weight]))
    };

    program.write(FILE, &next().0);
    let mut daemon = Daemon::start(&program, FILE);
    for _ in 0..2 {
        let (text, wanted) = next();
        program.write(FILE, &text);
        daemon.change("a rename over the file");
        assert_eq!(saved(), wanted);

        let (text, wanted) = next();
        write_in_place(&program.path(FILE), &text);
        daemon.change("a write in place");
        assert_eq!(saved(), wanted);

        fs::remove_file(program.path(FILE)).unwrap();
        let refusal = daemon.wait("the removal", is_refusal);
        assert!(refusal.message().contains(FILE), "{refusal}");
        assert_eq!(saved(), wanted);
        let (text, wanted) = next();
        program.write(FILE, &text);
        daemon.change("the file's return");
        assert_eq!(saved(), wanted);
    }
    assert!(daemon.end(Signal::TERM).success());

    // A ConfigMap: file → ..data/file, ..data → a directory, which is swapped.
    let version = |number: usize, text: &str| {
        program.write(&format!("map/..{number}/{FILE}"), text);
        symlink(format!("..{number}"), program.path("map/..data_tmp")).unwrap();
        fs::rename(program.path("map/..data_tmp"), program.path("map/..data")).unwrap();
        if number > 0 {
            fs::remove_dir_all(program.path(&format!("map/..{}", number - 1))).unwrap();
        }
    };
    version(0, &next().0);
    symlink(format!("..data/{FILE}"), program.path("map").join(FILE)).unwrap();
    let mut daemon = Daemon::start(&program, &format!("map/{FILE}"));
    for number in 1..4 {
        let (text, wanted) = next();
        version(number, &text);
        daemon.change("the swap of a ConfigMap");
        assert_eq!(saved(), wanted);
    }
    assert!(daemon.end(Signal::TERM).success());

    // A directory, in which files come, change, and go.
    program.write("conf.d/10-web.toml", &next().0);
    let mut daemon = Daemon::start(&program, "conf.d");
    let (text, mut wanted) = next();
    program.write("conf.d/10-web.toml", &text);
    daemon.change("a change of a file of a directory");
    assert_eq!(saved(), wanted);
    let dns = |scheduler: &str| {
        format!("version: 1\nservices:\n- {{name: dns, address: \"udp://192.0.2.10:53\", scheduler: {scheduler}}}\n")
    };
    program.write("conf.d/20-dns.yaml", &dns("lc"));
    daemon.change("a new file in a directory");
    wanted.push("-A -u 192.0.2.10:53 -s lc".to_owned());
    wanted.sort();
    assert_eq!(saved(), wanted);
    program.write("conf.d/20-dns.yaml", &dns("sed"));
    daemon.change("a change of the new file");
    fs::remove_file(program.path("conf.d/20-dns.yaml")).unwrap();
    daemon.change("the removal of a file of a directory");
    wanted.retain(|line| !line.contains(":53"));
    assert_eq!(saved(), wanted);
}

#[test]
fn a_hangup_reads_at_once() {
    let _kernel = netns::enter();
    let program = Program::new();
    program.write(FILE, &web(SELDOM, &[1]));
    let mut daemon = Daemon::start(&program, FILE);
    // The file's own event is answered after a quiet window of 100 ms. A machine that lets this thread wait so long between
    // the writing and the signal has nothing to show: so several attempts, of which some have to be good.
    let mut at_once = 0;
    for weight in 2..8 {
        program.write(FILE, &web(SELDOM, &[weight]));
        daemon.signal(Signal::HUP);
        let pass = daemon.change("the edit");
        at_once += usize::from(pass.is_for("reload"));
        assert_eq!(saved(), web_saved(&[weight]));
    }
    assert!(at_once >= 2, "no sooner than without a hangup");
    daemon.skip();
    daemon.signal(Signal::HUP);
    let pass = daemon.pass("a pass without an edit", |line| line.is_for("reload"));
    assert_eq!(pass.number("changed") + pass.number("failed"), 0);
}

#[test]
fn a_broken_edit_changes_nothing_and_traffic_goes_on() {
    let _kernel = netns::enter();
    let network = Network::around_here(2);
    let program = Program::new();
    let configuration = |weight: u32| {
        format!(
            "version = 1\n[daemon]\n{SELDOM}\n[[services]]\nname = \"web\"\naddress = \"tcp://{VIP}\"\n\
             [[services.destinations]]\naddress = \"{}\"\nweight = 7\n\
             [[services.destinations]]\naddress = \"{}\"\nweight = {weight}\n",
            real(1, 1),
            real(2, 1)
        )
    };
    program.write(FILE, &configuration(1));
    let mut daemon = Daemon::start(&program, FILE);
    let table = saved();
    let load = Load::start(&network.client, 2);

    program.write(FILE, &configuration(70_000));
    let refusal = daemon.wait("the refusal", is_refusal);
    let place = format!("{}:13:", program.path(FILE).display());
    assert!(refusal.message().contains(&place), "file and line: {refusal}");
    let mut lines = refusal.message().lines().skip_while(|line| !line.contains("weight = 70000"));
    let column = lines.next().and_then(|line| line.find("70000"));
    let caret = lines.next().and_then(|line| line.find('^'));
    assert!(column.is_some() && column == caret, "a caret under the mistake: {refusal}");
    assert_eq!(saved(), table);
    let before = load.tally();
    load.wait("traffic", |tally| tally.answered > before.answered + 50 && tally.exchanges > before.exchanges + 5);

    // Nor does a restart: the next one goes on with what was in force, and looks after it.
    assert!(daemon.end(Signal::TERM).success());
    let mut daemon = Daemon::start(&program, FILE);
    assert_eq!(saved(), table);
    let refusal = daemon.wait("the refusal, once more", is_refusal);
    assert!(refusal.message().contains(&place), "{refusal}");
    netns::ipvsadm(&["-e", "-t", VIP, "-r", &real(1, 1).to_string(), "-m", "-w", "3"], "");
    daemon.signal(Signal::HUP);
    daemon.pass("a reload, which is refused", |line| line.number("drift") == 1);
    assert_eq!(saved(), table);

    program.write(FILE, &configuration(2));
    let pass = daemon.change("the mended edit");
    assert_eq!((pass.number("edit"), pass.number("changed")), (1, 1));
    let tally = load.end();
    assert_eq!(tally.failed(), 0, "{tally:?}");
}
