//! How something that comes over the API is changed.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{info, warn};

use super::folder::{Doubt, file_name, remove, sealed, write};
use super::shelf::Fragment;
use super::{Concerns, Offers, Outcome, Queued, Waiting, asked};
use crate::api::{Answering, Edit, Edited, IfRefused, NotDone};
use crate::config::{self, Problems, Severity, Source};
use crate::model::{Desired, DestinationKey, Offer, ServiceKey};
use crate::reconcile::Event;

/// How long a pass is waited for, and those who came before.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many services come over the API, and so many destinations are in one of them.
const MOST_SERVICES: usize = 65_536;
const MOST_DESTINATIONS: usize = 4_096;

/// A change that was written and queued.
struct Made {
    outcome: oneshot::Receiver<Outcome>,
    undo: Option<Undo>,
    doubt: Doubt,
}

/// How a change is taken back.
struct Undo {
    put: Arc<Offer>,
    before: Option<Arc<Offer>>,
}

/// Whoever waits for what becomes of a change.
struct Client(Option<oneshot::Sender<Result<(), NotDone>>>);

impl Client {
    /// The first answer is the one that counts.
    fn tell(&mut self, answer: Result<(), NotDone>) {
        if let Some(client) = self.0.take() {
            // Perhaps nobody waits any more.
            _ = client.send(answer);
        }
    }
}

