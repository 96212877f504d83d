//! What a destination counts as: what its checks say, unless an operator says otherwise. Pure.

use crate::model::{DestinationKey, Forced, Health, HealthOverride, Overrides, ServiceKey};

/// What is believed of a destination, and where that comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Belief {
    pub(super) health: Health,
    /// What its checks say, or what it counts as until they do; nothing if it has none.
    pub(super) checks: Option<Health>,
    pub(super) forced: Option<Forced>,
}

/// What an operator says goes over what the checks say. With neither, there is no reason not to use it.
pub(super) fn believe(checks: Option<Health>, forced: Option<Forced>) -> Belief {
    let health = forced.map(Health::from).or(checks).unwrap_or(Health::Up);
    Belief { health, checks, forced }
}

/// What an operator says of the health of a destination. What has run out is not in `overrides`.
pub(super) fn said(overrides: &Overrides, service: &ServiceKey, key: &DestinationKey) -> Option<HealthOverride> {
    overrides.services.get(service)?.get(key)?.health
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases() {
        use Health::{Down, Unknown, Up};
        for (checks, forced, want) in [
            (None, None, Up),
            (None, Some(Forced::Up), Up),
            (None, Some(Forced::Down), Down),
            (Some(Unknown), None, Unknown),
            (Some(Unknown), Some(Forced::Up), Up),
            (Some(Unknown), Some(Forced::Down), Down),
            (Some(Up), None, Up),
            (Some(Up), Some(Forced::Up), Up),
            (Some(Up), Some(Forced::Down), Down),
            (Some(Down), None, Down),
            (Some(Down), Some(Forced::Up), Up),
            (Some(Down), Some(Forced::Down), Down),
        ] {
            assert_eq!(believe(checks, forced), Belief { health: want, checks, forced }, "{checks:?} {forced:?}");
        }
    }
}
