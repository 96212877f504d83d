//! The numbers of the kernel's IPVS interface, as `include/uapi/linux/ip_vs.h` gives them.
//!
//! Generic netlink itself (`include/uapi/linux/genetlink.h`) comes from neli where neli has it.

/// `IPVS_GENL_NAME`.
pub(super) const FAMILY_NAME: &str = "IPVS";
/// `IPVS_GENL_VERSION`.
pub(super) const FAMILY_VERSION: u8 = 1;

/// `enum` of `IPVS_CMD_*`.
pub(super) mod command {
    pub(in crate::ipvs) const NEW_SERVICE: u8 = 1;
    pub(in crate::ipvs) const SET_SERVICE: u8 = 2;
    pub(in crate::ipvs) const DEL_SERVICE: u8 = 3;
    pub(in crate::ipvs) const GET_SERVICE: u8 = 4;
    pub(in crate::ipvs) const NEW_DEST: u8 = 5;
    pub(in crate::ipvs) const SET_DEST: u8 = 6;
    pub(in crate::ipvs) const DEL_DEST: u8 = 7;
    pub(in crate::ipvs) const GET_DEST: u8 = 8;
    pub(in crate::ipvs) const NEW_DAEMON: u8 = 9;
    pub(in crate::ipvs) const DEL_DAEMON: u8 = 10;
    pub(in crate::ipvs) const GET_DAEMON: u8 = 11;
    pub(in crate::ipvs) const SET_CONFIG: u8 = 12;
    pub(in crate::ipvs) const GET_CONFIG: u8 = 13;
    pub(in crate::ipvs) const GET_INFO: u8 = 15;
}

/// `IPVS_CMD_ATTR_*`: the attributes of a message itself.
pub(super) mod top {
    pub(in crate::ipvs) const SERVICE: u16 = 1;
    pub(in crate::ipvs) const DEST: u16 = 2;
    pub(in crate::ipvs) const DAEMON: u16 = 3;
    /// The timeouts, in seconds.
    pub(in crate::ipvs) const TIMEOUT_TCP: u16 = 4;
    pub(in crate::ipvs) const TIMEOUT_TCP_FIN: u16 = 5;
    pub(in crate::ipvs) const TIMEOUT_UDP: u16 = 6;
}

/// `IPVS_SVC_ATTR_*`.
pub(super) mod service {
    pub(in crate::ipvs) const AF: u16 = 1;
    pub(in crate::ipvs) const PROTOCOL: u16 = 2;
    /// 16 bytes; an IPv4 address is in the first four.
    pub(in crate::ipvs) const ADDR: u16 = 3;
    /// Network byte order.
    pub(in crate::ipvs) const PORT: u16 = 4;
    pub(in crate::ipvs) const FWMARK: u16 = 5;
    pub(in crate::ipvs) const SCHED_NAME: u16 = 6;
    /// `struct ip_vs_flags`: flags and mask, both u32.
    pub(in crate::ipvs) const FLAGS: u16 = 7;
    /// Seconds.
    pub(in crate::ipvs) const TIMEOUT: u16 = 8;
    /// IPv4: the mask in network byte order; IPv6: the prefix length in host byte order.
    pub(in crate::ipvs) const NETMASK: u16 = 9;
    pub(in crate::ipvs) const STATS: u16 = 10;
    pub(in crate::ipvs) const PE_NAME: u16 = 11;
    pub(in crate::ipvs) const STATS64: u16 = 12;
}

/// `IP_VS_SVC_F_*`.
pub(super) mod service_flag {
    pub(in crate::ipvs) const PERSISTENT: u32 = 0x1;
    /// Set by the kernel in what it answers; nobody's to set.
    pub(in crate::ipvs) const HASHED: u32 = 0x2;
}

/// `IPVS_DEST_ATTR_*`.
pub(super) mod destination {
    pub(in crate::ipvs) const ADDR: u16 = 1;
    pub(in crate::ipvs) const PORT: u16 = 2;
    pub(in crate::ipvs) const FWD_METHOD: u16 = 3;
    pub(in crate::ipvs) const WEIGHT: u16 = 4;
    pub(in crate::ipvs) const U_THRESH: u16 = 5;
    pub(in crate::ipvs) const L_THRESH: u16 = 6;
    pub(in crate::ipvs) const ACTIVE_CONNS: u16 = 7;
    pub(in crate::ipvs) const INACT_CONNS: u16 = 8;
    pub(in crate::ipvs) const PERSIST_CONNS: u16 = 9;
    pub(in crate::ipvs) const STATS: u16 = 10;
    pub(in crate::ipvs) const ADDR_FAMILY: u16 = 11;
    pub(in crate::ipvs) const STATS64: u16 = 12;
    pub(in crate::ipvs) const TUN_TYPE: u16 = 13;
    pub(in crate::ipvs) const TUN_PORT: u16 = 14;
    pub(in crate::ipvs) const TUN_FLAGS: u16 = 15;
}

