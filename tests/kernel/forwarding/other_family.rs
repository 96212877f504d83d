//! The cells that the kernel does not have: only a tunnel leads from a service to a destination of the other family.

use ipvsd::ipvs::{Errno, Ipvs, Kernel};
use ipvsd::model::{DestinationSettings, Forward, Scheduler, ServiceFlags, ServiceSettings, Tunnel};
use ipvsd::plan::Operation;

use super::rig::{Rig, Wiring};
use crate::netns::ipvsadm;
use crate::program::Program;

const CONFIG: &str = "ipvsd.toml";

fn add(service: &str) -> Operation {
    let settings =
        ServiceSettings { scheduler: Scheduler::new("rr"), flags: ServiceFlags::default(), persistence: None };
    Operation::AddService { service: service.parse().unwrap(), settings }
}

fn add_destination(service: &str, destination: &str, forward: Forward) -> Operation {
    Operation::AddDestination {
        service: service.parse().unwrap(),
        destination: destination.parse().unwrap(),
        settings: DestinationSettings { forward, weight: 1, max_connections: 0, min_connections: 0 },
    }
}

/// EINVAL is the kernel's own word (`ip_vs_genl_set_cmd` in ip_vs_ctl.c); ipvsd does not let it come to that.
#[test]
fn is_reached_by_tunnel_only() {
    let _rig = Rig::new(Wiring::Lan, 2);
    let mut kernel = Kernel::open().unwrap();
    for (service, destination) in
        [("tcp://192.0.2.10:80", "[2001:db8:2::11]:80"), ("tcp://[2001:db8:2::10]:80", "192.0.2.11:80")]
    {
        assert_eq!(kernel.execute(&[&add(service)]).unwrap(), [Ok(())]);
        for forward in [Forward::Nat, Forward::Dr] {
            let results = kernel.execute(&[&add_destination(service, destination, forward)]).unwrap();
            assert_eq!(results[0].as_ref().unwrap_err().errno, Errno::INVAL, "{service} {destination} {forward:?}");
        }
        assert!(!ipvsadm(&["-Ln"], "").contains(destination));
        let tunnel = add_destination(service, destination, Forward::Tunnel(Tunnel::default()));
        assert_eq!(kernel.execute(&[&tunnel]).unwrap(), [Ok(())]);
        ipvsadm(&["-C"], "");

        for forward in ["nat", "dr"] {
            let program = Program::new();
            program.write(
                CONFIG,
                &format!(
                    "version = 1\n[[services]]\nname = \"other\"\naddress = \"{service}\"\n\
                     destinations = [{{ address = \"{destination}\", forward = \"{forward}\" }}]\n"
                ),
            );
            let ended = program.run(CONFIG, &["apply"]);
            assert_eq!(ended.code, Some(78), "{}", ended.err);
            assert!(ended.err.contains("another address family is reached by tunnel only"), "{}", ended.err);
        }
        assert_eq!(ipvsadm(&["-Sn"], ""), "");
    }
}
