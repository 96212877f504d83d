use super::*;

fn run(text: &str) -> Outcome {
    import_text(Language::Ipvsadm, text)
}

/// Every option of the manual page, in either form.
#[test]
fn every_option_is_understood() {
    let result = run("\
-A -t 192.0.2.10:80 -s mh -p 600 -M 255.255.255.0 -b mh-fallback,mh-port
-a -t 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 100
-a -t 192.0.2.10:80 -r 10.0.0.2:80 -i -w 0 -x 1000 -y 800 --tun-type gue --tun-port 6080 --tun-csum
-a -t 192.0.2.10:80 -r 10.0.0.3 --gatewaying --weight=65535 --u-threshold 7
-a -t 192.0.2.10:80 -r 10.0.0.4:80 --ipip -w 1 --tun-type gre --tun-csum
-a -t 192.0.2.10:80 -r 10.0.0.5:80 -i --tun-type=gue --tun-port 1 --tun-remcsum
-a -t 192.0.2.10:80 -r 10.0.0.6:80 -i --tun-type ipip --tun-nocsum
--add-service --tcp-service 192.0.2.10:0 --scheduler rr --persistent
-At [2001:db8::10]:80 -sfo
--add-server --tcp-service [2001:db8::10]:80 --real-server 2001:db8:1::1 --masquerading -w2
-A -u director:domain -s ovf -o
-a --udp-service director:domain -r server:domain -m -w 5
-A -u 192.0.2.10:5060 -s dh -p --pe sip
-A --sctp-service [2001:db8::10]:2905 -s lblcr
-a --sctp-service [2001:db8::10]:2905 -r [2001:db8:1::1]:1 -g
-A -u [2001:db8::10]:53 -s sh -p 300 --netmask 64 --sched-flags sh-fallback
-A -f 20 -b flag-1,flag-2,flag-3
-a -f 20 -r 10.0.0.1 -w 3
-A --fwmark-service 20 --ipv6 -s lblc -p 2678400 -M 56
-A -f 21 -s nq --ops
--set 100 120 0
--start-daemon master --mcast-interface eth1 --syncid 7 --mcast-port 9000 --mcast-ttl 2 --mcast-group 224.0.0.82 --sync-maxlen 1400
--start-daemon=backup
");
    assert_eq!(result.said(), [""; 0]);
    result.is_table_of(
        r#"
[[services]]
name = "a"
address = "tcp://192.0.2.10:80"
scheduler = "mh"
scheduler_flags = ["mh-fallback", "mh-port"]
persistence = { timeout = "600s", netmask = 24 }
destinations = [
  { address = "10.0.0.1:8080", weight = 100 },
  { address = "10.0.0.2:80", forward = "tunnel", weight = 0, max_connections = 1000, min_connections = 800, tunnel = { type = "gue", port = 6080, checksum = true } },
  { address = "10.0.0.3:80", forward = "dr", weight = 65535, max_connections = 7 },
  { address = "10.0.0.4:80", forward = "tunnel", weight = 1, tunnel = { type = "gre", checksum = true } },
  { address = "10.0.0.5:80", forward = "tunnel", weight = 1, tunnel = { type = "gue", port = 1, checksum = "remote" } },
  { address = "10.0.0.6:80", forward = "tunnel", weight = 1 },
]
[[services]]
name = "b"
address = "tcp://192.0.2.10:0"
scheduler = "rr"
persistence = { timeout = "360s" }
[[services]]
name = "c"
address = "tcp://[2001:db8::10]:80"
scheduler = "fo"
destinations = [{ address = "[2001:db8:1::1]:80", weight = 2 }]
[[services]]
name = "d"
address = "udp://192.0.2.10:53"
scheduler = "ovf"
one_packet = true
destinations = [{ address = "10.0.0.1:53", weight = 5 }]
[[services]]
name = "e"
address = "udp://192.0.2.10:5060"
scheduler = "dh"
persistence = { timeout = "360s", engine = "sip" }
[[services]]
name = "f"
address = "sctp://[2001:db8::10]:2905"
scheduler = "lblcr"
destinations = [{ address = "[2001:db8:1::1]:2905", forward = "dr", weight = 1 }]
[[services]]
name = "g"
address = "udp://[2001:db8::10]:53"
scheduler = "sh"
scheduler_flags = ["sh-fallback"]
persistence = { timeout = "300s", netmask = 64 }
[[services]]
name = "h"
address = "fwmark:20"
scheduler_flags = ["flag-1", "flag-2", "flag-3"]
destinations = [{ address = "10.0.0.1:0", forward = "dr", weight = 3 }]
[[services]]
name = "i"
address = "fwmark6:20"
scheduler = "lblc"
persistence = { timeout = "2678400s", netmask = 56 }
[[services]]
name = "j"
address = "fwmark:21"
scheduler = "nq"
one_packet = true
"#,
    );
    assert!(result.text.contains("tcp = \"100s\"") && !result.text.contains("udp = \""), "{}", result.text);
    assert!(
        result
            .text
            .contains("interface = \"eth1\", id = 7, group = \"224.0.0.82\", port = 9000, ttl = 2, sync_maxlen = 1400")
    );
    assert!(result.text.contains("backup = { interface = \"eth0\", id = 0 }"));
}

#[test]
fn marks_are_read_as_ipvsadm_writes_them() {
    let result = run("-A -f -1 -s rr\n-a -f -1 -r 10.0.0.1:0 -g -w 1\n-A -f -2147483648 -s rr\n");
    assert_eq!(result.said(), [""; 0]);
    let keys: Vec<String> = result.desired.table.services.keys().map(ToString::to_string).collect();
    assert_eq!(keys, ["fwmark:2147483648", "fwmark:4294967295"]);
}

#[test]
fn commands_are_carried_out_in_their_order() {
    let result = run("\
-A -t 192.0.2.9:80
-C
-A -t 192.0.2.10:80 -s rr -p
-a -t 192.0.2.10:80 -r 10.0.0.1:8080 -m
-a -t 192.0.2.10:80 -r 10.0.0.2:8080 -m
-a -t 192.0.2.10:80 -r 10.0.0.3:8080 -m -w 9
-E -t 192.0.2.10:80 -s wrr
-e -t 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 5
-d -t 192.0.2.10:80 -r 10.0.0.2:8080
-A -t 192.0.2.11:80
-D -t 192.0.2.11:80
-A -t 192.0.2.11:80 -s sed
");
    assert_eq!(result.said(), [""; 0]);
    result.is_table_of(
        r#"
[[services]]
name = "a"
address = "tcp://192.0.2.10:80"
scheduler = "wrr"
destinations = [{ address = "10.0.0.1:8080", weight = 5 }, { address = "10.0.0.3:8080", weight = 9 }]
[[services]]
name = "b"
address = "tcp://192.0.2.11:80"
scheduler = "sed"
"#,
    );
}

#[test]
fn a_script_is_read_line_by_line() {
    let result = run("\
#!/bin/sh
# balances the web
VIP=192.0.2.10
IPVSADM=/sbin/ipvsadm

/usr/sbin/ipvsadm -C
/sbin/ipvsadm -A -t ${VIP}:80 -s 'wrr' # as ever
\tsudo ipvsadm -a -t $VIP:80 \\
   -r 10.0.0.1:80 -m >/dev/null 2>&1 && ipvsadm -a -t \"$VIP:80\" -r 10.0.0.2:80 -m || true
$IPVSADM -a -t $VIP:80 -r 10.0.0.3:80 -m; ipvsadm -L -n
ipvsadm -R <<EOF
-A -u $VIP:53 -s rr
EOF
");
    result.is_table_of(
        r#"
[[services]]
name = "a"
address = "tcp://192.0.2.10:80"
scheduler = "wrr"
destinations = [
  { address = "10.0.0.1:80", weight = 1 },
  { address = "10.0.0.2:80", weight = 1 },
  { address = "10.0.0.3:80", weight = 1 },
]
[[services]]
name = "b"
address = "udp://192.0.2.10:53"
scheduler = "rr"
"#,
    );
    result.says(10, "--list changes nothing");
    assert_eq!(result.said().len(), 1, "{:?}", result.said());
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    for (text, words) in [
        ("-A -t 192.0.2.10:80 -s rr -k", "unknown option `-k`"),
        ("-A -t 192.0.2.10:80 --frob", "unknown option `--frob`"),
        ("-A -t 192.0.2.10:80 -s", "--scheduler has no value"),
        ("-A -s rr", "names no service"),
        ("-A -E -t 192.0.2.10:80", "two commands"),
        ("-t 192.0.2.10:80", "no command"),
        ("-A -t 192.0.2.10:80 -t 192.0.2.10:81", "stands here twice"),
        ("-A -t 192.0.2.10:80 -u 192.0.2.10:80", "two services"),
        ("-A -t 192.0.2.10", "every port has to be persistent"),
        ("-A -t 192.0.2.10:80 -o", "--ops is for udp"),
        ("-A -t 192.0.2.10:80 -w 3", "takes no --weight"),
        ("-A -t 192.0.2.10:80 -b sh-port", "no flag of the scheduler wlc"),
        ("-A -t 192.0.2.10:80 -p 0", "not a number for --persistent"),
        ("-A -t 192.0.2.10:80 -p 9 -M 24", "not a netmask"),
        ("-A -t 192.0.2.10:80 -p 9 -M 255.0.255.0", "has holes"),
        ("-A -t 192.0.2.10:99999", "not a port"),
        ("-A -t nobody:80", "no host of that name"),
        ("-A -t [2001:db8::1]80", "not an address in brackets"),
        ("-A -t 192.0.2.10:80 -6", "-6 goes with -f only"),
        ("-A -f 0", "not a number for --fwmark-service"),
        ("-A -t 192.0.2.10:80 extra", "`extra` is no option"),
        ("-a -t 192.0.2.10:80 -r 10.0.0.1:80", "is not there"),
        ("-A -t 0.0.0.0:80", "stands for no address"),
        ("--set 1 2", "wants three timeouts"),
        ("--start-daemon slave", "no state of a daemon"),
        ("--start-daemon master --mcast-group 10.0.0.1", "no multicast address"),
        ("ipvsadm-restore < /etc/ipvsadm.rules", "not a line of ipvsadm"),
        ("ipvsadm -R < /etc/ipvsadm.rules", "in another place"),
        ("ipvsadm -A -t $VIP:80", "`$VIP` is not known"),
        ("ipvsadm -A -t $(vip):80", "is not known"),
        ("for i in 1 2 3", "not a line of ipvsadm"),
    ] {
        let result = run(&format!("\n{text}\n"));
        result.says(2, words);
        assert!(result.said().iter().all(|said| said.contains("error")), "{:?}", result.said());
    }
}

#[test]
fn a_service_keeps_what_is_right_in_it() {
    let result = run("\
-A -t 192.0.2.10:80 -s rr
-A -t 192.0.2.10:80 -s wrr
-a -t 192.0.2.10:80 -r 10.0.0.1:80 -m -i
-a -t 192.0.2.10:80 -r 10.0.0.2:80 -m --tun-type gue
-a -t 192.0.2.10:80 -r 10.0.0.3:80 -m -w 100000
-a -t 192.0.2.10:80 -r 10.0.0.3:80 -m
-a -t 192.0.2.10:80 -r 10.0.0.4:80 -m -y 5
-a -t 192.0.2.10:80 -r 2001:db8::1 -m
-a -t 192.0.2.10:80 -r 10.0.0.5:80 -i --tun-type gue
modprobe ip_vs
");
    for (line, words) in [
        (2, "is there already"),
        (3, "two ways to forward"),
        (4, "goes with -i only"),
        (5, "written as 65535"),
        (6, "10.0.0.3:80 of tcp://192.0.2.10:80 is there already"),
        (7, "means nothing without an upper one"),
        (8, "another address family"),
        (9, "gue wants a port"),
        (10, "`modprobe` is not ipvsadm"),
    ] {
        result.says(line, words);
    }
    result.is_table_of(
        r#"
[[services]]
name = "a"
address = "tcp://192.0.2.10:80"
scheduler = "rr"
destinations = [{ address = "10.0.0.3:80", weight = 65535 }, { address = "10.0.0.4:80", weight = 1 }]
"#,
    );
    assert!(result.text.contains("# it:5: the weight 100000 is written as 65535"), "{}", result.text);
}

/// What is written is what is meant, be it as the kernel has it at boot. 0 leaves a timeout as it is.
#[test]
fn timeouts_are_written_whatever_they_are() {
    let result = run("--set 900 120 300\n");
    result.is_understood();
    assert!(
        result.text.contains("[timeouts]\ntcp = \"900s\"\ntcp_fin = \"120s\"\nudp = \"300s\"\n"),
        "{}",
        result.text
    );
    let result = run("--set 0 120 0\n");
    assert!(result.text.ends_with("[timeouts]\ntcp_fin = \"120s\"\n"), "{}", result.text);
}

/// The place is the destination's, and nothing is said a second time without one.
#[test]
fn a_synchronisation_that_the_kernel_refuses_is_left_out() {
    let result = run("--start-daemon master --mcast-interface eth0 --syncid 7
-A -t 192.0.2.10:80 -s rr
-a -t 192.0.2.10:80 -r 10.0.0.1 -i
-a -t 192.0.2.10:80 -r [2001:db8::1]:80 -i
");
    result.says(4, "the synchronisation daemon master is left out: the kernel synchronises no connections");
    result.says(4, "as [2001:db8::1]:80 of tcp://192.0.2.10:80 is");
    assert_eq!(draft_toml(&result.imported.draft).omitted, [""; 0]);
    assert!(!result.text.contains("[sync]"), "{}", result.text);
    assert_eq!(result.desired.table.services.values().map(|service| service.destinations.len()).sum::<usize>(), 2);
}

#[test]
fn nothing_is_a_configuration_without_services() {
    let result = run("\n# nothing\n");
    assert_eq!(result.text, "version = 1\nservices = []\n");
}
