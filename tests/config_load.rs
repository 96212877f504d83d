//! Reading configuration files: what can be wrong before the first character is looked at.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use ipvsd::config::{self, Problems};

const GOOD: &str = "version = 1\nservices = []\n";

fn one(path: &Path) -> Problems {
    let problems = config::load(&[path.to_owned()]).unwrap_err();
    assert_eq!(problems.list.len(), 1, "{problems}");
    assert_eq!(problems.list[0].file.as_deref(), Some(path));
    assert!(problems.list[0].help.is_some());
    problems
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);

    assert!(one(&path("missing.toml")).to_string().contains("there is no such file"));

    fs::create_dir(path("empty")).unwrap();
    fs::write(path("empty/.hidden.toml"), GOOD).unwrap();
    fs::write(path("empty/README"), "").unwrap();
    assert!(one(&path("empty")).to_string().contains("no configuration file in this directory"));

    fs::write(path("latin.toml"), b"version = 1\n# caf\xe9\n").unwrap();
    let text = one(&path("latin.toml")).to_string();
    assert!(text.contains("not UTF-8") && text.contains("line 2"), "{text}");

    fs::write(path("wide.toml"), b"\xff\xfev\0").unwrap();
    assert!(one(&path("wide.toml")).to_string().contains("UTF-16"));

    let huge = fs::File::create(path("huge.toml")).unwrap();
    huge.set_len(config::MAX_BYTES + 1).unwrap();
    assert!(one(&path("huge.toml")).to_string().contains("over 64 MiB"));

    assert!(one(Path::new("/dev/null")).to_string().contains("not a regular file"));
    let fifo = path("fifo.toml");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    assert!(one(&fifo).to_string().contains("not a regular file"));
    assert!(one(&path("latin.toml").join("x")).to_string().contains("a part of the path is a file"));

    fs::write(path("closed.toml"), GOOD).unwrap();
    fs::set_permissions(path("closed.toml"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(path("closed.toml")).is_err() {
        assert!(one(&path("closed.toml")).to_string().contains("permission denied"));
    }
}

/// An unreadable file does not hide what is wrong in the others.
#[test]
fn all_that_is_wrong_is_said_at_once() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.toml"), b"\xe9").unwrap();
    fs::write(dir.path().join("b.toml"), "version = 1\nbogus = 1\n").unwrap();
    symlink("nowhere", dir.path().join("c.yaml")).unwrap();
    let problems = config::load(&[dir.path().to_owned(), dir.path().join("missing")]).unwrap_err();
    assert_eq!(problems.error_count(), 4, "{problems}");
    let files: Vec<_> =
        problems.list.iter().filter_map(|problem| problem.file.as_ref()?.file_name()?.to_str()).collect();
    assert_eq!(files, ["a.toml", "c.yaml", "missing", "b.toml"], "{problems}");
}

#[test]
fn a_directory_is_read_in_the_order_of_its_names() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["20-b.toml", "10-a.yml", "30-c.yaml", ".hidden.toml", "notes.txt", "x.toml~"] {
        fs::write(dir.path().join(name), "version: 1\nservices: []\n").unwrap();
    }
    fs::write(dir.path().join("20-b.toml"), GOOD).unwrap();
    let b = dir.path().join("20-b.toml");
    let loaded = config::load(&[dir.path().to_owned(), b.clone()]).unwrap();
    let names: Vec<PathBuf> = loaded.sources.iter().map(|source| source.path.clone()).collect();
    assert_eq!(names, [dir.path().join("10-a.yml"), b, dir.path().join("30-c.yaml")]);
}

/// A ConfigMap is a directory of links to links.
#[test]
fn links_are_followed() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("..2026")).unwrap();
    fs::write(dir.path().join("..2026/ipvsd.toml"), GOOD).unwrap();
    symlink("..2026", dir.path().join("..data")).unwrap();
    symlink("..data/ipvsd.toml", dir.path().join("ipvsd.toml")).unwrap();
    assert_eq!(config::load(&[dir.path().to_owned()]).unwrap().sources.len(), 1);
}

#[test]
fn without_a_file_the_default_is_named() {
    assert!(config::default_path().starts_with("/etc/ipvsd"));
}

/// A file with these lines between its version and its services.
fn including(lines: &str) -> String {
    format!("version = 1\n{lines}\nservices = []\n")
}

fn service(last: u8) -> String {
    format!("version = 1\n[[services]]\nname = \"s{last}\"\naddress = \"tcp://192.0.2.{last}:80\"\n")
}

