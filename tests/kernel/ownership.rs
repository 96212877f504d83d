//! What may be deleted, and what is left alone. The other owner is `ipvsadm`, and so is the witness.

mod restraints;

use std::fs;
use std::thread;

use serde_json::Value;

use crate::netns::{self, ipvsadm};
use crate::program::Program;
use crate::rules::Rules;

const CONFIG: &str = "ipvsd.toml";

/// What somebody else put there, as `ipvsadm -Sn` prints it: every kind of service.
const FOREIGN: &str = "\
-A -t 192.0.2.10:8443 -s wrr -p 300 -M 255.255.255.0
-a -t 192.0.2.10:8443 -r 10.1.0.1:443 -m -w 7
-a -t 192.0.2.10:8443 -r 10.1.0.2:8443 -i -w 0 --tun-type ipip
-A --sctp-service 198.51.100.10:2905 -s rr
-a --sctp-service 198.51.100.10:2905 -r 10.1.0.1:2905 -g -w 1
-A -u [2001:db8:f::1]:53 -s sh -o -b sh-port
-a -u [2001:db8:f::1]:53 -r [2001:db8:f::2]:53 -m -w 1
-A -f 7 -s lc
-a -f 7 -r 10.1.0.1:0 -g -w 3
-A -f 7 -6 -s mh -p 60 -M 64
-a -f 7 -6 -r [2001:db8:f::2]:0 -g -w 3
";

const WEB: &str = r#"
[[services]]
name = "web"
address = "tcp://192.0.2.10:80"
scheduler = "wrr"
destinations = [{ address = "10.0.0.1", weight = 1 }, { address = "10.0.0.2", weight = 2 }]
"#;

const WEB_RULES: &str = "\
-A -t 192.0.2.10:80 -s wrr
-a -t 192.0.2.10:80 -r 10.0.0.1:80 -m -w 1
-a -t 192.0.2.10:80 -r 10.0.0.2:80 -m -w 2
";

/// Services of one destination each, at ports 1000 and on.
fn ports(ports: impl IntoIterator<Item = u16>) -> String {
    let service = |port| {
        format!(
            "[[services]]\nname = \"p{port}\"\naddress = \"tcp://192.0.2.20:{port}\"\nscheduler = \"rr\"\n\
             destinations = [{{ address = \"10.0.0.1\" }}]\n"
        )
    };
    let text: String = ports.into_iter().map(service).collect();
    if text.is_empty() { "services = []\n".to_owned() } else { text }
}

fn port_rules(ports: impl IntoIterator<Item = u16>) -> String {
    let rules = |port| format!("-A -t 192.0.2.20:{port} -s rr\n-a -t 192.0.2.20:{port} -r 10.0.0.1:{port} -m -w 100\n");
    ports.into_iter().map(rules).collect()
}

struct Host {
    program: Program,
    _kernel: ipvsd::ipvs::Kernel,
}

impl Host {
    fn new() -> Self {
        Self { _kernel: netns::enter(), program: Program::new() }
    }

    /// Writes the configuration: lines of `[daemon]`, and services.
    fn configure(&self, daemon: &str, services: &str) {
        // A key in front of the first table header belongs to the top.
        let (top, rest) = if services.starts_with("services = []") { (services, "") } else { ("", services) };
        self.program.write(CONFIG, &format!("version = 1\n{top}\n[daemon]\n{daemon}\n{rest}"));
    }

    /// Runs `ipvsd`, which has to end with `code`; both of its outputs.
    #[track_caller]
    fn ipvsd(&self, arguments: &[&str], code: i32) -> String {
        let ended = self.program.run(CONFIG, arguments);
        let all = format!("{}{}", ended.out, ended.err);
        assert_eq!(ended.code, Some(code), "ipvsd {arguments:?}: {all}");
        all
    }

    /// `apply` has to do exactly so much.
    #[track_caller]
    fn apply(&self, arguments: &[&str], changed: usize, unchanged: usize) -> String {
        let arguments = [&["apply"], arguments].concat();
        let said = self.ipvsd(&arguments, 0);
        let summary = format!("changed={changed} failed=0 unchanged={unchanged}");
        assert!(said.lines().any(|line| line == summary), "{summary} is not in: {said}");
        said
    }

