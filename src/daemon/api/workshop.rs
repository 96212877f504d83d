//! What the HTTP side has done for it that takes a while, on threads that may wait: orders by hand, and plans.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::super::facts::facts;
use super::super::offers::load;
use super::super::orders::{self, Given, Known};
use super::super::plans;
use crate::api::{Order, Ordered, OrderedOverride, Refusal};
use crate::daemon::hold_unknown;
use crate::host::Edge;
use crate::ipvs::{Error, Ipvs, Kernel};
use crate::model::{Desired, Live, Overrides, Record, ServiceKey};
use crate::reconcile::{
    FileStore, Ground, Host, Inputs, OverrideStore, Place, Sight, Status, observe, read_whole, unix_now,
};

/// How long to wait for those who came before.
const PATIENCE: Duration = Duration::from_secs(10);

/// A way to the kernel of one's own, for each job.
pub type OpenKernel = Box<dyn Fn() -> Result<Box<dyn Ipvs>, Error> + Send + Sync>;
/// The same for what is around it.
pub type OpenHost = Box<dyn Fn() -> Box<dyn Host> + Send + Sync>;

/// What jobs go by.
pub struct Workshop {
    /// Where the configuration is, as the command line said it.
    paths: Vec<PathBuf>,
    state_dir: PathBuf,
    place: Place,
    kernel: OpenKernel,
    host: OpenHost,
    /// One order at a time, and one plan: each may read all of the kernel's table.
    orders: Arc<Semaphore>,
    plans: Arc<Semaphore>,
}

fn failed(error: impl Display) -> Refusal {
    Refusal::Failed(error.to_string())
}

impl Workshop {
    pub fn new(paths: Vec<PathBuf>, state_dir: PathBuf, place: Place, kernel: OpenKernel, host: OpenHost) -> Self {
        let one = || Arc::new(Semaphore::new(1));
        Self { paths, state_dir, place, kernel, host, orders: one(), plans: one() }
    }

    /// With the kernel and the host that this process is on.
    pub fn of_this_machine(paths: Vec<PathBuf>, state_dir: PathBuf, place: Place) -> Self {
        let kernel: OpenKernel = Box::new(|| Ok(Box::new(Kernel::open()?)));
        Self::new(paths, state_dir, place, kernel, Box::new(|| Box::new(Edge::default())))
    }

    /// Does an order; `done` is called when it is written down, whether somebody waits for the answer or not.
    pub(super) async fn order(
        self: Arc<Self>,
        order: Order,
        status: impl FnOnce() -> Arc<Status> + Send + 'static,
        done: impl FnOnce() + Send + 'static,
    ) -> Result<Ordered, Refusal> {
        let turn = self.orders.clone();
        alone(turn, "other orders are being carried out: try again", move || {
            let ordered = self.carry_out(&order, &status());
            if ordered.is_ok() {
                done();
            }
            ordered
        })
        .await
    }

    /// Makes a plan.
    pub(super) async fn plan(
        self: Arc<Self>,
        status: impl FnOnce() -> Arc<Status> + Send + 'static,
    ) -> Result<Value, Refusal> {
        let turn = self.plans.clone();
        alone(turn, "another plan is being made: try again", move || self.foresee(&status())).await
    }

