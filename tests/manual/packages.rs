//! What the packages hold, as Cargo.toml says it: files that are there, each with a place of its own, and the same in both.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The files that a pattern with at most one `*` in its last part stands for. The program is one that is built.
fn files(pattern: &str) -> Vec<String> {
    let (folder, name) = pattern.rsplit_once('/').unwrap_or((".", pattern));
    let Some((before, after)) = name.split_once('*') else {
        let there = pattern == "target/release/ipvsd" || Path::new(pattern).is_file();
        assert!(there, "{pattern} is packaged, and there is no such file");
        return vec![pattern.to_owned()];
    };
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let found: Vec<String> = names
        .filter(|name| name.starts_with(before) && name.ends_with(after))
        .map(|name| format!("{folder}/{name}"))
        .collect();
    assert!(!found.is_empty(), "{pattern} is packaged, and there is no such file");
    found
}

/// The places in a file system by the files that go there, from pairs of a pattern and a place.
fn places<'t>(of: &str, assets: impl Iterator<Item = (&'t str, &'t str)>) -> BTreeMap<String, String> {
    let mut taken = BTreeSet::new();
    let mut places = BTreeMap::new();
    for (pattern, place) in assets {
        for file in files(pattern) {
            let name = file.rsplit('/').next().unwrap_or(&file);
            let place = place.trim_start_matches('/');
            let place = if place.ends_with('/') { format!("{place}{name}") } else { place.to_owned() };
            assert!(taken.insert(place.clone()), "the {of} has two files for /{place}, one of them {file}");
            places.insert(file, place);
        }
    }
    places
}

#[test]
fn both_packages_hold_the_same_files_each_with_a_place_of_its_own() {
    let manifest: toml::Table = fs::read_to_string("Cargo.toml").unwrap().parse().unwrap();
    let assets = |of: &str| manifest["package"]["metadata"][of]["assets"].as_array().unwrap().clone();
    let (deb, rpm) = (assets("deb"), assets("generate-rpm"));
    let deb =
        places("Debian package", deb.iter().map(|asset| (asset[0].as_str().unwrap(), asset[1].as_str().unwrap())));
    let rpm =
        places("RPM", rpm.iter().map(|asset| (asset["source"].as_str().unwrap(), asset["dest"].as_str().unwrap())));
    let of = |places: &BTreeMap<String, String>| places.keys().cloned().collect::<BTreeSet<_>>();
    // cargo-deb has words of its own for a licence and a unit.
    let by_other_means = ["LICENSE-MIT", "packaging/systemd/ipvsd.service"].map(str::to_owned);
    assert_eq!(&of(&rpm) - &of(&deb), BTreeSet::from(by_other_means));
    assert_eq!(&of(&deb) - &of(&rpm), BTreeSet::new());
    let elsewhere: Vec<&String> =
        deb.iter().filter(|(file, place)| rpm[*file] != **place).map(|(file, _)| file).collect();
    assert_eq!(elsewhere, ["LICENSE-APACHE", "packaging/completions/_ipvsd"], "at another place in the RPM");
}