/// `IPVS_DAEMON_ATTR_*`.
pub(super) mod daemon {
    /// [`super::sync_state`], u32.
    pub(in crate::ipvs) const STATE: u16 = 1;
    pub(in crate::ipvs) const MCAST_IFN: u16 = 2;
    /// u32; the kernel keeps the lower eight bits.
    pub(in crate::ipvs) const SYNC_ID: u16 = 3;
    pub(in crate::ipvs) const SYNC_MAXLEN: u16 = 4;
    /// Four bytes.
    pub(in crate::ipvs) const MCAST_GROUP: u16 = 5;
    /// Sixteen bytes.
    pub(in crate::ipvs) const MCAST_GROUP6: u16 = 6;
    /// Host byte order.
    pub(in crate::ipvs) const MCAST_PORT: u16 = 7;
    pub(in crate::ipvs) const MCAST_TTL: u16 = 8;
}

/// `IP_VS_STATE_*`: bits, of which a daemon has one.
pub(super) mod sync_state {
    pub(in crate::ipvs) const MASTER: u32 = 1;
    pub(in crate::ipvs) const BACKUP: u32 = 2;
}

/// `IP_VS_CONN_F_*`: the forwarding methods.
pub(super) mod forward {
    /// `IP_VS_CONN_F_FWD_MASK`: the bits that are the method.
    pub(in crate::ipvs) const MASK: u32 = 7;
    pub(in crate::ipvs) const MASQ: u32 = 0;
    pub(in crate::ipvs) const LOCALNODE: u32 = 1;
    pub(in crate::ipvs) const TUNNEL: u32 = 2;
    pub(in crate::ipvs) const DROUTE: u32 = 3;
    pub(in crate::ipvs) const BYPASS: u32 = 4;
}

/// `IP_VS_CONN_F_TUNNEL_TYPE_*`.
pub(super) mod tunnel_type {
    pub(in crate::ipvs) const IPIP: u8 = 0;
    pub(in crate::ipvs) const GUE: u8 = 1;
    pub(in crate::ipvs) const GRE: u8 = 2;
}

/// `IP_VS_TUNNEL_ENCAP_FLAG_*`.
pub(super) mod tunnel_flag {
    pub(in crate::ipvs) const NOCSUM: u16 = 0;
    pub(in crate::ipvs) const CSUM: u16 = 1;
    pub(in crate::ipvs) const REMCSUM: u16 = 2;
}

/// `IPVS_STATS_ATTR_*`. In STATS all but the byte counters are u32, in STATS64 all are u64.
pub(super) mod stats {
    pub(in crate::ipvs) const CONNS: u16 = 1;
    pub(in crate::ipvs) const INPKTS: u16 = 2;
    pub(in crate::ipvs) const OUTPKTS: u16 = 3;
    pub(in crate::ipvs) const INBYTES: u16 = 4;
    pub(in crate::ipvs) const OUTBYTES: u16 = 5;
    pub(in crate::ipvs) const CPS: u16 = 6;
    pub(in crate::ipvs) const INPPS: u16 = 7;
    pub(in crate::ipvs) const OUTPPS: u16 = 8;
    pub(in crate::ipvs) const INBPS: u16 = 9;
    pub(in crate::ipvs) const OUTBPS: u16 = 10;
}

/// `IPVS_INFO_ATTR_*`.
pub(super) mod info {
    /// `IP_VS_VERSION_CODE`: major, minor and patch in a byte each.
    pub(in crate::ipvs) const VERSION: u16 = 1;
    pub(in crate::ipvs) const CONN_TAB_SIZE: u16 = 2;
}

/// `AF_INET` and `AF_INET6` as the attributes carry them.
pub(super) mod family {
    pub(in crate::ipvs) const INET: u16 = 2;
    pub(in crate::ipvs) const INET6: u16 = 10;
}

/// What neli has no constants for of generic netlink (`include/uapi/linux/genetlink.h`).
pub(super) mod generic {
    /// The version of the generic netlink controller's messages (`genl_ctrl` in `net/netlink/genetlink.c`).
    pub(in crate::ipvs) const CONTROLLER_VERSION: u8 = 2;
    /// `sizeof(struct genlmsghdr)`: command, version, two bytes of nothing.
    pub(in crate::ipvs) const HEADER: usize = 4;
}
