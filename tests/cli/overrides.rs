//! Overrides where no daemon runs: they are kept until they are taken back.

use std::process::Output;

use super::{GOOD, ipvsd, json, text};

/// A state directory, and a program that works in it on the good configuration.
fn with_state(run: impl FnOnce(&std::path::Path, &dyn Fn(&[&str]) -> Output)) {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    run(&state, &|arguments| {
        let end = ["--config", "-", "--state-dir", state.to_str().unwrap()];
        ipvsd(&[arguments, &end].concat(), GOOD)
    });
}

#[test]
fn overrides_are_kept_until_they_are_taken_back() {
    with_state(|state, run| {
        let output = run(&["overrides"]);
        assert_eq!(text(&output.stdout), "No overrides are in force.\n");
        assert!(!state.exists(), "who only looks leaves nothing");

        let output = run(&["drain", "web", "10.0.0.11"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "10.0.0.11:8080 of tcp://192.0.2.10:80 (web) is drained\n");
        let hint = format!("no daemon is running with state directory {}", state.display());
        assert!(text(&output.stderr).contains(&hint), "{}", text(&output.stderr));

        let output = run(&["weight", "tcp://192.0.2.10:80", "10.0.0.11:8080", "7", "--for", "1h", "--output", "json"]);
        let given = &json(&output.stdout)["overrides"][0];
        assert_eq!((&given["name"], &given["weight"]["weight"]), (&"web".into(), &7.into()));
        assert_eq!(
            given["weight"]["until"].as_u64().unwrap() - given["weight"]["since"].as_u64().unwrap(),
            3600,
            "{given}"
        );

        let listed = json(&run(&["overrides", "--output", "json"]).stdout);
        assert_eq!(listed["overrides"].as_array().unwrap().len(), 1, "{listed}");
        assert_eq!(listed["overrides"][0]["weight"]["weight"], 7);
        assert!(listed["overrides"][0]["drained_since"].is_u64(), "{listed}");

        for (arguments, want) in [
            (["undrain", "web", "10.0.0.11"].as_slice(), "is not drained any more; its weight is 7 by override"),
            (&["undrain", "web", "10.0.0.11"], "was not drained"),
            (&["weight", "web", "10.0.0.11", "--reset"], "has its own weight again (configured: 100)"),
        ] {
            let output = run(arguments);
            assert_eq!(text(&output.stdout), format!("10.0.0.11:8080 of tcp://192.0.2.10:80 (web) {want}\n"));
        }
        assert_eq!(text(&run(&["overrides"]).stdout), "No overrides are in force.\n");
    });
}

#[test]
fn health_is_an_override_like_the_others() {
    with_state(|_, run| {
        const TITLE: &str = "10.0.0.11:8080 of tcp://192.0.2.10:80 (web)";
        let output = run(&["health", "web", "10.0.0.11", "down", "--for", "10m", "--output", "json"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let given = &json(&output.stdout)["overrides"][0];
        assert_eq!((&given["health"]["health"], &given["changed"]), (&"down".into(), &true.into()), "{given}");
        let time = |name: &str| given["health"][name].as_u64().unwrap();
        assert_eq!(time("until") - time("since"), 600);
        let listed = json(&run(&["overrides", "--output", "json"]).stdout);
        assert_eq!(listed["overrides"][0]["health"], given["health"]);

        let output = run(&["health", "web", "10.0.0.11", "up"]);
        assert_eq!(text(&output.stdout), format!("{TITLE} counts as up until it is taken back\n"));
        let output = run(&["overrides"]);
        let listed = text(&output.stdout);
        assert!(listed.starts_with(&format!("{TITLE}: up by override since ")), "{listed}");

        for want in [format!("{TITLE} has its own health again\n"), format!("no health was set for {TITLE}\n")] {
            assert_eq!(text(&run(&["health", "web", "10.0.0.11", "auto"]).stdout), want);
        }
        assert_eq!(text(&run(&["overrides"]).stdout), "No overrides are in force.\n");
        assert_eq!(run(&["health", "web", "10.0.0.12", "down"]).status.code(), Some(64));
    });
}

#[test]
fn an_override_about_nothing_says_what_there_is_and_changes_nothing() {
    with_state(|state, run| {
        for (arguments, want) in [
            (["drain", "wbe", "10.0.0.11"].as_slice(), "no service `wbe`: did you mean `web`? (known: web)"),
            (&["drain", "tcp://192.0.2.10", "10.0.0.11"], "the port is missing"),
            (&["undrain", "web", "10.0.0.12"], "no destination `10.0.0.12` of web (known: 10.0.0.11:8080)"),
            (&["weight", "web", "server", "10"], "`server` is no destination"),
        ] {
            let output = run(arguments);
            assert_eq!(output.status.code(), Some(64), "{arguments:?}");
            assert!(text(&output.stderr).contains(want), "{arguments:?}: {}", text(&output.stderr));
            assert_eq!(text(&output.stdout), "", "{arguments:?}");
        }
        assert!(!state.join("overrides.json").exists());
    });
}

#[test]
fn damaged_overrides_are_an_error_and_stay_as_they_are() {
    with_state(|state, run| {
        std::fs::create_dir(state).unwrap();
        let file = state.join("overrides.json");
        for (content, want) in [("{\"version\": 1,", "damaged"), ("{\"version\": 9}", "newer")] {
            std::fs::write(&file, content).unwrap();
            for arguments in [["drain", "web", "10.0.0.11"].as_slice(), &["overrides"]] {
                let output = run(arguments);
                assert_eq!(output.status.code(), Some(1), "{arguments:?}");
                assert!(text(&output.stderr).contains(want), "{}", text(&output.stderr));
            }
            assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
        }
    });
}