impl Offers {
    /// Changes a service, and waits for the pass over it. It goes on when nobody waits any more.
    pub fn change(self: Arc<Self>, id: String, edit: Edit) -> Answering<Result<(), NotDone>> {
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
            let words = "too many changes wait for their pass; try again";
            return Box::pin(async move { Err(NotDone::new(StatusCode::SERVICE_UNAVAILABLE, words)) });
        };
        let (client, answer) = oneshot::channel();
        tokio::spawn(async move {
            self.carry(id, edit, Client(Some(client))).await;
            drop(room);
        });
        Box::pin(async move { answer.await.unwrap_or_else(|_| Err(internal("the log says why"))) })
    }

    /// From the turn of a service to the end of the pass over what was changed, and of that over what was taken back.
    async fn carry(self: Arc<Self>, id: String, edit: Edit, mut client: Client) {
        let Ok(_turn) = timeout(PATIENCE, self.turn(&id).lock_owned()).await else {
            let words =
                "another change of this service waits for its pass, and nothing was changed by this one; try again";
            return client.tell(Err(NotDone::new(StatusCode::SERVICE_UNAVAILABLE, words)));
        };
        let of = id.clone();
        let made = Arc::clone(&self).write_down(move |this| this.make(of, edit)).await;
        let Made { outcome, undo, doubt } = match made {
            Ok(Some(made)) => made,
            Ok(None) => return client.tell(Ok(())),
            Err(error) => return client.tell(Err(error)),
        };
        let ended = wait(outcome, &mut client).await;
        if self.lock().asked.is_stale()
            && let Err(error) = Arc::clone(&self).write_down(Self::keep_asked).await
        {
            warn!(id, "what was asked for over the API and is done is still noted: {}", error.words);
        }
        let why = match ended {
            Some(Outcome::Done) => {
                return client.tell(match doubt {
                    None => Ok(()),
                    Some(error) => Err(unsafe_words("it is done", &error)),
                });
            }
            Some(Outcome::Failed(why)) => why,
            Some(Outcome::Claimed(claim)) => {
                let clean = Arc::clone(&self).write_down(move |this| this.clean_up(&id)).await;
                if let Err(error) = clean {
                    warn!("what was refused over the API is still there: {}", error.words);
                }
                self.wake(Event::Files);
                return client.tell(Err(NotDone::new(StatusCode::CONFLICT, claim)));
            }
            None => {
                let words = "ipvsd is ending: it is kept, and done when ipvsd runs again";
                return client.tell(Err(NotDone::new(StatusCode::SERVICE_UNAVAILABLE, words)));
            }
        };
        let doubtful = |error: &io::Error| format!(" (but {})", unsafe_words("it is written", error).words);
        let Some(undo) = undo else {
            let doubt = doubt.as_ref().map(doubtful).unwrap_or_default();
            return client.tell(Err(internal(&format!("{why}; it is kept, and tried again{doubt}"))));
        };
        match Arc::clone(&self).write_down(move |this| this.take_back(id, undo)).await {
            Ok(Some(Made { outcome, doubt, .. })) => {
                // Whoever looks next is to see what is.
                let words = format!("{why}; it is taken back{}", doubt.as_ref().map(doubtful).unwrap_or_default());
                let mut outcome = outcome;
                let ended = timeout(PATIENCE, &mut outcome).await;
                client.tell(Err(internal(&words)));
                if ended.is_err() {
                    _ = outcome.await;
                }
            }
            Ok(None) => client.tell(Err(internal(&format!("{why}; it was changed by hand meanwhile, and stays so")))),
            Err(error) => {
                client.tell(Err(internal(&format!("{why}; and it could not be taken back: {}", error.words))));
            }
        }
    }

    /// Does something in the folder, when nobody else writes there, on a thread that may wait for the disk; and wakes the loop if
    /// that is something for it.
    async fn write_down<T: Send + 'static>(
        self: Arc<Self>,
        job: impl FnOnce(&Self) -> Result<Option<T>, NotDone> + Send + 'static,
    ) -> Result<Option<T>, NotDone> {
        let pen = Arc::clone(&self.pen).lock_owned().await;
        let this = Arc::clone(&self);
        let done = spawn_blocking(move || {
            let done = job(&this);
            drop(pen);
            done
        });
        let done = done.await.unwrap_or_else(|error| Err(internal(&error.to_string())))?;
        if done.is_some() {
            self.wake(Event::Api);
        }
        Ok(done)
    }

    fn make(&self, id: String, edit: Edit) -> Result<Option<Made>, NotDone> {
        let known = self.lock().shelf.known(&id);
        match edit(known.as_ref())? {
            Edited::Same { about } => Ok(self.look(&id, about)),
            Edited::Put { offer, about, refused } => {
                let mut made = self.put(id, offer, about)?;
                if let (IfRefused::Undo, Some(undo)) = (refused, &mut made.undo) {
                    undo.before = known.map(|known| known.offer);
                } else {
                    made.undo = None;
                }
                Ok(Some(made))
            }
            Edited::Delete => self.delete(id),
        }
    }

    /// Has the loop see that what is asked for already is so: it may not be, and then that is what is to be said.
    fn look(&self, id: &str, about: Option<DestinationKey>) -> Option<Made> {
        let (done, outcome) = oneshot::channel();
        let mut held = self.lock();
        let services = held.shelf.get(id)?.keys.clone();
        let concerns = about.map_or(Concerns::Service, Concerns::Destination);
        held.looks.push(Waiting { services, concerns, done });
        Some(Made { outcome, undo: None, doubt: None })
    }

    fn put(&self, id: String, offer: Offer, about: Option<DestinationKey>) -> Result<Made, NotDone> {
        self.untouched(&id)?;
        let (source, offer, part) = self.checked(offer)?;
        let before = self.lock().shelf.get(&id).cloned();
        let stays = |key: &DestinationKey| offer.destinations.iter().any(|other| other.key == *key);
        let loses = before.as_ref().is_some_and(|before| {
            before.offer.key != offer.key || !before.offer.destinations.iter().all(|other| stays(&other.key))
        });
        let services: BTreeSet<ServiceKey> =
            before.iter().flat_map(|before| before.keys.iter().copied()).chain([offer.key]).collect();
        self.ask(&services, loses);
        let doubt = write(&source.path, &source.text, self.sync).map_err(|error| {
            self.not_asked(&services);
            on_disk("write", &source.path, &error)
        })?;
        info!(id = offer.id, service = %offer.key, destinations = offer.destinations.len(), "put over the API");
        let fragment = Fragment::written(source, offer);
        let undo = Some(Undo { put: Arc::clone(&fragment.offer), before: None });
        let concerns = about.map_or(Concerns::Service, Concerns::Destination);
        Ok(Made { outcome: self.queue(id, Some(fragment), part, concerns), undo, doubt })
    }

    fn delete(&self, id: String) -> Result<Option<Made>, NotDone> {
        let Some(fragment) = self.lock().shelf.get(&id).cloned() else { return Ok(None) };
        self.untouched(&id)?;
        self.ask(&fragment.keys, true);
        let doubt = remove(&fragment.path, self.sync).map_err(|error| {
            self.not_asked(&fragment.keys);
            on_disk("remove", &fragment.path, &error)
        })?;
        info!(id, "deleted over the API");
        let outcome = self.queue(id, None, Desired::default(), Concerns::All);
        Ok(Some(Made { outcome, undo: None, doubt }))
    }

    /// Puts back what was there before, unless somebody has changed the file by hand meanwhile: it is their own then.
    fn take_back(&self, id: String, Undo { put, before }: Undo) -> Result<Option<Made>, NotDone> {
        let is_so = |fragment: &Arc<Fragment>| {
            let Offer { key, settings, destinations, id: _, note: _ } = &*fragment.offer;
            !fragment.edited && (key, settings, destinations) == (&put.key, &put.settings, &put.destinations)
        };
        if !self.lock().shelf.get(&id).is_some_and(is_so) {
            return Ok(None);
        }
        match before {
            Some(before) => self.put(id, Offer::clone(&before), None).map(Some),
            None => self.delete(id),
        }
    }

    /// Takes the file of what was refused away, unless another change has put it there since.
    fn clean_up(&self, id: &str) -> Result<Option<()>, NotDone> {
        let path = {
            let held = self.lock();
            if held.shelf.get(id).is_some() {
                return Ok(None);
            }
            held.shelf.folder.join(file_name(id))
        };
        remove(&path, self.sync).map_err(|error| on_disk("remove", &path, &error))?;
        Ok(None)
    }

    /// Marks what is about to go as asked for by name; if something goes, where a restart finds it.
    fn ask(&self, services: &BTreeSet<ServiceKey>, goes: bool) {
        self.lock().asked.mark(services, goes);
        if let Err(error) = self.keep_asked() {
            // Where there is no room, to delete is what makes some.
            warn!(
                "what is deleted over the API counts for max_delete if ipvsd ends before it is done: {}",
                error.words
            );
        }
    }

    /// It came to nothing: the next pass makes an end of it.
    fn not_asked(&self, services: &BTreeSet<ServiceKey>) {
        self.lock().asked.heard(services);
    }

    /// Writes down what is asked for, if that is something else than what is written. Nobody else writes meanwhile.
    fn keep_asked(&self) -> Result<Option<()>, NotDone> {
        let (path, text) = {
            let mut held = self.lock();
            let path = asked::file(held.shelf.folder.parent().unwrap_or(Path::new("/")));
            let Some(text) = held.asked.text() else { return Ok(None) };
            (path, text)
        };
        let kept = match text {
            Some(text) => write(&path, &text, self.sync),
            None => remove(&path, self.sync),
        };
        match kept {
            Ok(None) => Ok(None),
            Ok(Some(error)) | Err(error) => {
                self.lock().asked.not_kept();
                Err(on_disk("write", &path, &error))
            }
        }
    }

    /// Fails if somebody has changed the service's file, or moved it, since it was read: that counts from the next reload on.
    fn untouched(&self, id: &str) -> Result<(), NotDone> {
        let known = self.lock().shelf.get(id).cloned();
        let Some(fragment) = known.filter(|fragment| !fragment.edited) else { return Ok(()) };
        let path = fragment.path.display();
        match fs::read_to_string(&fragment.path) {
            Ok(text) if super::folder::sum(id, &text) == fragment.sum => Ok(()),
            Ok(_) => {
                let words = format!("{path} was changed by hand: reload ipvsd, and change it there");
                Err(NotDone::new(StatusCode::CONFLICT, words))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let words = format!("{path} was moved away: reload ipvsd first");
                Err(NotDone::new(StatusCode::CONFLICT, words))
            }
            Err(error) => Err(on_disk("read", &fragment.path, &error)),
        }
    }

    /// Sees that it is good and nobody's else, and how it is written.
    fn checked(&self, mut offer: Offer) -> Result<(Source, Offer, Desired), NotDone> {
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
        let source = Source { path, text: sealed(&offer.id, &config::emit_offer(&offer)) };
        let parsed = config::parse_onto(&foundation, &source)
            .map_err(|problems| NotDone::new(StatusCode::BAD_REQUEST, in_a_line(&problems)))?;
        for warning in &parsed.warnings {
            warn!(id = offer.id, "what came over the API: {}", warning.message);
        }
        Ok((source, offer, parsed.desired))
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
}

/// The outcome; nothing if ipvsd ends. Whoever waits hears when it takes long.
async fn wait(mut outcome: oneshot::Receiver<Outcome>, client: &mut Client) -> Option<Outcome> {
    if let Ok(ended) = timeout(PATIENCE, &mut outcome).await {
        return ended.ok();
    }
    // The loop is at something long.
    let seconds = PATIENCE.as_secs();
    let words =
        format!("no pass over it has ended within {seconds}s: it goes on, and is kept unless the kernel refuses it");
    client.tell(Err(NotDone::new(StatusCode::GATEWAY_TIMEOUT, words)));
    outcome.await.ok()
}

/// Nothing was changed.
fn on_disk(doing: &str, path: &Path, error: &io::Error) -> NotDone {
    let words = format!("cannot {doing} {}: {error}", path.display());
    NotDone::new(StatusCode::INSUFFICIENT_STORAGE, words)
}

/// Something was, and how long it will be so is not known.
fn unsafe_words(done: &str, error: &io::Error) -> NotDone {
    let words =
        format!("{done}, and whether it outlives a power cut is not known: the directory cannot be synced: {error}");
    NotDone::new(StatusCode::INSUFFICIENT_STORAGE, words)
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
