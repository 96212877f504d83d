//! [`crate::forwarding`] for services with an IPv6 address.

use crate::forwarding::cells;

cells! {
    nat: Nat, V6, V6;
    dr: Dr, V6, V6;
    macvlan: Macvlan, V6, V6;
    ipip: Ipip, V6, V6;
    gue: Gue, V6, V6;
    gre: Gre, V6, V6;
    ipip_over_v4: Ipip, V6, V4;
    gue_over_v4: Gue, V6, V4;
    gre_over_v4: Gre, V6, V4;
}
