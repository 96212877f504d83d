//! How something that comes over the API is changed.

use std::fs;
use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{info, warn};

use super::folder::{file_name, remove, write};
use super::shelf::Fragment;
use super::{Concerns, Offers, Outcome, Queued, Waiting};
use crate::api::{Answering, Edit, Edited, NotDone};
use crate::config::{self, Problems, Severity, Source};
use crate::model::{Desired, Offer};
use crate::reconcile::Event;

/// How long a pass is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the resolver is waited for.
const PATIENCE_WITH_NAMES: Duration = Duration::from_secs(5);
/// So many services come over the API, and so many destinations are in one of them.
const MOST_SERVICES: usize = 65_536;
const MOST_DESTINATIONS: usize = 4_096;

/// A change that was written and queued.
struct Made {
    outcome: oneshot::Receiver<Outcome>,
    undo: Option<Edit>,
}

impl Offers {
    /// Changes a service, and waits for the pass over it. It goes on when nobody waits any more.
    pub fn change(self: Arc<Self>, id: String, edit: Edit) -> Answering<Result<(), NotDone>> {
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
            let words = "too many changes wait for their pass; try again";
            return Box::pin(async move { Err(NotDone::new(StatusCode::SERVICE_UNAVAILABLE, words)) });
        };
        let change = tokio::spawn(async move {
            let done = Arc::clone(&self).carry(id, edit).await;
            drop(room);
            done
        });
        Box::pin(async move { change.await.unwrap_or_else(|error| Err(internal(&error.to_string()))) })
    }

    async fn carry(self: Arc<Self>, id: String, edit: Edit) -> Result<(), NotDone> {
        let Some(Made { outcome, undo }) = Arc::clone(&self).take_turn(id.clone(), edit).await? else { return Ok(()) };
        let why = match timeout(PATIENCE, outcome).await {
            Ok(Ok(Outcome::Done)) => return Ok(()),
            Ok(Ok(Outcome::Failed(why))) => why,
            Ok(Ok(Outcome::Claimed(claim))) => {
                let turn = Arc::clone(&self.turn).lock_owned().await;
                let this = Arc::clone(&self);
                let clean = spawn_blocking(move || this.clean_up(&id, turn));
                // It has panicked, which is logged.
                _ = clean.await;
                self.wake(Event::Files);
                return Err(NotDone::new(StatusCode::CONFLICT, claim));
            }
            Ok(Err(_)) => {
                let words = "ipvsd is ending: it is kept, and done when ipvsd runs again";
                return Err(NotDone::new(StatusCode::SERVICE_UNAVAILABLE, words));
            }
            // The loop is at something long.
            Err(_) => {
                let seconds = PATIENCE.as_secs();
                let words = format!("it is kept, but no pass over it has ended within {seconds}s");
                return Err(NotDone::new(StatusCode::GATEWAY_TIMEOUT, words));
            }
        };
        let mut words = why;
        match undo {
            None => words += "; it is kept, and tried again",
            Some(undo) => match Arc::clone(&self).take_turn(id, undo).await {
                Ok(undone) => {
                    // Whoever looks next is to see what is.
                    if let Some(Made { outcome, .. }) = undone {
                        _ = timeout(PATIENCE, outcome).await;
                    }
                    words += "; it is taken back";
                }
                Err(error) => words += &format!("; and it could not be taken back: {}", error.words),
            },
        }
        Err(internal(&words))
    }

    /// Writes and queues a change, when no other is at it; nothing if there is nothing to change.
    async fn take_turn(self: Arc<Self>, id: String, edit: Edit) -> Result<Option<Made>, NotDone> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let this = Arc::clone(&self);
        let made = spawn_blocking(move || {
            let made = this.make(id, edit);
            drop(turn);
            made
        });
        let made = made.await.unwrap_or_else(|error| Err(internal(&error.to_string())))?;
        if made.is_some() {
            self.wake(Event::Api);
        }
        Ok(made)
    }

    /// On a thread that may wait for the disk.
    fn make(&self, id: String, edit: Edit) -> Result<Option<Made>, NotDone> {
        let known = self.lock().shelf.known(&id);
        match edit(known.as_ref())? {
            Edited::Same => Ok(None),
            Edited::Put { offer, about, undo } => {
                self.untouched(&id)?;
                let concerns = about.map_or(Concerns::Service, Concerns::Destination);
                let (fragment, part) = self.written(offer)?;
                Ok(Some(Made { outcome: self.queue(id, Some(fragment), part, concerns), undo }))
            }
            Edited::Delete => {
                let path = self.lock().shelf.get(&id).map(|fragment| fragment.path.clone());
                let Some(path) = path else { return Ok(None) };
                self.untouched(&id)?;
                remove(&path).map_err(|error| internal(&format!("cannot remove {}: {error}", path.display())))?;
                info!(id, "deleted over the API");
                Ok(Some(Made { outcome: self.queue(id, None, Desired::default(), Concerns::All), undo: None }))
            }
        }
    }

    /// Takes the file of what was refused away, unless another change has put it there since.
    fn clean_up(&self, id: &str, _turn: OwnedMutexGuard<()>) {
        let path = {
            let held = self.lock();
            if held.shelf.get(id).is_some() {
                return;
            }
            held.shelf.folder.join(file_name(id))
        };
        if let Err(error) = remove(&path) {
            warn!(id, "what was refused over the API is still there: {error}");
        }
    }

    /// Fails if somebody has changed the service's file, or moved it, since it was read: that counts from the next reload on.
    fn untouched(&self, id: &str) -> Result<(), NotDone> {
        let known = self.lock().shelf.get(id).cloned();
        let Some(fragment) = known.filter(|fragment| !fragment.edited) else { return Ok(()) };
        let path = fragment.path.display();
        match fs::read_to_string(&fragment.path) {
            Ok(text) if text == config::emit_offer(&fragment.offer) => Ok(()),
            Ok(_) => {
                let words = format!("{path} was changed by hand: reload ipvsd, and change it there");
                Err(NotDone::new(StatusCode::CONFLICT, words))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let words = format!("{path} was moved away: reload ipvsd first");
                Err(NotDone::new(StatusCode::CONFLICT, words))
            }
            Err(error) => Err(internal(&format!("cannot read {path}: {error}"))),
        }
    }

    /// Sees that it is good and nobody's else, and writes it.
    fn written(&self, mut offer: Offer) -> Result<(Fragment, Desired), NotDone> {
        offer.destinations.sort_by(|one, other| one.name.cmp(&other.name));
        let (foundation, path) = {
            let held = self.lock();
            let shelf = &held.shelf;
            let Some(foundation) = shelf.foundation.clone() else {
                return Err(NotDone::new(StatusCode::SERVICE_UNAVAILABLE, "the configuration is not read yet"));
            };
            if let Some(claim) = shelf.claim(&offer) {
                return Err(NotDone::new(StatusCode::CONFLICT, claim.words));
            }
            if shelf.get(&offer.id).is_none() && shelf.len() >= MOST_SERVICES {
                let words = format!("there are {MOST_SERVICES} services over the API already");
                return Err(NotDone::new(StatusCode::INSUFFICIENT_STORAGE, words));
            }
            (foundation, shelf.folder.join(file_name(&offer.id)))
        };
        if offer.destinations.len() > MOST_DESTINATIONS {
            let words = format!("a service has at most {MOST_DESTINATIONS} destinations over the API");
            return Err(NotDone::new(StatusCode::INSUFFICIENT_STORAGE, words));
        }
        let source = Source { path, text: config::emit_offer(&offer) };
        let parsed = config::parse_onto(&foundation, &source)
            .map_err(|problems| NotDone::new(StatusCode::BAD_REQUEST, in_a_line(&problems)))?;
        for warning in &parsed.warnings {
            warn!(id = offer.id, "what came over the API: {}", warning.message);
        }
        write(&source.path, &source.text)
            .map_err(|error| internal(&format!("cannot write {}: {error}", source.path.display())))?;
        info!(id = offer.id, service = %offer.key, destinations = offer.destinations.len(), "put over the API");
        Ok((Fragment::written(source.path, offer), parsed.desired))
    }

    fn queue(
        &self,
        id: String,
        fragment: Option<Fragment>,
        part: Desired,
        concerns: Concerns,
    ) -> oneshot::Receiver<Outcome> {
        let (done, outcome) = oneshot::channel();
        let fragment = fragment.map(Arc::new);
        let mut held = self.lock();
        let of = |fragment: Option<&Arc<Fragment>>| fragment.map(|of| of.keys.clone()).unwrap_or_default();
        let mut services = of(held.shelf.get(&id));
        services.extend(of(fragment.as_ref()));
        held.shelf.put(&id, fragment.clone());
        let waiting = Waiting { services: services.clone(), concerns, done };
        held.queue.push(Queued { id, services, part, fragment, waiting });
        outcome
    }

    /// Looks a name up, IPv4 before IPv6.
    pub fn resolve(&self, host: String) -> Answering<Result<IpAddr, String>> {
        let lookups = Arc::clone(&self.lookups);
        Box::pin(async move {
            let unknown = format!("lookup {host}: no such host");
            let look = async {
                // It stays taken for as long as the resolver takes, whoever waits for it.
                let permit = lookups.acquire_owned().await.ok()?;
                let looking = spawn_blocking(move || {
                    let found = (host.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
                    drop(permit);
                    found
                });
                let found: Vec<IpAddr> = looking.await.ok()?.ok()?.iter().map(std::net::SocketAddr::ip).collect();
                found.iter().find(|address| address.is_ipv4()).or(found.first()).copied()
            };
            timeout(PATIENCE_WITH_NAMES, look).await.ok().flatten().ok_or(unknown)
        })
    }
}

fn internal(words: &str) -> NotDone {
    NotDone::new(StatusCode::INTERNAL_SERVER_ERROR, words)
}

/// The first thing that is wrong, and its mend.
fn in_a_line(problems: &Problems) -> String {
    let first = problems.list.iter().find(|problem| problem.severity == Severity::Error);
    first.map_or_else(String::new, |problem| match &problem.help {
        Some(help) => format!("{}: {help}", problem.message),
        None => problem.message.clone(),
    })
}
