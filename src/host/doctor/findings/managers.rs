//! Others who manage the same table.

use crate::host::doctor::facts::Process;
use crate::host::doctor::finding::{Finding, Mend, OTHER_MANAGER};
use crate::host::doctor::scene::Scene;
use std::collections::BTreeMap;

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let mut by_name: BTreeMap<&str, Vec<&Process>> = BTreeMap::new();
    for process in scene.facts.processes.iter().filter(|process| process.role.manages_table()) {
        by_name.entry(&process.name).or_default().push(process);
    }
    by_name.into_iter().map(|(name, processes)| one(name, &processes)).collect()
}

fn one(name: &str, processes: &[&Process]) -> Finding {
    let shown: Vec<String> =
        processes.iter().map(|Process { pid, command, .. }| format!("{pid} ({command})")).collect();
    let noun = if processes.len() == 1 { "process" } else { "processes" };
    let saw = format!("{name} runs in this network namespace: {noun} {}", shown.join(", "));
    let why = "two programs that manage one table undo each other's changes: each takes the other's for drift, and \
               connections break";
    let pids: Vec<String> = processes.iter().map(|process| process.pid.to_string()).collect();
    let kill = format!("kill -KILL {}", pids.join(" "));
    let mend = match name {
        // It may hold addresses, and it is its own configuration that makes it manage the table.
        "keepalived" => Mend::Advice(format!(
            "let ipvsd have the table, and keepalived the addresses: run `ipvsd import` for a configuration of what is there, \
             take the virtual_server blocks out of keepalived.conf, and start keepalived with --vrrp. When it is stopped it \
             takes its services along, unless it was started with --dont-release-ipvs; so `{kill}` keeps the connections \
             (and its addresses with them, so start it again at once)"
        )),
        // It has its own order of ending, which leaves the table as it is.
        "ipvsd" => Mend::Command(format!("kill -TERM {}", pids.join(" "))),
        // Others take their services along when they end in peace.
        _ => Mend::Command(kill),
    };
    let finding = OTHER_MANAGER.of(name, saw, why).mends([mend]);
    match name {
        "keepalived" => finding,
        "ipvsd" => finding.advice("or name its configuration and state directory with --config and --state-dir"),
        _ => finding.advice(format!(
            "and see that nothing starts {name} again (`systemctl disable`); killed like this it leaves the table as it is, \
             which many programs do not when they are stopped"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::doctor::facts::Role;
    use crate::host::doctor::testing::Case;

    fn process(pid: i32, name: &str, role: Role) -> Process {
        Process { pid, name: name.to_owned(), command: format!("/usr/sbin/{name}"), role }
    }

    #[test]
    fn each_other_manager_once_with_all_of_its_processes() {
        let mut case = Case::good();
        case.facts.processes = vec![
            process(10, "ldirectord", Role::ManagesTable),
            process(11, "keepalived", Role::Both),
            process(12, "keepalived", Role::Both),
        ];
        let found = case.finds(&["other-manager", "other-manager"]);
        assert_eq!(found[0].subject, "keepalived");
        assert!(found[0].saw.ends_with("processes 11 (/usr/sbin/keepalived), 12 (/usr/sbin/keepalived)"), "{found:?}");
        assert!(matches!(&found[0].mend[0], Mend::Advice(advice) if advice.contains("`kill -KILL 11 12`")));
        assert_eq!(found[1].mend[0], Mend::Command("kill -KILL 10".to_owned()));
    }

    #[test]
    fn who_only_moves_addresses_is_welcome() {
        let mut case = Case::good();
        case.facts.processes =
            vec![process(10, "keepalived", Role::MovesAddresses), process(11, "ucarp", Role::MovesAddresses)];
        case.finds(&[]);
    }

    #[test]
    fn another_ipvsd_ends_in_peace() {
        let mut case = Case::good();
        case.facts.processes = vec![process(10, "ipvsd", Role::ManagesTable)];
        assert_eq!(case.finds(&["other-manager"])[0].mend[0], Mend::Command("kill -TERM 10".to_owned()));
    }
}
