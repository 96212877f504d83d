//! keepalived.conf: virtual servers, their groups, real servers and checkers, and what of the global definitions is about IPVS.
//!
//! Read in keepalived's source (its parser, `check/`), of which the defaults are as well. What keepalived repairs without a
//! word (no protocol is udp, a port that does not fit, …) is repaired here in the same way, with a word. VRRP and all else stays
//! keepalived's.

mod checkers;
mod definitions;
mod globals;
mod groups;
mod http;
mod lines;
mod real_server;
mod settings;
mod tree;
mod values;
mod virtual_server;

use std::collections::HashMap;

use super::checks::Checks;
use super::report::Report;
use super::services::Item;
use super::{Surroundings, services};
use crate::config::Draft;
use groups::Group;
use tree::Node;

/// Blocks and words at the top that are not about IPVS, and whose they are.
const OTHERS: [&str; 22] = [
    "vrrp_instance",
    "vrrp_sync_group",
    "vrrp_script",
    "vrrp_track_process",
    "vrrp_track_file",
    "track_file",
    "track_group",
    "track_process",
    "static_ipaddress",
    "static_routes",
    "static_rules",
    "garp_group",
    "linkbeat_interfaces",
    "linkbeat_use_polling",
    "interface_up_down_delays",
    "bfd_instance",
    "namespace_with_ipsets",
    "use_pid_dir",
    "instance",
    "child_wait_time",
    "net_namespace",
    "net_namespace_ipvs",
];

/// What is read so far.
struct Reading<'r> {
    report: &'r mut Report,
    draft: Draft,
    checks: Checks,
    groups: HashMap<String, Group>,
    items: Vec<Item>,
    /// Of the whole file: what keepalived does and ipvsd is told to do.
    remarks: Remarks,
}

/// What is said at the head, once.
#[derive(Default)]
struct Remarks {
    deletes: bool,
    optimistic: bool,
}

pub(super) fn read(report: &mut Report, surroundings: &mut dyn Surroundings) -> Draft {
    let statements = lines::statements(report, surroundings);
    let nodes = tree::tree(statements, report);
    let mut reading = Reading {
        report,
        draft: Draft::default(),
        checks: Checks::default(),
        groups: HashMap::new(),
        items: Vec::new(),
        remarks: Remarks::default(),
    };
    // A group may be written behind its server.
    for node in nodes.iter().filter(|node| node.keyword() == "virtual_server_group") {
        reading.group(node);
    }
    for node in &nodes {
        reading.top(node);
    }
    reading.finish()
}

impl Reading<'_> {
    fn top(&mut self, node: &Node) {
        match node.keyword() {
            "virtual_server" => self.virtual_server(node),
            "virtual_server_group" => {}
            "global_defs" => self.globals(node),
            "SSL" => {
                let message = "SSL: keepalived loads these files, and takes any certificate all the same";
                let help = "write `ca`, and not `insecure`, in the https checks, if certificates are to be verified";
                let comment = self.report.warn(&node.statement.place, message, help);
                self.draft.comments.push(comment);
            }
            other if OTHERS.contains(&other) => {
                let message = format!("{other} is not about IPVS, and stays keepalived's");
                let help = "leave it in keepalived.conf, and take the virtual servers out";
                self.report.warn(&node.statement.place, message, help);
            }
            _ => values::unknown(node, "at the top", self.report),
        }
    }

    fn group(&mut self, node: &Node) {
        let Some(name) = node.word(1) else {
            self.report.error(&node.statement.place, "a group has no name", "write it behind virtual_server_group");
            return;
        };
        let group = groups::read(node, self.report);
        if self.groups.insert(name.to_owned(), group).is_some() {
            let message = format!("the group {name} is written twice");
            self.report.error(&node.statement.place, message, "the last one is taken: keep one of the two");
        }
    }

    fn finish(mut self) -> Draft {
        let Remarks { deletes, optimistic } = self.remarks;
        if deletes {
            let line = "keepalived deletes servers that are down, and cuts their connections: so on_down = \"delete\". With \
                        \"quiesce\" (the default) the open connections go on";
            self.draft.comments.push(line.to_owned());
        }
        if optimistic {
            let line = "keepalived has servers in use until their first check, at every start: so initial = \"up\". With \"live\" \
                        (the default) those that are new wait for their first check";
            self.draft.comments.push(line.to_owned());
        }
        self.draft.checks = self.checks.list;
        services::put(self.items, &mut self.draft, self.report);
        self.draft
    }
}
