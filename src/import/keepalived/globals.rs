//! `global_defs`: the kernel's timeouts and its connection synchronisation, and what of the rest has an equivalent.

use std::net::IpAddr;

use super::Reading;
use super::tree::Node;
use super::values::{unknown, without};
use crate::import::report::Report;
use crate::model::{SyncRole, SyncSettings, Timeout};

/// The longest timeout, 31 days.
const MAX_TIMEOUT: u32 = 86_400 * 31;

/// Words that are about something else than IPVS, by how they begin, and what to do about them.
const OTHERS: [(&str, &str, &str); 8] = [
    ("vrrp_", "it is about VRRP, and stays keepalived's", "leave it in keepalived.conf"),
    ("bfd_", "it is about BFD, and stays keepalived's", "leave it in keepalived.conf"),
    ("smtp_", "ipvsd sends no mail", "`on_change` under [hooks] names a program that is told what happens"),
    ("notification_", "ipvsd sends no mail", "`on_change` under [hooks] names a program that is told what happens"),
    ("checker_", "ipvsd has no process of checkers", "nothing has to be done; limits are systemd's, in the unit"),
    ("lvs_netlink_", "ipvsd looks after its sockets itself", "nothing has to be done"),
    ("snmp_", "ipvsd has no SNMP", "`[api]` has metrics for Prometheus"),
    ("enable_snmp_", "ipvsd has no SNMP", "`[api]` has metrics for Prometheus"),
];

/// Words that stand for themselves, in the same way.
const MAIL: &[&str] = &["no_email_faults", "no_checker_emails"];
const NOTIFIED: &[&str] =
    &["notify_fifo", "notify_fifo_script", "lvs_notify_fifo", "lvs_notify_fifo_script", "rs_init_notifies"];
const SCRIPTS: &[&str] = &["script_user", "enable_script_security"];
const KEEPALIVEDS: &[&str] = &[
    "router_id",
    "linkbeat_use_polling",
    "net_namespace",
    "net_namespace_ipvs",
    "namespace_with_ipsets",
    "use_pid_dir",
    "instance",
    "child_wait_time",
    "process_names",
    "process_name",
    "lvs_process_name",
    "use_symlink_paths",
    "set_supplementary_groups",
    "startup_script",
    "startup_script_timeout",
    "shutdown_script",
    "shutdown_script_timeout",
    "max_auto_priority",
    "min_auto_priority_delay",
    "dynamic_interfaces",
    "default_interface",
    "disable_local_igmp",
    "v3_checksum_as_v2",
    "nftables",
    "nftables_priority",
    "nftables_ifindex",
    "nftables_counters",
    "fifo_write_vrrp_states_on_reload",
    "enable_traps",
    "enable_dbus",
    "dbus_service_name",
    "dbus_no_interface_name",
    "process_monitor_rcv_bufs",
    "process_monitor_rcv_bufs_force",
    "log_unknown_vrids",
    "vmac_prefix",
    "vmac_addr_prefix",
    "umask",
    "random_seed",
    "reload_check_config",
    "reload_time_file",
    "reload_repeat",
    "reload_file",
    "include_check",
    "config_save_dir",
    "tmp_config_directory",
    "data_use_instance",
    "json_version",
    "iproute_usr_dir",
    "iproute_etc_dir",
    "state_dump_file",
    "stats_dump_file",
    "json_dump_file",
];