fn names(loaded: &config::Loaded) -> Vec<String> {
    loaded.sources.iter().map(|source| source.path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn files_include_others_each_once_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir_all(path("conf.d/more")).unwrap();
    fs::write(
        path("main.toml"),
        including("include = [\n  \"conf.d/[0-9]*.toml\",\n  \"none.d/*\",\n  \"x.yaml\",\n]"),
    )
    .unwrap();
    fs::write(path("conf.d/20-b.toml"), service(2)).unwrap();
    fs::write(path("conf.d/10-a.toml"), format!("include = [\"more\", \"../x.yaml\"]\n{}", service(1))).unwrap();
    fs::write(path("conf.d/.30.toml"), "hidden").unwrap();
    fs::write(path("conf.d/other.toml"), "not meant").unwrap();
    fs::write(path("conf.d/more/y.yml"), "version: 1\n").unwrap();
    fs::write(path("x.yaml"), "version: 1\nservices: [{name: x, address: 'tcp://192.0.2.9:80'}]\n").unwrap();
    let loaded = config::load(&[path("main.toml")]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(names(&loaded), ["main.toml", "10-a.toml", "y.yml", "x.yaml", "20-b.toml"]);
    assert_eq!(loaded.desired.table.services.len(), 3);

    // What is wrong in them has their own place.
    fs::write(path("conf.d/20-b.toml"), service(1)).unwrap();
    let problems = config::load(&[path("main.toml")]).unwrap_err().to_string();
    assert!(problems.contains("conf.d/20-b.toml:3:8") && problems.contains("conf.d/10-a.toml:4:8"), "{problems}");
    // A directory whose files include one another has no circle where each is named by it.
    fs::write(path("conf.d/20-b.toml"), service(2)).unwrap();
    let problems = config::load(&[path("conf.d")]).unwrap_err();
    assert!(problems.to_string().contains("other.toml"), "{problems}");
}

#[test]
fn what_cannot_be_included_is_pointed_at() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir(path("empty")).unwrap();
    let list = "include = [\"none.toml\", \"empty\", \"a*/b.toml\", \"\", \"-\"]";
    fs::write(path("main.toml"), including(list)).unwrap();
    let problems = config::load(&[path("main.toml")]).unwrap_err();
    let drawn = problems.to_string();
    assert_eq!(problems.error_count(), 5, "{drawn}");
    for want in [
        "cannot include `none.toml`: there is no such file",
        "main.toml:2:12",
        "no configuration file in this directory",
        "only the last part of a path may be a pattern",
        "`-` is no path of a file",
    ] {
        assert!(drawn.contains(want), "{want}\n{drawn}");
    }

    fs::write(path("a.toml"), including("include = [\"b.yaml\"]")).unwrap();
    fs::write(path("b.yaml"), "version: 1\ninclude:\n  - c.toml\n").unwrap();
    fs::write(path("c.toml"), "version = 1\ninclude = [\"a.toml\"]\n").unwrap();
    let problems = config::load(&[path("a.toml")]).unwrap_err();
    let drawn = problems.to_string();
    assert!(drawn.contains("a file includes itself") && drawn.contains("c.toml:2:12"), "{drawn}");
    assert_eq!(problems.error_count(), 1, "{drawn}");

    for number in 0..20 {
        fs::write(
            path(&format!("n{number}.toml")),
            including(&format!("include = [\"n{}.toml\"]", number + 1)).replace("services = []", ""),
        )
        .unwrap();
    }
    let drawn = config::load(&[path("n0.toml")]).unwrap_err().to_string();
    assert!(drawn.contains("nest deeper than 16") && drawn.contains("n15.toml:2:12"), "{drawn}");
}

/// What is refused of a draft in its place is what would be refused once it stands there.
#[test]
fn a_draft_is_read_with_its_siblings() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir(path("conf.d")).unwrap();
    fs::write(path("main.toml"), including("include = [\"conf.d/*.toml\", \"new.d/[0-9]*\"]")).unwrap();
    fs::write(path("conf.d/a.toml"), service(1)).unwrap();
    fs::write(path("draft"), service(1)).unwrap();
    let load = |config: &str, at: &str| config::load_as(&[path(config), path("draft")], Some(&path(at)), None);
    // Neither the file nor, at last, its directory has to be there.
    for (config, at) in [
        ("main.toml", "conf.d/b.toml"),
        ("main.toml", "conf.d/../conf.d/b.toml"),
        ("main.toml", "new.d/1"),
        ("conf.d", "conf.d/b.yaml"),
    ] {
        if at.ends_with("yaml") {
            fs::write(path("draft"), "version: 1\nservices: [{ name: s1, address: 'tcp://192.0.2.1:80' }]\n").unwrap();
        }
        let problems = load(config, at).unwrap_err().to_string();
        assert!(
            problems.contains("conf.d/a.toml:3:8") && problems.contains(at.rsplit('/').next().unwrap()),
            "{problems}"
        );
        assert!(problems.contains("`s1`"), "{problems}");
    }
    fs::write(path("draft"), service(2)).unwrap();
    assert_eq!(names(&load("main.toml", "conf.d/b.toml").unwrap()), ["main.toml", "a.toml", "b.toml"]);
    assert_eq!(names(&load("conf.d", "conf.d/0.toml").unwrap()), ["0.toml", "a.toml"]);
    // What stands there now is not read, by whatever name it is reached.
    fs::write(path("conf.d/b.toml"), "nothing good").unwrap();
    symlink("b.toml", path("conf.d/c.toml")).unwrap();
    let loaded = load("main.toml", "conf.d/b.toml").unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.desired.table.services.len(), 2);
    fs::remove_file(path("conf.d/c.toml")).unwrap();
    // The first file is a part as well.
    fs::remove_file(path("conf.d/b.toml")).unwrap();
    fs::write(path("draft"), including("include = [\"conf.d/a.toml\"]")).unwrap();
    assert_eq!(names(&load("main.toml", "main.toml").unwrap()), ["main.toml", "a.toml"]);
    assert_eq!(names(&load("other.toml", "other.toml").unwrap()), ["other.toml", "a.toml"]);

    for at in ["conf.d/b.txt", "elsewhere/b.toml", "conf.d/.b.toml"] {
        let problems = load("main.toml", at).unwrap_err().to_string();
        assert!(problems.contains("it would be no part of the configuration") && problems.contains(at), "{problems}");
    }
    fs::remove_file(path("draft")).unwrap();
    let problems = load("main.toml", "conf.d/b.toml").unwrap_err();
    assert_eq!(problems.error_count(), 1, "{problems}");
    assert!(problems.to_string().contains("draft"), "{problems}");
}
