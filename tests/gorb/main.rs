//! GORB's interface on the fake kernel, from the routes to the table and back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_input;
mod crowd;
mod errors;
mod flat;
mod keeping;
mod link;
mod pulse;
mod shapes;
mod world;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ipvsd::ipvs::{Error, Fake, Info, Ipvs, KernelSettings, Refusal, Setting};
use ipvsd::model::{Live, LiveService, ServiceKey};
use ipvsd::plan::Operation;
use tower::ServiceExt as _;
use world::World;

/// A kernel that a test can look into while the loop has it.
#[derive(Default, Clone)]
struct Shared(Arc<Mutex<Fake>>);

/// Sends requests that all wait at once, and gives the statuses, in their order.
fn all_at_once(world: &World, requests: &[(&str, String, String)]) -> Vec<u16> {
    world.block_on(async {
        let mut asking = Vec::new();
        for (method, path, body) in requests {
            asking.push(tokio::spawn(world.router().oneshot(world::request(method, path, body.clone()))));
        }
        let mut statuses = Vec::new();
        for asked in asking {
            statuses.push(asked.await.unwrap().unwrap().status().as_u16());
        }
        statuses
    })
}

impl Shared {
    fn world(&self, config: &str) -> World {
        let this = self.clone();
        World::new(config, move || Box::new(this))
    }

    /// The table, a line for each service and destination, sorted.
    fn table(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (key, service) in self.0.lock().unwrap().table().iter() {
            let settings = &service.settings;
            let flags = settings.flags.names(&settings.scheduler).join(",");
            let persistence = settings.persistence.as_ref().map_or(String::new(), |of| format!(" {}s", of.timeout));
            lines.push(format!("{key} {} [{flags}]{persistence}", settings.scheduler));
            for (to, destination) in &service.destinations {
                let settings = &destination.settings;
                lines.push(format!("{key} -> {to} {} {}", settings.forward.name(), settings.weight));
            }
        }
        lines
    }
}

impl Ipvs for Shared {
    fn info(&mut self) -> Result<Info, Error> {
        self.0.lock().unwrap().info()
    }

    fn read(&mut self) -> Result<Live, Error> {
        self.0.lock().unwrap().read()
    }

    fn read_services(&mut self, keys: &[ServiceKey]) -> Result<BTreeMap<ServiceKey, LiveService>, Error> {
        self.0.lock().unwrap().read_services(keys)
    }

    fn execute(&mut self, operations: &[&Operation]) -> Result<Vec<Result<(), Refusal>>, Error> {
        self.0.lock().unwrap().execute(operations)
    }

    fn settings(&mut self) -> Result<KernelSettings, Error> {
        self.0.lock().unwrap().settings()
    }

    fn set(&mut self, setting: Setting<'_>) -> Result<Result<(), Refusal>, Error> {
        self.0.lock().unwrap().set(setting)
    }
}
