//! What comes over HTTP, on a real kernel: `ipvsadm` says what came of it.

mod gorb;
mod leaving;
#[path = "../../gorb/world.rs"]
mod world;

use ipvsd::ipvs::Kernel;
use world::World;

/// A loop on the kernel of this thread's namespace, with this configuration.
fn world(config: &str) -> World {
    World::new(config, || Box::new(Kernel::open().unwrap()))
}

/// The same after a restart.
fn again(dir: tempfile::TempDir) -> World {
    World::again(dir, || Box::new(Kernel::open().unwrap()))
}
