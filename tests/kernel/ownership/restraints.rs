//! Whole passes that are refused, and those that are only for show.

use super::*;

#[test]
fn the_guard_refuses_a_pass_that_deletes_too_much() {
    let host = Host::new();
    host.configure("", &ports(1000..1004));
    host.apply(&[], 8, 0);
    // Three of four, and something that is to be added: none of it is done.
    host.configure("", &(ports(1000..1001) + WEB));
    assert_says(&host.ipvsd(&["plan"], 2), "apply will refuse this plan: would delete 6 of 8 owned entries (75%)");
    let said = host.ipvsd(&["apply"], 1);
    assert_says(&said, "would delete 6 of 8 owned entries (75%), more than max_delete = \"50%\" allows");
    assert_says(&said, "--force");
    live_is("refused", &port_rules(1000..1004));
    // Exactly half.
    host.configure("", &(ports(1000..1002) + WEB));
    host.apply(&[], 5, 4);
    live_is("exactly half", &(port_rules(1000..1002) + WEB_RULES));

    host.configure("max_delete = 2", WEB);
    assert_says(&host.ipvsd(&["apply"], 1), "would delete 4 of 7 owned entries, more than max_delete = 2 allows");
    live_is("a number", &(port_rules(1000..1002) + WEB_RULES));
    host.apply(&["--force"], 2, 3);
    live_is("forced", WEB_RULES);
    host.configure("max_delete = 0", &WEB.replace("{ address = \"10.0.0.1\", weight = 1 }, ", ""));
    host.ipvsd(&["apply"], 1);
    live_is("not even one", WEB_RULES);
    // Edits and adds are not its business.
    host.configure("max_delete = 0", &(WEB.replace("weight = 1", "weight = 0") + &ports(1000..1001)));
    host.apply(&[], 3, 2);
}

#[test]
fn only_refuses_before_anything_is_applied() {
    let host = Host::new();
    host.configure("", WEB);
    host.apply(&["--only", "add"], 3, 0);
    let changed = WEB.replace("weight = 2", "weight = 3").replace("\"10.0.0.1\"", "\"10.0.0.3\"");
    host.configure("", &(changed.clone() + &ports(1000..1001)));
    for only in ["add,edit", "add,delete", "edit", "add", "delete,edit"] {
        let said = host.ipvsd(&["apply", "--only", only], 1);
        assert_says(&said, "not allowed");
        assert_says(&said, "nothing of it is applied");
        live_is(only, WEB_RULES);
    }
    let said = host.ipvsd(&["apply", "--only", "add,edit"], 1);
    assert_says(&said, "delete destination 10.0.0.1:80 of tcp://192.0.2.10:80; only add and edit was asked for");
    host.ipvsd(&["apply", "--only", "create"], 64);
    host.apply(&["--only", "add,edit,delete"], 5, 1);
    let after = WEB_RULES.replace("-w 2", "-w 3").replace("10.0.0.1", "10.0.0.3") + &port_rules(1000..1001);
    live_is("all of it", &after);
}

#[test]
fn a_dry_run_changes_nothing() {
    let host = Host::new();
    host.configure("", WEB);
    let said = host.ipvsd(&["apply", "--dry-run"], 0);
    assert_eq!(said, host.ipvsd(&["plan"], 2), "it prints the plan");
    assert_says(&said, "tcp://192.0.2.10:80");
    live_is("nothing was there", "");
    assert!(!host.program.state().exists(), "not even the state directory is made");
    host.apply(&[], 3, 0);
    let record = fs::read(host.program.state().join("owned.json")).unwrap();

    host.configure("max_delete = \"100%\"", &(WEB.replace("weight = 2", "weight = 3") + &ports(1000..1001)));
    host.ipvsd(&["apply", "--dry-run"], 0);
    assert_says(&host.ipvsd(&["apply", "--dry-run", "--only", "add"], 1), "edit destination 10.0.0.2:80");
    host.configure("max_delete = \"100%\"", "services = []");
    host.ipvsd(&["apply", "--dry-run", "--force"], 0);
    live_is("dry runs", WEB_RULES);
    assert_eq!(fs::read(host.program.state().join("owned.json")).unwrap(), record);
}
