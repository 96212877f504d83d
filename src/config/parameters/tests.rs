use super::*;
use crate::config::{Circumstances, Parsed, Problems, Source, parse, parse_in, parse_together};
use std::sync::Arc;

const SERVICE: &str = "[[services]]\nname = \"web\"\naddress = \"tcp://192.0.2.1:80\"\n";

fn environment() -> Environment {
    let variables =
        [("WEIGHT", "9"), ("EMPTY", ""), ("NAME", "web"), ("FLAG", "true"), ("ODD", "${NAME}\" x\n[daemon]\n")];
    let mut environment = Environment::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    environment.put_file("/etc/ipvsd/token".into(), Ok("s3cret\n".to_owned()));
    environment.put_file("/run/five".into(), Ok("5\n".to_owned()));
    environment.put_file("/run/number".into(), Ok("12\r\n".to_owned()));
    environment.put_file("/run/long".into(), Ok("x".repeat(200)));
    environment.put_file("/run/none".into(), Err("there is no such file".to_owned()));
    environment
}

fn source(name: &str, text: String) -> Source {
    Source { path: Path::new("/etc/ipvsd").join(name), text }
}

fn read(text: &str) -> Result<Parsed, Problems> {
    parse_in(&[source("a.toml", format!("version = 1\n{text}"))], &environment(), None)
}

