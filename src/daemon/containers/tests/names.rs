use super::*;

const NAMED: &str = "version = 1\n[[services]]\nname = \"web\"\naddress = \"tcp://192.0.2.10:80\"\n\
                     [[services.destinations]]\naddress = \"10.0.0.1\"\n\
                     [[services.destinations]]\naddress = \"web.internal:8080\"\nweight = 9\n";

fn answers(list: &[(&str, &[&str])]) -> Answers {
    let of = |(host, addresses): &(&str, &[&str])| {
        ((*host).to_owned(), addresses.iter().map(|address| address.parse().unwrap()).collect())
    };
    list.iter().map(of).collect()
}

#[test]
fn a_name_is_what_it_stands_for_in_the_family_of_its_service() {
    let folder = tempfile::tempdir().unwrap();
    let known = answers(&[("web.internal", &["10.0.0.3", "10.0.0.2", "2001:db8::2", "10.0.0.1"])]);
    let mut wanted = desired(NAMED);
    lay_known(&mut wanted, folder.path(), known.clone());
    assert_eq!(weights(&wanted), ["10.0.0.1:80 100", "10.0.0.1:8080 9", "10.0.0.2:8080 9", "10.0.0.3:8080 9"]);
    let names = &wanted.origins[&web()].destinations;
    assert_eq!(names[&"10.0.0.2:8080".parse().unwrap()], "web.internal@10.0.0.2");
    assert_eq!(wanted.policies[&web()].named[0].addresses.len(), 3);

    let mut wanted = desired(&NAMED.replace("weight = 9", "weight = 9\nresolve = \"first\""));
    lay_known(&mut wanted, folder.path(), known.clone());
    assert_eq!(weights(&wanted), ["10.0.0.1:80 100", "10.0.0.3:8080 9"]);
    // What is written goes before a name, and of two names the first.
    let mut wanted = desired(&format!(
        "{}\n[[services.destinations]]\naddress = \"other:8080\"\n",
        NAMED.replace("10.0.0.1\"", "10.0.0.2:8080\"")
    ));
    lay_known(
        &mut wanted,
        folder.path(),
        answers(&[("web.internal", &["10.0.0.2", "10.0.0.3"]), ("other", &["10.0.0.3", "10.0.0.4"])]),
    );
    assert_eq!(weights(&wanted), ["10.0.0.2:8080 100", "10.0.0.3:8080 9", "10.0.0.4:8080 100"]);
}

#[test]
fn what_is_owned_stays_while_a_name_is_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&[("10.0.0.1:80", 5), ("10.0.0.7:8080", 3), ("10.0.0.8:8080", 0)]);
    let held = ["10.0.0.1:80 100", "10.0.0.7:8080 3", "10.0.0.8:8080 9"];
    let mut for_a_command = desired(NAMED);
    lay_known(&mut for_a_command, folder.path(), Answers::new());
    hold_unknown(&mut for_a_command, &record, folder.path());
    assert_eq!(weights(&for_a_command), held);
    let mut for_a_command = desired(NAMED);
    lay_known(&mut for_a_command, folder.path(), answers(&[("web.internal", &["10.0.0.2"])]));
    hold_unknown(&mut for_a_command, &record, folder.path());
    assert_eq!(weights(&for_a_command), ["10.0.0.1:80 100", "10.0.0.2:8080 9"], "what is known is all that there is");

    // A start without anything that was kept.
    let mut containers = Containers::default();
    let mut wanted = desired(NAMED);
    containers.recall(folder.path());
    containers.lay(&mut wanted);
    containers.in_force();
    containers.hold(&record, &mut wanted);
    assert_eq!(weights(&wanted), held);
    assert!(containers.part().is_none_or(|part| weights(&part.desired) == held));
    // Two names, of which one is known: the rest stays.
    let two = format!("{NAMED}[[services.destinations]]\naddress = \"db:8080\"\nweight = 1\n");
    containers.names.tell(answers(&[("web.internal", &["10.0.0.7"])]));
    let mut again = desired(&two);
    containers.lay(&mut again);
    containers.replaces(&wanted, &mut again);
    containers.in_force();
    assert_eq!(weights(&again), ["10.0.0.1:80 100", "10.0.0.7:8080 9", "10.0.0.8:8080 9"]);
    assert!(containers.part().is_none_or(|part| weights(&part.desired) == weights(&again)));
    containers.names.tell(answers(&[("web.internal", &["10.0.0.7"]), ("db", &["10.0.0.5"])]));
    let part = containers.part().unwrap();
    assert_eq!(weights(&part.desired), ["10.0.0.1:80 100", "10.0.0.5:8080 1", "10.0.0.7:8080 9"]);
    assert!(containers.part().is_none(), "it was said");
    // One address goes, another comes.
    containers.names.tell(answers(&[("web.internal", &["10.0.0.6"]), ("db", &["10.0.0.5"])]));
    assert_eq!(weights(&containers.part().unwrap().desired), ["10.0.0.1:80 100", "10.0.0.5:8080 1", "10.0.0.6:8080 9"]);
}

