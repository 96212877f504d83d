//! How many connections there are, whose they are, and who leaves when there are too many.
//!
//! It is somebody of the client that has the most, so that nobody can crowd others out: the one that has asked nothing for longest.
//! If none of them rests, it is whoever has asked nothing for longest of all; and if nobody rests, only a client that has more than half
//! of all gives one up, to another one.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

use super::rate::Client;

/// So many at a time.
pub(super) const MOST: usize = 1024;

/// Grows with all that happens: whoever has the lowest number has done nothing for longest.
static HAPPENED: AtomicU64 = AtomicU64::new(0);

fn next() -> u64 {
    HAPPENED.fetch_add(1, Ordering::Relaxed)
}

/// A connection, as the others see it.
#[derive(Debug)]
pub(super) struct Seat {
    /// Requests that are being answered.
    asking: AtomicUsize,
    /// When that changed last.
    since: AtomicU64,
}

impl Default for Seat {
    fn default() -> Self {
        Self { asking: AtomicUsize::new(0), since: AtomicU64::new(next()) }
    }
}

/// A request that is being answered, until it is dropped.
pub(super) struct Asking(Arc<Seat>);

impl Asking {
    pub(super) fn on(seat: &Arc<Seat>) -> Self {
        seat.asking.fetch_add(1, Ordering::Relaxed);
        seat.since.store(next(), Ordering::Relaxed);
        Self(Arc::clone(seat))
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.asking.fetch_sub(1, Ordering::Relaxed);
        self.0.since.store(next(), Ordering::Relaxed);
    }
}

/// A connection, until it has ended.
pub(super) struct Seated {
    crowd: Arc<Crowd>,
    client: Client,
    number: u64,
    pub(super) seat: Arc<Seat>,
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.crowd.places().remove(self.client, self.number);
    }
}

/// All connections, through whichever door they came.
#[derive(Debug, Default)]
pub(super) struct Crowd(Mutex<Places>);

/// Who has it, and by what it is ended, once that is known.
type Place = (Arc<Seat>, Option<AbortHandle>);

#[derive(Debug, Default)]
struct Places {
    of: HashMap<Client, BTreeMap<u64, Place>>,
    count: usize,
}

impl Crowd {
    /// Makes room for one more, be it that another one goes, if there is any.
    pub(super) fn seat(self: &Arc<Self>, client: Client) -> Option<Seated> {
        let mut places = self.places();
        let ended = if places.count >= MOST { Some(places.end_one(client)?) } else { None };
        let (seat, number) = (Arc::<Seat>::default(), next());
        places.of.entry(client).or_default().insert(number, (Arc::clone(&seat), None));
        places.count += 1;
        drop(places);
        if let Some(by) = ended {
            by.abort();
        }
        Some(Seated { crowd: Arc::clone(self), client, number, seat })
    }

    /// By what it is ended.
    pub(super) fn can_be_ended(&self, (client, number): (Client, u64), by: AbortHandle) {
        // It may have ended already.
        if let Some(place) = self.places().of.get_mut(&client).and_then(|places| places.get_mut(&number)) {
            place.1 = Some(by);
        }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        // It is whole after each of its uses.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seated {
    pub(super) fn name(&self) -> (Client, u64) {
        (self.client, self.number)
    }
}

impl Places {
    fn remove(&mut self, client: Client, number: u64) -> Option<AbortHandle> {
        let places = self.of.get_mut(&client)?;
        let (_, by) = places.remove(&number)?;
        if places.is_empty() {
            self.of.remove(&client);
        }
        self.count -= 1;
        by
    }

    /// Takes the place of one, who is to be ended by this.
    fn end_one(&mut self, newcomer: Client) -> Option<AbortHandle> {
        let (largest, count) =
            self.of.iter().map(|(client, of)| (*client, of.len())).max_by_key(|(_, count)| *count)?;
        let gives_up = largest != newcomer && count > MOST / 2;
        let (client, number) = self
            .longest(Some(largest), true)
            .or_else(|| self.longest(None, true))
            .or_else(|| self.longest(Some(largest), false).filter(|_| gives_up))?;
        self.remove(client, number)
    }

