//! The conformance suite on the fake kernel. `tests/kernel` runs the same suite on the real one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "kernel/conformance/mod.rs"]
mod conformance;

use ipvsd::ipvs::{Fake, FakeInterface};

fn fake() -> Fake {
    let mut fake = Fake::new();
    // What the lab's interface has.
    fake.not_unicast("192.0.2.255/32".parse().unwrap());
    for (name, mtu, is_up) in conformance::INTERFACES {
        fake.with_interface(name, FakeInterface { mtu, is_up });
    }
    fake
}

macro_rules! on_the_fake {
    ($($case:ident),* $(,)?) => {
        mod as_linux_6_12 {
            $(
                #[test]
                fn $case() {
                    let mut fake = super::fake();
                    super::conformance::$case(&mut super::conformance::Subject {
                        thresholds_are_checked: true,
                        has_its_own_table: false,
                        ipvs: &mut fake,
                    });
                }
            )*
        }

        mod as_linux_6_1 {
            $(
                #[test]
                fn $case() {
                    let mut fake = super::fake();
                    fake.as_linux_6_1();
                    fake.without_module("twos");
                    super::conformance::$case(&mut super::conformance::Subject {
                        thresholds_are_checked: false,
                        has_its_own_table: false,
                        ipvs: &mut fake,
                    });
                }
            )*
        }
    };
}

conformance::every_case!(on_the_fake);