#[test]
fn what_names_stood_for_is_kept_over_a_boot() {
    let folder = tempfile::tempdir().unwrap();
    let here = Place::here().unwrap();
    kept::NAMES.write(folder.path(), &here, &answers(&[("web.internal", &["10.0.0.2"])])).unwrap();
    let file = folder.path().join("names.json");
    let boot = serde_json::to_value(&here).unwrap()["boot_id"].as_str().unwrap().to_owned();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(&boot, "another")).unwrap();
    let mut containers = Containers::default();
    let mut wanted = desired(NAMED);
    containers.recall(folder.path());
    containers.lay(&mut wanted);
    containers.in_force();
    containers.hold(&record(&[("10.0.0.7:8080", 3)]), &mut wanted);
    assert_eq!(weights(&wanted), ["10.0.0.1:80 100", "10.0.0.2:8080 9"]);
    // A command that cannot look it up goes by it, too.
    let mut wanted = desired(NAMED);
    lay_known(&mut wanted, folder.path(), Answers::new());
    assert_eq!(weights(&wanted), ["10.0.0.1:80 100", "10.0.0.2:8080 9"]);
}

#[test]
fn containers_and_names_are_destinations_of_one_service() {
    let folder = tempfile::tempdir().unwrap();
    let text = NAMED.replace(
        "[[services.destinations]]\naddress = \"10.0.0.1\"",
        "docker = { weight = 7 }\n[[services.destinations]]\naddress = \"10.0.0.1\"",
    );
    let mut containers = Containers::default();
    let mut wanted = desired(&text);
    containers.recall(folder.path());
    containers.lay(&mut wanted);
    containers.in_force();
    let record = record(&[("172.17.0.2:80", 3)]);
    containers.hold(&record, &mut wanted);
    assert_eq!(weights(&wanted), ["10.0.0.1:80 100", "172.17.0.2:80 3"]);
    // The name is known, and the engine is not listed yet: what may be a container stays.
    containers.names.tell(answers(&[("web.internal", &["10.0.0.2"])]));
    assert_eq!(weights(&containers.part().unwrap().desired), ["10.0.0.1:80 100", "10.0.0.2:8080 9", "172.17.0.2:80 3"]);
}

fn with_both() -> String {
    NAMED.replace("\"tcp://192.0.2.10:80\"\n", "\"tcp://192.0.2.10:80\"\ndocker = { weight = 7 }\n")
}

#[test]
fn a_configuration_that_comes_to_ask_for_containers_and_names_takes_nothing_away_before_both_are_known() {
    let plain = TEXT.replace("docker = { weight = 7 }\n", "") + "[[services.destinations]]\naddress = \"10.0.0.2\"\n";
    let mut containers = Containers::default();
    containers.recall(tempfile::tempdir().unwrap().path());
    let before = in_force(&mut containers, &plain);
    let mut wanted = desired(&with_both());
    containers.lay(&mut wanted);
    containers.replaces(&before, &mut wanted);
    containers.in_force();
    assert_eq!(weights(&wanted), ["10.0.0.1:80 100", "10.0.0.2:80 100"]);
    assert!(containers.part().is_none());
    // A name goes before what is only held.
    containers.names.tell(answers(&[("web.internal", &["10.0.0.3"])]));
    let all = ["10.0.0.1:80 100", "10.0.0.2:80 100", "10.0.0.3:8080 9"];
    assert_eq!(weights(&containers.part().unwrap().desired), all);
    let known = Snapshot { origin: "engine".into(), ..Snapshot::new(vec![container("a", 2)], BTreeSet::new()) };
    containers.window.shows(known);
    let all = ["10.0.0.1:80 100", "10.0.0.3:8080 9", "172.17.0.2:80 7"];
    assert_eq!(weights(&containers.part().unwrap().desired), all);
    assert!(containers.part().is_none(), "it was said");
}

#[test]
fn a_container_that_has_ended_is_not_held_for_a_name() {
    let mut containers = Containers::default();
    sees(&mut containers, vec![container("a", 2)]);
    let before = in_force(&mut containers, TEXT);
    let mut wanted = desired(&with_both());
    containers.lay(&mut wanted);
    containers.replaces(&before, &mut wanted);
    containers.in_force();
    assert_eq!(weights(&wanted), ["10.0.0.1:80 100", "172.17.0.2:80 7"]);
    sees(&mut containers, vec![]);
    let Part { desired, .. } = containers.part().unwrap();
    assert_eq!((weights(&desired), ended(&desired)), (vec!["10.0.0.1:80 100".into()], vec!["172.17.0.2:80".into()]));
}