impl Reading<'_> {
    pub(super) fn globals(&mut self, node: &Node) {
        for node in node.children() {
            match node.keyword() {
                "lvs_timeouts" => self.timeouts(node),
                "lvs_sync_daemon" => self.sync(node),
                "lvs_flush" => {
                    let help = "`manage = \"all\"` under [daemon] has all deleted that the configuration does not name";
                    let comment = without(node, "ipvsd never flushes the table", help, self.report);
                    self.draft.comments.push(comment);
                }
                "lvs_flush_on_stop" | "lvs_flush_onstop" => {
                    without(
                        node,
                        "ipvsd leaves the table as it is when it stops",
                        "nothing has to be done",
                        self.report,
                    );
                }
                "nftables_ipvs" | "nftables_ipvs_priority" | "nftables_ipvs_start_fwmark" => {
                    let what = "ipvsd sets no marks: each address of a group is an address of its service";
                    let help = "for marks write the rules of the firewall, and `fwmark:N` as the address";
                    let comment = without(node, what, help, self.report);
                    self.draft.comments.push(comment);
                }
                word => other(word, node, self.report),
            }
        }
    }

    fn timeouts(&mut self, node: &Node) {
        let mut words = node.statement.words.iter().skip(1);
        while let Some(word) = words.next() {
            let timeout = match word.text.as_str() {
                "tcp" => Timeout::Tcp,
                "tcpfin" => Timeout::TcpFin,
                "udp" => Timeout::Udp,
                other => {
                    let message = format!("unknown word `{other}` of lvs_timeouts");
                    self.report.error(&word.place, message, "there are tcp, tcpfin and udp");
                    return;
                }
            };
            let seconds = words.next().and_then(|word| word.text.parse().ok()).filter(|value| *value <= MAX_TIMEOUT);
            match seconds {
                // 0 leaves it as it is.
                Some(0) => {}
                Some(seconds) => {
                    self.draft.timeouts.insert(timeout, seconds);
                }
                None => {
                    let help = format!("write seconds, up to {MAX_TIMEOUT}; it is left out here");
                    self.report.error(&word.place, format!("the timeout {} has no such value", word.text), help);
                }
            }
        }
    }

    fn sync(&mut self, node: &Node) {
        let Some(interface) = node.word(1) else {
            self.report.error(&node.statement.place, "lvs_sync_daemon has no interface", "write it behind the word");
            return;
        };
        let mut settings = SyncSettings {
            interface: interface.to_owned(),
            id: 0,
            group: SyncSettings::GROUP,
            port: SyncSettings::PORT,
            ttl: SyncSettings::TTL,
            sync_maxlen: None,
        };
        let mut instance = None;
        let mut words = node.statement.words.iter().skip(2).enumerate();
        while let Some((index, word)) = words.next() {
            let known = matches!(word.text.as_str(), "inst" | "id" | "maxlen" | "port" | "ttl" | "group");
            let value = if known { words.next().map(|(_, value)| value.text.as_str()) } else { None };
            let number = value.and_then(|value| value.parse::<u16>().ok());
            let taken = match word.text.as_str() {
                "inst" => value.map(|value| instance = Some(value)),
                "id" => number.and_then(|id| u8::try_from(id).ok()).map(|id| settings.id = id),
                "maxlen" => number.map(|length| settings.sync_maxlen = Some(length)),
                "port" => number.filter(|port| *port > 0).map(|port| settings.port = port),
                "ttl" => {
                    number.and_then(|ttl| u8::try_from(ttl).ok()).filter(|ttl| *ttl > 0).map(|ttl| settings.ttl = ttl)
                }
                "group" => value
                    .and_then(|value| value.parse::<IpAddr>().ok())
                    .filter(IpAddr::is_multicast)
                    .map(|group| settings.group = group),
                // As it was written once: an instance, and an id.
                _ if index == 0 => {
                    instance = Some(word.text.as_str());
                    Some(())
                }
                other if index == 1 => other.parse().ok().map(|id| settings.id = id),
                _ => None,
            };
            if taken.is_none() {
                let message = format!("`{}` of lvs_sync_daemon is not understood", word.text);
                self.report.error(&word.place, message, "it is left out here; see [sync] of the configuration");
            }
        }
        if let Some(instance) = instance {
            let message = format!(
                "the side of the synchronisation follows the VRRP instance {instance}: ipvsd knows nothing of VRRP"
            );
            let help = "both sides run at the same time here, which the kernel allows: each tells what it has, and hears what the other has";
            let comment = self.report.warn(&node.statement.place, message, help);
            self.draft.comments.push(comment);
        }
        for role in SyncRole::ALL {
            self.draft.sync.insert(role, settings.clone());
        }
    }
}

fn other(word: &str, node: &Node, report: &mut Report) {
    let others = OTHERS.iter().find(|(start, ..)| word.starts_with(start)).map(|(_, what, help)| (*what, *help));
    let (what, help) = match others {
        Some(found) => found,
        None if MAIL.contains(&word) => (OTHERS[2].1, OTHERS[2].2),
        None if NOTIFIED.contains(&word) => {
            ("ipvsd has no fifo", "`on_change` under [hooks] names a program that is told what happens")
        }
        None if SCRIPTS.contains(&word) => (
            "ipvsd runs programs of checks as the user that it is itself",
            "run it as another user by the unit, or by sudo in `argv`",
        ),
        None if KEEPALIVEDS.contains(&word) => ("it is about keepalived itself", "nothing has to be done"),
        None => {
            unknown(node, "of global_defs", report);
            return;
        }
    };
    without(node, what, help, report);
}
