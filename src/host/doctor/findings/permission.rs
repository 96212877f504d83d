//! What keeps ipvsd from the kernel's table.

use crate::host::doctor::facts::Table;
use crate::host::doctor::finding::{Finding, NOT_PERMITTED, TABLE_UNREADABLE, USER_NAMESPACE};
use crate::host::doctor::scene::Scene;

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let facts = scene.facts;
    let said = match &facts.table {
        Table::Read(_) => return Vec::new(),
        // Nobody has asked: to ask would have loaded the module.
        Table::Absent => None,
        Table::Denied(text) | Table::Failed(text) => Some(text),
    };
    let why = "the kernel lets nobody read or change IPVS without CAP_NET_ADMIN in the first user namespace \
               (GENL_ADMIN_PERM), so ipvsd can do nothing here";
    let finding = if !facts.initial_user_namespace {
        let saw = "this process is in a user namespace of its own, as in a rootless container or under `unshare -U`";
        USER_NAMESPACE.of("this process", saw, why).advice(
            "run ipvsd on the host or in a container that is not rootless (docker run --network host --cap-add NET_ADMIN); \
             no capability within a user namespace is enough",
        )
    } else if !facts.net_admin {
        let saw = "CAP_NET_ADMIN is not among its effective capabilities";
        NOT_PERMITTED.of("this process", saw, why).advice(
            "run ipvsd as root; for another user, write AmbientCapabilities=CAP_NET_ADMIN into its unit; in a container, add \
             the capability (docker run --cap-add NET_ADMIN)",
        )
    } else if let Some(said) = said {
        let saw = format!("the table could not be read: {said}");
        let why = "what cannot be read cannot be compared, and ipvsd changes nothing";
        let advice = "see whether something confines this process: a seccomp filter, SELinux or AppArmor, or \
                      RestrictAddressFamilies= without AF_NETLINK in its unit; `dmesg` and the audit log name it";
        TABLE_UNREADABLE.of("the table", saw, why).advice(advice)
    } else {
        return Vec::new();
    };
    vec![finding]
}

#[cfg(test)]
mod tests {
    use crate::host::doctor::facts::Table;
    use crate::host::doctor::testing::Case;

    fn denied() -> Table {
        Table::Denied("not permitted".to_owned())
    }

    #[test]
    fn without_the_capability() {
        let mut case = Case::good();
        case.facts.net_admin = false;
        case.facts.table = denied();
        case.finds(&["not-permitted"]);
        // If the module is not there, nobody was asked; the answer would be the same.
        case.facts.table = Table::Absent;
        case.finds(&["not-permitted"]);
    }

    #[test]
    fn in_a_user_namespace_no_capability_helps() {
        let mut case = Case::good();
        case.facts.initial_user_namespace = false;
        case.facts.table = denied();
        case.finds(&["user-namespace"]);
        case.facts.net_admin = false;
        case.finds(&["user-namespace"]);
    }

    #[test]
    fn what_can_be_read_is_permitted() {
        let mut case = Case::good();
        (case.facts.net_admin, case.facts.initial_user_namespace) = (false, false);
        case.finds(&[]);
    }

    #[test]
    fn another_failure_is_told_as_it_is() {
        let mut case = Case::good();
        case.facts.table = Table::Failed("netlink: no socket".to_owned());
        let found = case.finds(&["table-unreadable"]);
        assert_eq!(found[0].saw, "the table could not be read: netlink: no socket");
    }
}