    /// For whom nothing has changed for longest: of one client or of all, of those who rest or of all.
    fn longest(&self, of: Option<Client>, rests: bool) -> Option<(Client, u64)> {
        let groups = self.of.iter().filter(|(client, _)| of.is_none_or(|of| of == **client));
        let all = groups.flat_map(|(client, places)| places.iter().map(|(number, place)| (*client, *number, place)));
        // Whoever has come this moment cannot be ended yet.
        let all = all.filter(|(_, _, (seat, by))| by.is_some() && (!rests || seat.asking.load(Ordering::Relaxed) == 0));
        let longest = all.min_by_key(|(_, _, (seat, _))| seat.since.load(Ordering::Relaxed));
        longest.map(|(client, number, _)| (client, number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: u8) -> Client {
        Client::of([192, 0, 2, number].into())
    }

    /// Who came, and the tasks by which it is seen who was ended.
    struct Scene {
        crowd: Arc<Crowd>,
        tasks: Vec<(Seated, tokio::task::JoinHandle<()>)>,
    }

    impl Scene {
        fn of(counts: &[(u8, usize)]) -> Self {
            let mut scene = Self { crowd: Arc::default(), tasks: Vec::new() };
            for (number, count) in counts {
                (0..*count).for_each(|_| assert!(scene.comes(*number)));
            }
            scene
        }

        fn comes(&mut self, number: u8) -> bool {
            let Some(seated) = self.crowd.seat(client(number)) else { return false };
            let task = tokio::spawn(std::future::pending());
            self.crowd.can_be_ended(seated.name(), task.abort_handle());
            self.tasks.push((seated, task));
            true
        }

        fn asks(&self, index: usize) -> Asking {
            Asking::on(&self.tasks[index].0.seat)
        }

        async fn ended(&self) -> Vec<usize> {
            // Each of them is looked at once or twice until then.
            for _ in 0..MOST {
                tokio::task::yield_now().await;
            }
            (0..self.tasks.len()).filter(|index| self.tasks[*index].1.is_finished()).collect()
        }
    }

    #[tokio::test]
    async fn whoever_has_rested_longest_goes() {
        let mut scene = Scene::of(&[(1, MOST)]);
        // The oldest ones ask now and then.
        drop(scene.asks(0));
        let _asking = scene.asks(1);
        drop(scene.asks(2));
        assert!(scene.comes(1) && scene.comes(1));
        assert_eq!(scene.ended().await, [3, 4]);
        assert_eq!(scene.crowd.places().count, MOST);
    }

    #[tokio::test]
    async fn nobody_crowds_others_out() {
        let mut scene = Scene::of(&[(2, 1), (1, MOST - 1)]);
        for _ in 0..10 {
            assert!(scene.comes(1));
        }
        assert_eq!(
            scene.ended().await,
            (1..=10).collect::<Vec<_>>(),
            "its own, although another one has rested longer"
        );
        // And when all of them are busy.
        let mut scene = Scene::of(&[(1, MOST)]);
        let _asking: Vec<_> = (0..MOST).map(|index| scene.asks(index)).collect();
        assert!(!scene.comes(1));
        assert!(scene.comes(2));
        assert_eq!(scene.ended().await, [0]);
        let mut scene = Scene::of(&[(1, MOST / 2), (2, MOST / 2)]);
        let _asking: Vec<_> = (0..MOST).map(|index| scene.asks(index)).collect();
        assert!(!scene.comes(3), "two who are busy and have a half each are left");
    }

    #[tokio::test]
    async fn whoever_goes_leaves_a_place() {
        let mut scene = Scene::of(&[(1, MOST)]);
        let _asking: Vec<_> = (0..MOST).map(|index| scene.asks(index)).collect();
        assert!(!scene.comes(1));
        scene.tasks.pop();
        assert!(scene.comes(1));
        scene.tasks.clear();
        let places = scene.crowd.places();
        assert_eq!((places.count, places.of.len()), (0, 0));
    }
}