    /// The kinds and texts of the notes of `plan --output json`.
    fn notes(&self, code: i32) -> Vec<(String, String)> {
        let ended = self.program.run(CONFIG, &["plan", "--output", "json"]);
        assert_eq!(ended.code, Some(code), "{}{}", ended.out, ended.err);
        let plan: Value = serde_json::from_str(&ended.out).unwrap();
        let text = |note: &Value, key: &str| note[key].as_str().unwrap().to_owned();
        plan["notes"].as_array().unwrap().iter().map(|note| (text(note, "kind"), text(note, "text"))).collect()
    }

    fn lose_the_record(&self) {
        let record = self.program.state().join("owned.json");
        assert!(record.exists());
        fs::remove_dir_all(self.program.state()).unwrap();
    }
}

#[track_caller]
fn live_is(what: &str, rules: &str) {
    Rules::live().assert_are(&Rules::parse(rules), &what);
}

#[track_caller]
fn assert_says(said: &str, words: &str) {
    assert!(said.contains(words), "`{words}` is not in: {said}");
}

#[test]
fn what_is_foreign_is_left_alone() {
    let host = Host::new();
    ipvsadm(&["-R"], FOREIGN);
    let before = ipvsadm(&["-Sn"], "");
    live_is("what ipvsadm made", FOREIGN);
    let foreign_is_untouched = |own: &str| {
        let after = ipvsadm(&["-Sn"], "");
        let (theirs, ours): (Vec<&str>, Vec<&str>) =
            after.split_inclusive('\n').partition(|line| before.split_inclusive('\n').any(|old| old == *line));
        assert_eq!(theirs.concat(), before, "the foreign entries, to the byte");
        Rules::parse(&ours.concat()).assert_are(&Rules::parse(own), &"our entries");
    };

    host.configure("max_delete = \"100%\"", WEB);
    assert_eq!(host.notes(2).iter().filter(|(kind, _)| kind == "foreign_service").count(), 5);
    let said = host.ipvsd(&["plan"], 2);
    assert_says(&said, "tcp://192.0.2.10:8443 is foreign, with 2 destinations: left alone");
    assert_says(&said, "sctp://198.51.100.10:2905 is foreign");
    assert_says(&said, "udp://[2001:db8:f::1]:53 is foreign");
    assert_says(&said, "fwmark:7 is foreign");
    assert_says(&said, "fwmark6:7 is foreign");
    host.apply(&[], 3, 0);
    foreign_is_untouched(WEB_RULES);
    assert_eq!(host.notes(0).len(), 5);

    // Many come, some change, some go, all go, one comes back.
    host.configure("max_delete = \"100%\"", &(WEB.replace("weight = 2", "weight = 0") + &ports(1000..1020)));
    host.apply(&[], 41, 2);
    foreign_is_untouched(&(WEB_RULES.replace("-w 2", "-w 0") + &port_rules(1000..1020)));
    host.configure("max_delete = \"100%\"", &ports(1005..1007));
    host.apply(&[], 19, 4);
    foreign_is_untouched(&port_rules(1005..1007));
    host.configure("max_delete = \"100%\"", "services = []");
    host.apply(&[], 2, 0);
    foreign_is_untouched("");
    host.configure("max_delete = \"100%\"", WEB);
    host.apply(&[], 3, 0);
    foreign_is_untouched(WEB_RULES);
}

#[test]
fn under_all_the_file_is_the_whole_truth() {
    let host = Host::new();
    ipvsadm(&["-R"], FOREIGN);
    // The guard stands before this, too: 11 entries are to go, of 11.
    host.configure("manage = \"all\"", WEB);
    let said = host.ipvsd(&["apply"], 1);
    assert_says(&said, "would delete 11 of 11 owned entries (100%)");
    live_is("refused", FOREIGN);
    host.apply(&["--force"], 3 + 5, 0);
    live_is("forced", WEB_RULES);
    // A destination and a service that somebody adds now are drift.
    ipvsadm(&["-R"], "-a -t 192.0.2.10:80 -r 10.0.0.9:80 -m -w 9\n-A -f 9 -s rr\n");
    let said = host.apply(&["--only", "delete"], 2, 3);
    assert_says(&said, "drift: delete destination 10.0.0.9:80 of tcp://192.0.2.10:80");
    assert_says(&said, "drift: delete service fwmark:9");
    live_is("repaired", WEB_RULES);
    host.configure("manage = \"all\"\nmax_delete = 3", "services = []");
    host.apply(&[], 1, 0);
    live_is("nothing is wanted", "");
}

