//! Destinations whose address is a name.

use super::destinations::{Destinations, destination_place};
use super::{Gather, tell};
use crate::config::checks::Assigned;
use crate::config::fault::Fault;
use crate::config::rules::{self, Breach, Breaches};
use crate::config::tree::Place;
use crate::config::{names, raw, values};
use crate::model::{DestinationKey, DestinationSettings, Family, Named, ServiceKey};

impl Gather<'_, '_> {
    /// Takes one in. All that can be judged without its address is.
    pub(super) fn named(
        &mut self,
        (place, host, port): (Place, String, u16),
        (raw, settings, assigned): (&raw::Destination, Option<&DestinationSettings>, Option<&Assigned>),
        service: &ServiceKey,
        found: &mut Destinations,
    ) {
        if place.file >= self.files {
            let fault = Fault::new(place, format!("`{}` is a name", names::quote(&host)));
            self.faults
                .push(fault.help("what came over the API has addresses; write a service with names into a file"));
            return;
        }
        let is_same = |other: &Named| (&other.host, other.port) == (&host, port);
        if let Some(first) = found.named.iter().position(is_same).and_then(|at| found.named_at.get(at)) {
            let fault = Fault::new(place, format!("the destination {host}:{port} stands twice in its service"));
            let fault = fault.label("again here").related(*first, "first here");
            self.faults.push(fault.help("keep one of the two, and add up the weights"));
            return;
        }
        let words = [("all", true), ("first", false)];
        let all = raw.resolve.get().and_then(|at| values::word(at, "way to resolve a name", &words, self.faults));
        let Some(settings) = settings else { return };
        let stand_in = stand_in(service.family(), port);
        let defaults = &self.defaults.raw;
        let breaches = speaking_of(&host, stand_in, rules::destination(service, &stand_in, settings));
        tell(breaches, self.faults, |key| Some(destination_place(raw, defaults, key).unwrap_or(place)));
        self.seen.note(place, service, &stand_in, settings.forward);
        let assigned = assigned.filter(|assigned| !assigned.checks.is_empty());
        if let Some(assigned) = assigned {
            self.fits(assigned, service, (place, &stand_in, settings));
        }
        found.named_at.push(place);
        found.named.push(Named {
            host,
            port,
            all: all.unwrap_or(true),
            settings: *settings,
            name: raw.name.value().cloned(),
            checks: assigned.map(|assigned| assigned.checks.clone()),
            written: self.atlas.written(place),
            addresses: Vec::new(),
        });
    }
}

/// An address that is as good as any, for rules that want one: of those for documentation.
fn stand_in(family: Family, port: u16) -> DestinationKey {
    let address = match family {
        Family::V4 => [192, 0, 2, 1].into(),
        Family::V6 => [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(),
    };
    DestinationKey { address, port }
}

/// What the rules say, of the name and not of what stood in for it.
fn speaking_of(host: &str, stand_in: DestinationKey, mut breaches: Breaches) -> Breaches {
    let address = stand_in.address.to_string();
    for Breach { message, help, .. } in &mut breaches.0 {
        *message = message.replace(&address, host);
        *help = help.replace(&address, host);
    }
    breaches
}