fn refused(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn values_are_what_they_stand_for() {
    let parsed = read(&format!(
        "[defaults]\nweight = \"${{WEIGHT}}\"\n[checks.c]\nhttp = {{ headers = {{ A = \"Bearer ${{file:token}}\", B = \"$${{NAME}} $NAME $\" }} }}\n\
         {SERVICE}one_packet = \"${{FLAG:-false}}\"\ncheck = \"c\"\n\
         [[services.destinations]]\naddress = \"10.0.0.${{file:/run/number}}\"\nmax_connections = \"${{file:/run/number}}\"\n"
    ));
    // One packet is for udp, which shows that it was read as a boolean.
    assert!(parsed.unwrap_err().to_string().contains("one_packet is for udp"));
    let text = format!(
        "[defaults]\nweight = \"${{WEIGHT}}\"\n[checks.c]\nhttp = {{ headers = {{ A = \"Bearer ${{file:token}}\", B = \"$${{NAME}} $NAME $\" }} }}\n\
         {SERVICE}check = \"c\"\n\
         [[services.destinations]]\naddress = \"10.0.0.${{file:/run/number}}\"\nmax_connections = \"${{file:/run/number}}\"\n"
    );
    let parsed = read(&text).unwrap_or_else(|problems| panic!("{problems}")).desired;
    let service = parsed.table.services.values().next().unwrap();
    let (key, settings) = service.destinations.first_key_value().unwrap();
    assert_eq!((key.to_string().as_str(), settings.weight, settings.max_connections), ("10.0.0.12:80", 9, 12));
    let checks = format!("{:?}", parsed.policies.values().next().unwrap().checks);
    assert!(checks.contains("Bearer s3cret") && checks.contains("${NAME} $NAME $"), "{checks}");
}

#[test]
fn what_is_put_in_is_not_read_again() {
    let text = format!("[checks.c]\nhttp = {{ headers = {{ A = \"${{ODD}}\" }} }}\n{SERVICE}");
    let problems = refused(&text);
    assert!(problems.contains("header") && !problems.contains("daemon]"), "{problems}");
    // A key is none.
    assert!(refused("\"${NAME}\" = 1\n").contains("unknown key `${NAME}`"));
}

#[test]
fn what_is_missing_is_pointed_at() {
    let problems = refused(&format!("{SERVICE}scheduler = \"a-${{NAMES}}-${{X:-y}}-${{file:/run/none}}\"\n"));
    for want in [
        "the environment has no `NAMES`",
        "there is `NAME`",
        "/etc/ipvsd/a.toml:5:16",
        "cannot read `/run/none`: there is no such file",
        "/etc/ipvsd/a.toml:5:33",
    ] {
        assert!(problems.contains(want), "{want}\n{problems}");
    }
    assert_eq!(problems.matches("error").count(), 2, "and nothing follows from it\n{problems}");
    // A default is for what is empty as well.
    let weight = |text: &str| read(&format!("[defaults]\nweight = \"{text}\"\n{SERVICE}"));
    assert!(weight("${EMPTY:-5}").is_ok() && weight("${NOWHERE:-5}").is_ok());
    assert!(weight("${EMPTY}").unwrap_err().to_string().contains("has to stand for a whole number"));
    assert!(
        weight("1${EMPTY}").unwrap_err().to_string().contains("remove the quotes"),
        "it is a text with a parameter in it"
    );
}

#[test]
fn what_came_from_a_file_is_never_said() {
    for text in [
        format!("{SERVICE}scheduler = \"${{file:/run/long}}\"\n"),
        format!("{SERVICE}scheduler_flags = [\"${{file:token}}\"]\n"),
        format!("{SERVICE}check = \"${{file:token}}\"\n"),
        format!("[daemon]\nmanage = \"${{file:token}}\"\n{SERVICE}"),
        format!("[daemon]\nresync = \"${{file:token}}\"\n{SERVICE}"),
        format!(
            "[[services]]\nname = \"s3cret\"\naddress = \"tcp://192.0.2.2:80\"\n{}",
            SERVICE.replace("web", "${file:token}")
        ),
        SERVICE.replace("192.0.2.1", "${file:/run/long}"),
    ] {
        let problems = read(&text).unwrap_err();
        let drawn = problems.to_string().replace("name = \"s3cret\"", "");
        assert!(!drawn.contains("s3cret") && !drawn.contains("xxxx"), "{drawn}");
        assert!(!problems.to_json().to_string().replace("s3cret\\\"\\n", "").contains("s3cret"), "{problems}");
        assert!(drawn.contains("${file:"), "{drawn}");
    }
    let shown = format!("{:?}", environment());
    assert!(!shown.contains("s3cret") && !shown.contains('9'), "{shown}");
}

#[test]
fn what_is_short_does_not_spoil_what_is_said_of_others() {
    // `65535` has it, and is not it.
    let weight = format!(
        "{SERVICE}destinations = [{{ address = \"10.0.0.1\", weight = 70000, max_connections = \"${{file:/run/five}}\" }}]\n"
    );
    let problems = refused(&weight);
    assert!(problems.contains("a weight is 0 to 65535, not 70000") && !problems.contains("}0"), "{problems}");

    // What says it by itself does not say it any more.
    let said = |key: &str| {
        let service = SERVICE.replace("web", "${file:/run/five}");
        refused(&format!("{service}{key} = 1\n"))
    };
    let problems = said("5");
    assert!(problems.contains("what is wrong here would show what `${file:/run/five}` stands for"), "{problems}");
    assert!(!problems.contains("unknown key"), "{problems}");
    let problems = said("55");
    assert!(problems.contains("unknown key `55`"), "{problems}");
    // Nor what it is a part of.
    let service = SERVICE.replace("web", "web-${file:/run/five}-x");
    let problems = refused(&format!("{service}web-5-x = 1\nweb-5-y = 2\n"));
    assert!(!problems.contains("`web-5-x`") && problems.contains("stands for"), "{problems}");
}

#[test]
fn a_default_has_no_parameters() {
    for (written, caret) in [
        ("Bearer ${TOKEN:-${file:token}}", "${file:token}"),
        ("${NAME:-${B:-x}}", "${B:-x}"),
        ("${NAME:-a$${b}", "${b}"),
    ] {
        let text = format!("[checks.c]\nhttp = {{ headers = {{ A = \"{written}\" }} }}\n{SERVICE}");
        let problems = refused(&text);
        assert!(problems.contains("a default cannot have a parameter in it"), "{problems}");
        assert!(problems.contains("name a variable or a file that has the whole value"), "{problems}");
        let line = text.lines().nth(1).unwrap();
        let column = line.find(caret).unwrap() + 1;
        assert!(problems.contains(&format!("a.toml:3:{column}")), "{problems}");
        assert_eq!(problems.matches("error").count(), 1, "{problems}");
    }
    // A dollar is none.
    assert!(read(&format!("[defaults]\nscheduler = \"${{X:-r$r}}\"\n{SERVICE}")).is_ok());
}

#[test]
fn programs_have_their_arguments_as_they_are_written() {
    let text = format!(
        "[checks.c]\nexec = {{ argv = [\"/bin/sh\", \"-c\", \"${{NOWHERE}} $${{A}}\"] }}\n{SERVICE}check = \"c\"\ndestinations = [{{ address = \"10.0.0.1\" }}]\n"
    );
    let parsed = read(&text).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(format!("{:?}", parsed.desired.policies).contains("${NOWHERE} $${A}"));
}

#[test]
fn what_came_over_the_api_knows_nothing_of_this_host() {
    let files = Arc::new(vec![source("a.toml", "version = 1\nservices = []\n".to_owned())]);
    let fragment = |scheduler: &str| source("b.toml", format!("version = 1\n{SERVICE}scheduler = \"{scheduler}\"\n"));
    let environment = environment();
    let circumstances = Circumstances { environment: &environment, facts: None };
    for (written, want) in [("a${NAME}", "a${NAME}"), ("a$${NAME}", "a${NAME}"), ("${file:x}", "${file:x}")] {
        let (parsed, foundation) = parse_together(Arc::clone(&files), &[fragment(written)], circumstances).unwrap();
        let scheduler =
            |parsed: &Parsed| parsed.desired.table.services.values().next().unwrap().settings.scheduler.clone();
        assert_eq!(scheduler(&parsed).as_str(), want);
        let alone = crate::config::parse_onto(&foundation, &fragment(written)).map(|parsed| scheduler(&parsed));
        // Its own claim is nobody else's.
        assert_eq!(alone.unwrap().as_str(), want);
    }
}

#[test]
fn both_formats_and_both_readers_of_toml_agree() {
    let toml = format!(
        "version = 1\n[defaults]\nweight = \"${{WEIGHT}}\"\n{SERVICE}destinations = [{{ address = \"10.0.0.1\" }}]\n"
    );
    // A fraction is not for the fast reader.
    let odd = toml.replace("version = 1\n", "version = 1\nx = 1.5\n");
    let yaml = "version: 1\ndefaults: { weight: '${WEIGHT}' }\nservices:\n- name: web\n  address: tcp://192.0.2.1:80\n  destinations:\n  - address: 10.0.0.1\n";
    let of = |name: &str, text: &str| parse_in(&[source(name, text.to_owned())], &environment(), None);
    let (toml, yaml) = (of("a.toml", &toml).unwrap().desired, of("a.yaml", yaml).unwrap().desired);
    assert_eq!(toml.table, yaml.table);
    let problems = of("a.toml", &odd).unwrap_err();
    assert_eq!(problems.list.len(), 1, "only the key that is none\n{problems}");
}

#[test]
fn no_text_makes_it_panic() {
    for text in
        ["${", "$${", "${}", "${:-}", "${a", "$", "$$$${x}", "${file:}", "${file:${x}}", "é${é}é", "${a:-é}", "}${{}}"]
    {
        for name in ["a.toml", "a.yaml"] {
            let text = if name == "a.toml" {
                format!("version = 1\nservices = ['{text}']\n")
            } else {
                format!("version: 1\nservices: ['{text}']\n")
            };
            let problems = parse(&[source(name, text)]).unwrap_err();
            assert!(problems.error_count() > 0);
        }
    }
    let value = |text: &str| {
        let text = format!("version = 1\n{}", SERVICE.replace("web", text));
        parse_in(&[source("a.toml", text)], &environment(), None).unwrap_err().to_string()
    };
    assert!(value("$$$${NAME}").contains("`$$${NAME}` cannot be"), "one dollar less before a brace");
}

#[test]
fn files_are_found_in_a_text() {
    let found: Vec<&str> = files_in("a ${file:x} # ${file:/y z}\n${file:no\n} ${file:w").collect();
    assert_eq!(found, ["x", "/y z"]);
    for body in ["${a}", r#""\u0024{a}""#, r#""\U00000024{a}""#, r#""\x24{a}""#, r#""$\x7ba}""#] {
        assert!(may_be_in(body), "{body}");
    }
    assert!(!may_be_in("a\\b") && !may_be_in("$5") && !may_be_in("x24, 0024"));
}
