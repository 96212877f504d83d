//! What a configuration is read for: settings of the machine that make a difference to what it does.

/// Settings of IPVS (`net.ipv4.vs.*`) that decide what becomes of the connections of a quiesced destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// A packet to a destination that was deleted ends its connection, rather than being dropped.
    pub expire_nodest_conn: bool,
    /// Persistence does not send clients to a quiesced destination.
    pub expire_quiescent_template: bool,
    /// Whether a new connection from a port that was used before is scheduled anew: 0 is never.
    pub conn_reuse_mode: u32,
}

impl Default for Facts {
    /// What the kernel has when nobody set it otherwise.
    fn default() -> Self {
        Self { expire_nodest_conn: false, expire_quiescent_template: false, conn_reuse_mode: 1 }
    }
}