    /// What is ordered is about what the daemon has in force.
    fn carry_out(&self, order: &Order, status: &Status) -> Result<Ordered, Refusal> {
        let Order { service, destination, action } = order;
        if status.pass_at == 0 {
            return Err(Refusal::Busy("the first pass has not ended yet: try again".to_owned()));
        }
        let mut warnings = Vec::new();
        let mut known = Known::of_status(status);
        let live = self.live(&known.resolve_service(service).unwrap_or_default());
        if let Err(error) = &live {
            warnings.push(format!("the override is given without a look at the kernel's table: {error}"));
        }
        known = known.with(live.as_ref().ok(), &self.record(&mut warnings), &self.overrides()?);
        let targets = known.resolve(service, destination).map_err(Refusal::Unknown)?;
        if let Some(refusal) = targets.iter().find_map(|target| action.refusal(&known, *target)) {
            return Err(Refusal::Conflict(refusal));
        }
        warnings.extend(targets.iter().filter_map(|target| action.warning(&known, *target)));
        let given = orders::give(*action, &known, &targets, &self.state_dir, unix_now()).map_err(failed)?;
        let overrides = given.into_iter().map(|Given { target, before, after, sentence }| OrderedOverride {
            service: target.service,
            name: known.name(&target.service).map(str::to_owned),
            destination: target.destination,
            drained_since: after.drained_since,
            weight: after.weight,
            health: after.health,
            changed: before != after,
            text: sentence,
        });
        Ok(Ordered { overrides: overrides.collect(), warnings })
    }

    /// What the kernel has of the services that were meant, or, if it takes that to know what was meant, of all.
    fn live(&self, services: &[ServiceKey]) -> Result<Live, Error> {
        let mut kernel = (self.kernel)()?;
        match services {
            [] => read_whole(&mut *kernel),
            services => Ok(Live { services: kernel.read_services(services)?, unknown: Vec::new() }),
        }
    }

    /// What is owned; with a warning, nothing, if that cannot be known.
    fn record(&self, warnings: &mut Vec<String>) -> Record {
        match FileStore::new(&self.state_dir, self.place.clone()).peek() {
            Ok((record, damage)) => {
                warnings.extend(damage);
                record
            }
            Err(error) => {
                warnings.push(format!("what is owned is not known: {error}"));
                Record::default()
            }
        }
    }

    fn overrides(&self) -> Result<Overrides, Refusal> {
        let mut overrides = OverrideStore::new(&self.state_dir).read().map_err(failed)?;
        overrides.expire(unix_now());
        Ok(overrides)
    }

    /// The configuration as the files are now.
    fn desired(&self) -> Result<Desired, Refusal> {
        let loaded = load(&self.paths, Some(&self.state_dir), Some(&facts()));
        let loaded = loaded.map_err(|problems| {
            Refusal::Conflict(format!("the configuration is refused:\n{}", problems.render(false)))
        })?;
        Ok(Desired { state_dir: self.state_dir.clone(), ..loaded.desired })
    }

    fn foresee(&self, status: &Status) -> Result<Value, Refusal> {
        let mut desired = self.desired()?;
        let overrides = self.overrides()?;
        let mut warnings = Vec::new();
        let record = self.record(&mut warnings);
        hold_unknown(&mut desired, &record, &self.state_dir);
        let (mut kernel, mut host) = ((self.kernel)().map_err(failed)?, (self.host)());
        let farewells = BTreeMap::new();
        let inputs = Inputs {
            desired: &desired,
            record: &record,
            overrides: &overrides,
            farewells: &farewells,
            unix: unix_now(),
            restore_host: false,
        };
        let mut ground = Ground { ipvs: &mut *kernel, host: &mut *host };
        let mut sight = Sight::Once { status: Some(status) };
        let observed = observe(&mut ground, &inputs, &mut sight).map_err(failed)?;
        let mut document = plans::document(&observed, &desired, &overrides);
        document["warnings"] = warnings.into();
        Ok(document)
    }
}

/// Does a job on a thread that may wait, when those before are done. It is done to its end, once it has begun.
async fn alone<T: Send + 'static>(
    turn: Arc<Semaphore>,
    busy: &str,
    job: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let Ok(Ok(turn)) = timeout(PATIENCE, turn.acquire_owned()).await else {
        return Err(Refusal::Busy(busy.to_owned()));
    };
    let done = spawn_blocking(move || {
        let _turn = turn;
        job()
    });
    // It has panicked, or all of it ends.
    done.await.unwrap_or_else(|_| Err(Refusal::Failed("it could not be carried out: the log says why".to_owned())))
}
