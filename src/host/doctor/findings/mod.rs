//! The findings, by theme. Each is a function of the scene, and nothing else.

mod addresses;
mod checks;
mod connections;
mod forwarding;
mod host;
mod managers;
mod modules;
mod mtu;
mod network;
mod permission;
mod releases;
mod routes;
mod server;
mod translation;

use super::finding::Finding;
use super::scene::Scene;

/// All findings, the worst first, and those of one severity in the order of what they need: the kernel before the table, the
/// table before packets.
pub(super) fn all(scene: Scene<'_>) -> Vec<Finding> {
    let themes: [fn(Scene<'_>) -> Vec<Finding>; 14] = [
        permission::findings,
        modules::findings,
        releases::findings,
        managers::findings,
        addresses::findings,
        routes::findings,
        forwarding::findings,
        checks::findings,
        server::findings,
        network::findings,
        translation::findings,
        mtu::findings,
        connections::findings,
        host::findings,
    ];
    let mut found: Vec<Finding> = themes.into_iter().flat_map(|theme| theme(scene)).collect();
    found.sort_by_key(|finding| finding.severity);
    found
}