#[test]
fn under_a_list_only_what_is_in_it() {
    let host = Host::new();
    ipvsadm(&["-R"], FOREIGN);
    ipvsadm(&["-R"], "-A -t 192.0.3.10:80 -s rr\n-A -f 8 -s rr\n");
    let daemon = "manage = [\"192.0.2.0/24\", \"fwmark:7\", \"2001:db8:f::/48\"]\nmax_delete = \"100%\"";
    host.configure(daemon, WEB);
    host.apply(&[], 3 + 3, 0);
    let beyond = "\
-A --sctp-service 198.51.100.10:2905 -s rr
-a --sctp-service 198.51.100.10:2905 -r 10.1.0.1:2905 -g -w 1
-A -f 7 -6 -s mh -p 60 -M 64
-a -f 7 -6 -r [2001:db8:f::2]:0 -g -w 3
-A -t 192.0.3.10:80 -s rr
-A -f 8 -s rr
";
    live_is("within the list", &format!("{WEB_RULES}{beyond}"));
    let mut kinds: Vec<String> = host.notes(0).into_iter().map(|(kind, _)| kind).collect();
    kinds.dedup();
    assert_eq!(kinds, ["foreign_service"]);
    // A foreign destination of a service within goes, too.
    ipvsadm(&["-R"], "-a -t 192.0.2.10:80 -r 10.0.0.9:80 -m -w 9\n");
    host.apply(&[], 1, 3);
    host.configure(daemon, "services = []");
    host.apply(&[], 1, 0);
    live_is("nothing is wanted within", beyond);
}

#[test]
fn a_foreign_destination_of_our_service_is_left_alone() {
    let host = Host::new();
    host.configure("max_delete = \"100%\"", WEB);
    host.apply(&[], 3, 0);
    let theirs = "-a -t 192.0.2.10:80 -r 10.0.0.9:80 -g -w 9\n";
    ipvsadm(&["-R"], theirs);
    assert_says(&host.ipvsd(&["plan"], 0), "10.0.0.9:80 of tcp://192.0.2.10:80 is foreign: left alone");
    assert_eq!(host.notes(0)[0].0, "foreign_destination");
    host.apply(&[], 0, 3);
    live_is("left alone", &format!("{WEB_RULES}{theirs}"));

    // Ours can go, theirs stays.
    host.configure("max_delete = \"100%\"", &WEB.replace("{ address = \"10.0.0.1\", weight = 1 }, ", ""));
    host.apply(&[], 1, 2);
    let one = WEB_RULES.replace("-a -t 192.0.2.10:80 -r 10.0.0.1:80 -m -w 1\n", "");
    live_is("one of ours deleted", &format!("{one}{theirs}"));

    // The service is not wanted any more: it stays for the sake of what is not ours.
    host.configure("max_delete = \"100%\"", "services = []");
    let words =
        "tcp://192.0.2.10:80 is no longer wanted, but kept: it holds 1 destination of somebody else (10.0.0.9:80)";
    assert_says(&host.ipvsd(&["plan"], 2), words);
    assert_says(&host.apply(&[], 1, 0), words);
    live_is("kept", &format!("-A -t 192.0.2.10:80 -s wrr\n{theirs}"));
    assert_eq!(host.notes(0)[0].0, "kept_service");
    host.apply(&[], 0, 0);
    ipvsadm(&["-d", "-t", "192.0.2.10:80", "-r", "10.0.0.9:80"], "");
    host.apply(&[], 1, 0);
    live_is("no longer in the way", "");
}

