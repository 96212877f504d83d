use super::*;

fn run(text: &str) -> Outcome {
    import_text(Language::Keepalived, text)
}

/// A service without destinations, and ports that are not those that were written.
#[test]
fn what_becomes_of_servers_that_do_not_fit_is_said() {
    let result = run("virtual_server_group G1 {
    192.0.2.10 80
    2001:db8::10 80
}
virtual_server group G1 {
    protocol TCP
    lb_algo wrr
    lb_kind NAT
    real_server 10.0.0.2 8080 { weight 1 }
}
virtual_server_group G2 {
    192.0.2.20 80
    192.0.2.20 90
}
virtual_server group G2 {
    protocol TCP
    lb_algo wrr
    lb_kind TUN
    real_server 10.0.0.2 8080 { weight 1 }
    real_server 10.0.0.3 { weight 1 }
}
virtual_server fwmark 7 {
    protocol TCP
    lb_algo wrr
    lb_kind DR
    real_server 10.0.0.2 8080 { weight 1 }
}
");
    result.is_understood();
    result.says(5, "no real server of the group is reached from its addresses of IPv6");
    result.says(19, "the port 8080 of 10.0.0.2 becomes the service's: 80, 90");
    assert_eq!(result.said().iter().filter(|said| said.contains("becomes the service's")).count(), 1);
    for words in ["# it:5: no real server", "# it:19: the port 8080"] {
        assert!(result.text.contains(words), "{words}\n{}", result.text);
    }
}

/// What is written is what is meant, be it as the kernel has it at boot.
#[test]
fn timeouts_are_written_whatever_they_are() {
    let result = run("global_defs {\n  lvs_timeouts tcp 900 tcpfin 120 udp 300\n}\n");
    assert!(
        result.text.contains("[timeouts]\ntcp = \"900s\"\ntcp_fin = \"120s\"\nudp = \"300s\"\n"),
        "{}",
        result.text
    );
}
