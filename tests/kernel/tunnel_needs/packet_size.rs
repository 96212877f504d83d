//! A tunnel makes packets larger, and what does not fit any more has to be said to the client, or avoided.

use crate::forwarding::{Family, Forward, Mode, Protocol, Stage, counter};
use crate::forwarding_needs::{fails, serves, sh, sh_at, sh_servers, silent};
use crate::netns::ip_batch;

/// A stage whose client hears nothing of packets that are too large: somebody on the way drops ICMP. What the director says
/// comes from the service's address.
fn deaf(forward: Forward, family: Family, underlay: Family) -> Stage {
    let stage = Stage::set(Mode { forward, family, underlay }, Protocol::Tcp);
    stage.rig.client.run(|| ip_batch("link set eth0 gso_max_segs 1\n"));
    let rule = match family {
        Family::V4 => "ip rule add from 192.0.2.10 ipproto icmp blackhole",
        Family::V6 => "ip -6 rule add from 2001:db8:2::10 ipproto ipv6-icmp blackhole",
    };
    sh_at(&stage.rig.router, rule);
    stage
}

/// Connections come about, since their first packets are small, and then hang.
#[test]
fn a_client_that_does_not_hear_of_large_packets_hangs() {
    for (forward, family, underlay) in [(Forward::Ipip, Family::V4, Family::V4), (Forward::Gue, Family::V6, Family::V6)]
    {
        let stage = deaf(forward, family, underlay);
        let said = match family {
            Family::V4 => "Icmp:OutDestUnreachs",
            Family::V6 => "Icmp6OutPktTooBigs",
        };
        silent(&fails(&stage));
        assert!(counter(said) > 0, "{said}");

        // The servers ask for smaller packets.
        let mss = 1500 - stage.mode.overhead() - if family == Family::V4 { 40 } else { 60 };
        let router = if family == Family::V4 { "192.0.2.254" } else { "2001:db8:2::fe" };
        sh_servers(&stage, &format!("ip route replace default via {router} advmss {mss}"));
        serves(&stage);
        sh_servers(&stage, &format!("ip route replace default via {router}"));
        silent(&fails(&stage));
    }
}

/// Without `pmtu_disc` the director takes IPv4 packets apart instead of saying that they are too large; IPv6 packets are not
/// to be taken apart on the way, and so it makes no difference to them.
#[test]
fn pmtu_disc_decides_over_ipv4_packets_only() {
    for family in [Family::V4, Family::V6] {
        let stage = deaf(Forward::Ipip, family, family);
        sh("sysctl -qw net.ipv4.vs.pmtu_disc=0");
        if family == Family::V6 {
            silent(&fails(&stage));
            continue;
        }
        serves(&stage);
        assert!(counter("Ip:FragOKs") > 0);
        assert_eq!(counter("Icmp:OutDestUnreachs"), 0);
        let reassembled = |host: &crate::network::Host| host.run(|| counter("Ip:ReasmOKs"));
        assert!(stage.rig.servers.iter().map(reassembled).sum::<u64>() > 0);
    }
}