#[test]
fn what_is_wanted_and_there_already_is_adopted() {
    let host = Host::new();
    let theirs = "-a -t 192.0.2.10:80 -r 10.0.0.9:80 -m -w 9\n";
    ipvsadm(&["-R"], &format!("{WEB_RULES}{theirs}"));
    host.configure("max_delete = \"100%\"", WEB);
    host.apply(&[], 0, 3);
    // Adopted: what the file drops is deleted now, and only that.
    host.configure("max_delete = \"100%\"", "services = []");
    host.apply(&[], 2, 0);
    live_is("the service is kept", &format!("-A -t 192.0.2.10:80 -s wrr\n{theirs}"));

    // What is there and differs is edited, and adopted by that.
    ipvsadm(&["-C"], "");
    ipvsadm(&["-R"], "-A -t 192.0.2.10:80 -s rr -p 300\n-a -t 192.0.2.10:80 -r 10.0.0.1:80 -g -w 5\n");
    host.configure("max_delete = \"100%\"", WEB);
    let said = host.apply(&[], 3, 0);
    assert_says(&said, "edit service tcp://192.0.2.10:80");
    assert_says(&said, "edit destination 10.0.0.1:80 of tcp://192.0.2.10:80");
    live_is("edited", WEB_RULES);
    host.configure("max_delete = \"100%\"", "services = []");
    host.apply(&[], 1, 0);
    live_is("deleted as ours", "");
}

#[test]
fn without_the_record_nothing_is_deleted() {
    let host = Host::new();
    host.configure("max_delete = \"100%\"", &(WEB.to_owned() + &ports(1000..1003)));
    host.apply(&[], 9, 0);
    let all = WEB_RULES.to_owned() + &port_rules(1000..1003);
    host.lose_the_record();
    host.configure("max_delete = \"100%\"", &WEB.replace(", { address = \"10.0.0.2\", weight = 2 }", ""));
    assert_eq!(host.notes(0).len(), 4, "three services and a destination are foreign now");
    host.apply(&[], 0, 2);
    live_is("the record is lost", &all);
    // What is wanted has been adopted again.
    host.configure("max_delete = \"100%\"", "services = []");
    host.apply(&[], 1, 0);
    let rest = all.replace("-a -t 192.0.2.10:80 -r 10.0.0.1:80 -m -w 1\n", "");
    live_is("what was adopted is deleted", &rest);

    // A record that makes no sense is put aside.
    host.configure("max_delete = \"100%\"", &ports(1000..1003));
    host.apply(&[], 0, 6);
    fs::write(host.program.state().join("owned.json"), "{\"version\":1,\"serv").unwrap();
    host.configure("max_delete = \"100%\"", "services = []");
    let said = host.apply(&[], 0, 0);
    assert_says(&said, "the ownership record was damaged");
    assert!(host.program.state().join("owned.json.damaged").exists());
    live_is("the record was damaged", &rest);
}

#[test]
fn a_record_of_another_namespace_says_nothing() {
    let host = Host::new();
    host.configure("max_delete = \"100%\"", WEB);
    host.apply(&[], 3, 0);
    host.configure("max_delete = \"100%\"", "services = []");
    thread::scope(|scope| {
        let elsewhere = scope.spawn(|| {
            let _kernel = netns::enter();
            ipvsadm(&["-R"], WEB_RULES);
            host.apply(&[], 0, 0);
            live_is("the other namespace", WEB_RULES);
        });
        elsewhere.join().unwrap();
    });
    live_is("this namespace", WEB_RULES);
}

#[test]
fn what_others_did_to_our_entries_is_repaired_and_said() {
    let host = Host::new();
    host.configure("", &(WEB.to_owned() + &ports(1000..1002)));
    host.apply(&[], 7, 0);
    ipvsadm(&["-E", "-t", "192.0.2.10:80", "-s", "lc", "-p", "60"], "");
    ipvsadm(&["-e", "-t", "192.0.2.10:80", "-r", "10.0.0.1:80", "-g", "-w", "99"], "");
    ipvsadm(&["-d", "-t", "192.0.2.10:80", "-r", "10.0.0.2:80"], "");
    ipvsadm(&["-D", "-t", "192.0.2.20:1001"], "");
    assert_says(&host.ipvsd(&["plan"], 2), "Drift: somebody else changed the table");
    // A change that somebody asked for is not drift, in the same pass.
    host.configure("", &(WEB.to_owned() + &ports(1000..1002).replacen("\"10.0.0.1\"", "\"10.0.0.1\", weight = 5", 1)));
    let said = host.apply(&[], 6, 1);
    let drift = said.lines().filter(|line| line.starts_with("drift: ")).count();
    assert_eq!(drift, 5, "{said}");
    assert_says(&said, "\nedit destination 10.0.0.1:1000 of tcp://192.0.2.20:1000: weight 100 → 5\n");
    live_is("repaired", &(WEB_RULES.to_owned() + &port_rules(1000..1002).replacen("-w 100", "-w 5", 1)));
}
