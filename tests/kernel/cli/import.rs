//! From the live table to a configuration, and back.

use std::fs;

use ipvsd::ipvs::Ipvs as _;
use ipvsd::model::{DestinationSettings, Forward};
use ipvsd::plan::Operation;

use super::{CONFIG, assert_says, host, json_of};
use crate::netns::ipvsadm;
use crate::rules::Rules;

/// Everything that a configuration can say, made by `ipvsadm`.
const EVERYTHING: &str = "\
-A -t 192.0.2.10:80 -s mh -p 600 -M 255.255.255.0 -b mh-fallback,mh-port
-a -t 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 100
-a -t 192.0.2.10:80 -r 10.0.0.2:80 -i -w 0 -x 1000 -y 800 --tun-type gue --tun-port 6080 --tun-csum
-a -t 192.0.2.10:80 -r 10.0.0.3:80 -g -w 65535 -x 7
-a -t 192.0.2.10:80 -r [2001:db8:1::4]:80 -i -w 1 --tun-type gre --tun-csum
-a -t 192.0.2.10:80 -r 10.0.0.5:80 -i -w 1 --tun-type gue --tun-port 1 --tun-remcsum
-a -t 192.0.2.10:80 -r 10.0.0.6:80 -i -w 1 --tun-type ipip
-A -t 192.0.2.10:0 -s rr -p 300
-A -t [2001:db8::10]:80 -s fo
-a -t [2001:db8::10]:80 -r [2001:db8:1::1]:80 -m -w 2
-A -u 192.0.2.10:53 -s ovf -o
-a -u 192.0.2.10:53 -r 10.0.0.1:53 -m -w 5
-A -u 192.0.2.10:5060 -s dh -p 300 --pe sip
-a -u 192.0.2.10:5060 -r 10.0.0.1:5060 -m -w 1
-A --sctp-service [2001:db8::10]:2905 -s lblcr
-a --sctp-service [2001:db8::10]:2905 -r [2001:db8:1::1]:2905 -g -w 1
-A -u [2001:db8::10]:53 -s sh -p 300 -M 64 -b sh-fallback
-A -u [2001:db8::10]:54 -s sh -b sh-port
-A -f 20 -s wlc -b flag-1,flag-2,flag-3
-a -f 20 -r 10.0.0.1:0 -g -w 1
-A -f 20 -6 -s lblc -p 2678400 -M 56
-a -f 20 -6 -r 10.0.0.1:0 -i -w 1 --tun-type ipip
-A -f 4294967295 -s sed
-A -f 21 -s nq
";

#[test]
fn an_import_is_a_configuration_that_plans_to_nothing() {
    let (_kernel, program) = host();
    ipvsadm(&["-R"], EVERYTHING);
    let before = ipvsadm(&["-Sn"], "");
    for (command, format) in
        [("import", "toml"), ("import", "yaml"), ("import", "json"), ("show", "toml"), ("show", "yaml")]
    {
        let text = program.runs(CONFIG, &[command, "--output", format], 0);
        let file = format!("{command}.{}", if format == "json" { "yaml" } else { format });
        if format == "json" {
            json_of(&text);
        }
        program.write(&file, &text);
        program.runs(&file, &["check"], 0);
        let plan = program.run(&file, &["plan"]);
        assert_eq!(plan.code, Some(0), "{command} --output {format}: {}{}\n{text}", plan.out, plan.err);
        assert!(!plan.out.contains("foreign"), "all of it is in the text: {}", plan.out);
        let applied = program.runs(&file, &["apply"], 0);
        assert_eq!(applied, format!("changed=0 failed=0 unchanged={}\n", EVERYTHING.lines().count()));
        fs::remove_dir_all(program.state()).unwrap();
    }
    assert_eq!(ipvsadm(&["-Sn"], ""), before);
    // From nothing the text makes the same table, thresholds included.
    let table = Rules::live();
    ipvsadm(&["-C"], "");
    program.runs("import.toml", &["apply"], 0);
    Rules::live().assert_are(&table, &"made anew from import.toml");
    ipvsadm(&["-C"], "");
    program.runs("import.yaml", &["apply"], 0);
    Rules::live().assert_are(&table, &"made anew from import.yaml");
}

/// The kernel's own settings belong to what is imported, where they are not as at boot.
#[test]
fn timeouts_and_synchronisation_are_imported() {
    let (_kernel, program) = host();
    ipvsadm(&["-A", "-t", "192.0.2.10:80", "-s", "rr"], "");
    assert!(!program.runs(CONFIG, &["import"], 0).contains("timeouts"), "they are as at boot");
    ipvsadm(&["--set", "100", "120", "20"], "");
    let master = ["--start-daemon", "master", "--mcast-interface", "v0", "--syncid", "7", "--mcast-port", "9000"];
    ipvsadm(&master, "");
    let shown = || (ipvsadm(&["-L", "--timeout"], ""), ipvsadm(&["-L", "--daemon"], ""));
    let before = shown();
    assert!(before.1.contains("syncid=7"), "{before:?}");
    for format in ["toml", "yaml"] {
        let text = program.runs(CONFIG, &["import", "--output", format], 0);
        let file = format!("settings.{format}");
        program.write(&file, &text);
        let plan = program.run(&file, &["plan"]);
        assert_eq!(plan.code, Some(0), "{}{}\n{text}", plan.out, plan.err);
        ipvsadm(&["--stop-daemon", "master"], "");
        ipvsadm(&["--set", "900", "120", "300"], "");
        program.runs(&file, &["apply"], 0);
        assert_eq!(shown(), before, "made anew from\n{text}");
    }
}

#[test]
fn an_import_says_what_it_leaves_out() {
    let (mut kernel, program) = host();
    ipvsadm(&["-R"], "-A -t 192.0.2.10:80 -s rr -p 300 -M 255.0.255.0\n-A -t 192.0.2.10:81 -s rr\n");
    ipvsadm(&["-a", "-t", "192.0.2.10:81", "-r", "10.0.0.1:83", "-m"], "");
    // The kernel takes it, ipvsadm does not ask for it.
    let settings = DestinationSettings { forward: Forward::Dr, weight: 1, max_connections: 0, min_connections: 0 };
    let (service, destination) = ("tcp://192.0.2.10:81".parse().unwrap(), "10.0.0.1:82".parse().unwrap());
    kernel.execute(&[&Operation::AddDestination { service, destination, settings }]).unwrap().remove(0).unwrap();
    let ended = program.run(CONFIG, &["import"]);
    assert_eq!(ended.code, Some(1), "{}{}", ended.out, ended.err);
    assert_says(&ended.err, "left out: tcp://192.0.2.10:80");
    assert_says(&ended.err, "10.0.0.1:82");
    program.write("rest.toml", &ended.out);
    program.runs("rest.toml", &["check"], 0);
    let plan = program.runs("rest.toml", &["plan"], 0);
    assert_says(&plan, "tcp://192.0.2.10:80 is foreign: left alone");
    assert_says(&plan, "10.0.0.1:82 of tcp://192.0.2.10:81 is foreign: left alone");
}
