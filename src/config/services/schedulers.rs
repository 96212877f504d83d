//! What schedulers do that is probably not meant. Each was seen on a real kernel (`tests/kernel/hashes`, `one_packet`).

use super::Gather;
use super::destinations::Listed;
use super::warnings::Outlook;
use crate::config::fault::Fault;
use crate::config::tree::Place;
use crate::model::{Forward, ServiceFlags};

/// `IP_VS_SH_TAB_SIZE`: the places in the table of `sh`, of which each destination gets as many as its weight, in turn.
const SH_PLACES: u64 = 256;

impl Gather<'_, '_> {
    /// All of them, of one service.
    pub(super) fn of_scheduler(&mut self, outlook: &Outlook<'_>) {
        self.quiesced_under_a_hash(outlook);
        self.without_places(outlook);
        self.answers_of_their_own(outlook);
    }

    /// `sh` and `mh` without their fallback, and `dh`, which has none, refuse the clients whose hash leads to a destination of
    /// weight 0, rather than taking another (`ip_vs_sh_get`, `ip_vs_mh_get`, `ip_vs_dh_schedule`).
    fn quiesced_under_a_hash(&mut self, outlook: &Outlook<'_>) {
        let Outlook { settings, listed, .. } = outlook;
        let scheduler = settings.scheduler.as_str();
        let has_fallback = matches!(scheduler, "sh" | "mh") && settings.flags.contains(ServiceFlags::SCHED1);
        if !matches!(scheduler, "sh" | "mh" | "dh") || has_fallback {
            return;
        }
        let weight = |listed: &Listed<'_>| listed.settings.map(|settings| settings.weight);
        let others = listed.iter().filter(|listed| weight(listed).is_some_and(|weight| weight > 0)).count();
        let (place, which) = if let Some(listed) = listed.iter().find(|listed| weight(listed) == Some(0) && others > 0)
        {
            (listed.raw.weight.place().or(Some(listed.place)), "of weight 0")
        } else if others > 1 && outlook.quiesces() {
            (None, "that is down: on_down = \"quiesce\" gives it weight 0")
        } else if others > 1 && outlook.drains() {
            (None, "that drains, as one does that is deleted")
        } else {
            return;
        };
        let Some(place) = place.or_else(|| self.scheduler_place(outlook)) else { return };
        let message = format!("`{scheduler}` refuses the clients whose hash leads to a destination {which}");
        let help = match scheduler {
            "dh" => "take `mh` with \"mh-fallback\" where that may happen: `dh` has no fallback".to_owned(),
            _ => format!("add \"{scheduler}-fallback\" to scheduler_flags, and they go to another"),
        };
        self.warning(Fault::new(place, message), help);
    }

    /// The table of `sh` is filled in the order of the destinations, and ends before the last have got theirs
    /// (`ip_vs_sh_reassign`).
    fn without_places(&mut self, outlook: &Outlook<'_>) {
        let Outlook { settings, listed, .. } = outlook;
        let weights = listed.iter().filter_map(|listed| listed.settings).map(|settings| u64::from(settings.weight));
        let sum: u64 = weights.sum();
        if settings.scheduler.as_str() != "sh" || sum <= SH_PLACES || listed.len() < 2 {
            return;
        }
        let Some(place) = self.scheduler_place(outlook) else { return };
        let message = format!(
            "`sh` has a table of {SH_PLACES} places, and the weights add up to {sum}: some destinations get fewer clients than \
             their share, or none"
        );
        self.warning(
            Fault::new(place, message),
            format!("write weights that add up to {SH_PLACES} at most, or take `mh`"),
        );
    }

    /// Nothing is remembered of a packet that is scheduled on its own, so nobody translates the answer back.
    fn answers_of_their_own(&mut self, outlook: &Outlook<'_>) {
        let Outlook { raw, settings, listed, .. } = outlook;
        let is_nat = |listed: &&Listed<'_>| listed.settings.is_some_and(|settings| settings.forward == Forward::Nat);
        let Some(nat) = listed.iter().find(is_nat) else { return };
        if !settings.flags.contains(ServiceFlags::ONE_PACKET) {
            return;
        }
        let place = raw.one_packet.place().unwrap_or(nat.place);
        let message = "with one_packet the answers of a destination with forward = \"nat\" come from its own address, which most \
                       clients do not take";
        self.warning(Fault::new(place, message), "write forward = \"dr\" or \"tunnel\", or remove one_packet");
    }

    /// Where the scheduler of a service is named, or the service.
    fn scheduler_place(&self, outlook: &Outlook<'_>) -> Option<Place> {
        let raw = outlook.raw;
        let places = [raw.scheduler.place(), self.defaults.raw.scheduler.place(), raw.name.place()];
        places.into_iter().flatten().next()
    }
}
