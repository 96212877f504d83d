//! ipvsd's kernel edge on a real kernel. Run it in the lab, as root: it never touches any other network namespace
//! than those that it makes for itself.
//!
//! Without IPVS or without permission every test here fails, and says so: a kernel test that did not run
//! is not a pass.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod api;
mod attributes;
mod balance;
mod chaos;
mod churn;
mod cli;
mod conformance;
mod containers;
mod crowd;
mod daemon;
mod daemon_process;
mod docker;
mod doctor;
mod doctor_locked;
mod doctor_modules;
mod doctor_packets;
mod drains;
mod example;
mod forwarding;
mod forwarding6;
mod forwarding_needs;
mod frail;
mod guide;
mod hashes;
mod health;
mod health_pains;
mod health_reasons;
mod hooks;
mod host;
mod host_settings;
mod http;
mod import;
mod limits;
mod marking;
mod marks;
mod module_missing;
mod names;
mod netns;
mod network;
mod nlmon;
mod one_packet;
mod operators;
mod oracle;
mod ownership;
mod persistence;
mod program;
#[path = "../docker/recorded.rs"]
mod recorded;
#[path = "../docker/replayed/mod.rs"]
mod replayed;
mod rolling;
mod rtnl;
mod rules;
mod scenarios;
mod schedulers;
mod sessions;
mod sync_failover;
mod table;
mod top;
mod tour;
mod traffic;
mod tunnel_needs;
mod upgrades;
mod via_vip;

macro_rules! on_the_real_kernel {
    ($($case:ident),* $(,)?) => {
        mod real {
            $(
                #[test]
                fn $case() {
                    let mut kernel = crate::netns::enter();
                    crate::netns::add_interfaces(&crate::conformance::INTERFACES);
                    crate::conformance::$case(&mut crate::conformance::Subject {
                        thresholds_are_checked: crate::netns::release() >= (6, 12),
                        has_its_own_table: crate::netns::release() >= (7, 1),
                        ipvs: &mut kernel,
                    });
                }
            )*
        }
    };
}

conformance::every_case!(on_the_real_kernel);