/// Loads a text as a reload does.
fn reload(containers: &mut Containers, before: &Desired, text: &str) -> Desired {
    let mut wanted = desired(text);
    containers.lay(&mut wanted);
    containers.replaces(before, &mut wanted);
    containers.in_force();
    wanted
}

#[test]
fn what_somebody_takes_out_of_a_file_goes_though_a_name_is_not_known() {
    let written = |last: &[u8], rest: &str| {
        let of = |last: &u8| format!("[[services.destinations]]\naddress = \"10.0.0.{last}\"\n");
        let service = "version = 1\n[[services]]\nname = \"web\"\naddress = \"tcp://192.0.2.10:80\"\n";
        format!("{service}{}{rest}", last.iter().map(of).collect::<String>())
    };
    let name = "[[services.destinations]]\naddress = \"web.internal\"\n";
    let folder = tempfile::tempdir().unwrap();
    let start = |containers: &mut Containers, text: &str, record: &Record| {
        let mut wanted = desired(text);
        containers.recall(folder.path());
        containers.lay(&mut wanted);
        containers.in_force();
        containers.hold(record, &mut wanted);
        wanted
    };
    // Nobody answers, or somebody does and has nothing for this family.
    for known in [Answers::new(), answers(&[("web.internal", &["2001:db8::1"])])] {
        let mut containers = Containers::default();
        let before = start(&mut containers, &written(&[1, 5, 6, 7], ""), &Record::default());
        containers.names.tell(known.clone());
        // A name comes in the place of one of them: that stays.
        let before = reload(&mut containers, &before, &written(&[1, 5, 6], name));
        assert_eq!(weights(&before), ["10.0.0.1:80 100", "10.0.0.5:80 100", "10.0.0.6:80 100", "10.0.0.7:80 100"]);
        // And another is taken out: that goes.
        let before = reload(&mut containers, &before, &written(&[1, 5], name));
        assert_eq!(weights(&before), ["10.0.0.1:80 100", "10.0.0.5:80 100", "10.0.0.7:80 100"]);
        assert!(containers.part().is_none_or(|part| weights(&part.desired) == weights(&before)));
        // So it is for the next process, for which another was taken out meanwhile.
        let record = record(&[("10.0.0.1:80", 100), ("10.0.0.5:80", 100), ("10.0.0.6:80", 100), ("10.0.0.7:80", 100)]);
        let mut next = Containers::default();
        next.names.tell(known.clone());
        let before = start(&mut next, &written(&[1], name), &record);
        assert_eq!(weights(&before), ["10.0.0.1:80 100", "10.0.0.7:80 100"]);
        let mut for_a_command = desired(&written(&[1], name));
        lay_known(&mut for_a_command, folder.path(), known);
        hold_unknown(&mut for_a_command, &record, folder.path());
        assert_eq!(weights(&for_a_command), weights(&before));
        // But what a name replaces that nobody knows of yet stays, also over a restart.
        let two = format!("{name}[[services.destinations]]\naddress = \"db.internal\"\n");
        let mut last = Containers::default();
        let before = start(&mut last, &written(&[5], &two), &record);
        assert_eq!(weights(&before), ["10.0.0.1:80 100", "10.0.0.5:80 100", "10.0.0.6:80 100", "10.0.0.7:80 100"]);
        // Until the names are known.
        last.names.tell(answers(&[("web.internal", &["10.0.0.8"]), ("db.internal", &["10.0.0.9"])]));
        let part = last.part().unwrap();
        assert_eq!(weights(&part.desired), ["10.0.0.5:80 100", "10.0.0.8:80 100", "10.0.0.9:80 100"]);
        reload(&mut last, &before, &written(&[5], ""));
        assert!(!folder.path().join("names.held.json").exists(), "nothing is held");
    }
}

#[test]
fn the_first_of_a_name_stays_the_first_for_a_command_too() {
    let folder = tempfile::tempdir().unwrap();
    let here = Place::here().unwrap();
    kept::NAMES.write(folder.path(), &here, &answers(&[("web.internal", &["10.0.0.3", "10.0.0.2"])])).unwrap();
    let mut wanted = desired(&NAMED.replace("weight = 9", "weight = 9\nresolve = \"first\""));
    lay_known(&mut wanted, folder.path(), answers(&[("web.internal", &["10.0.0.2", "10.0.0.3"])]));
    assert_eq!(weights(&wanted), ["10.0.0.1:80 100", "10.0.0.3:8080 9"]);
}
