//! A service that came over the API, and not from the files.

use super::{Check, DestinationKey, DestinationSettings, ServiceKey, ServiceSettings};

/// See the module. It is kept as a configuration file of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What clients call it: see [`Offer::is_id`].
    pub id: String,
    pub key: ServiceKey,
    pub settings: ServiceSettings,
    /// In the order in which they came; each name and each key once.
    pub destinations: Vec<OfferedDestination>,
    /// What the API remembers of it for itself, on one line. It means nothing to anybody else.
    pub note: String,
}

/// A destination of such a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedDestination {
    /// What clients call it; unique in its service.
    pub name: String,
    pub key: DestinationKey,
    pub settings: DestinationSettings,
    /// Nothing: it is not checked.
    pub check: Option<Check>,
}

/// The longest name of a service in a configuration.
const NAME_MAX: usize = 64;

impl Offer {
    /// The longest ID of a service or a destination, in bytes.
    pub const MAX_ID: usize = 128;

    /// 1 to 128 printable ASCII characters without blanks and slashes: it is a part of a path, and of a file's name.
    pub fn is_id(id: &str) -> bool {
        (1..=Self::MAX_ID).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/')
            // Its file's name has three bytes for each that is not one of these.
            && id.bytes().map(|byte| if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) { 1 } else { 3 }).sum::<usize>() <= 240
            && id != "."
            && id != ".."
    }

    /// What the configuration calls it: the ID, if that is a name there, or what comes near it.
    pub fn name(&self) -> String {
        Self::name_of(&self.id)
    }

    /// What the configuration calls a service of this ID.
    pub fn name_of(id: &str) -> String {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let begins = id.starts_with(|first: char| first.is_ascii_alphanumeric());
        if begins && id.len() <= NAME_MAX && id.chars().all(fits) {
            return id.to_owned();
        }
        // FNV-1a: the same for ever, and two IDs that look alike stay apart.
        let hash = id.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let plain: String = id.chars().map(|c| if fits(c) { c } else { '-' }).collect();
        let plain = plain.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let plain: String = plain.chars().take(NAME_MAX - 9).collect();
        if plain.is_empty() { format!("api-{hash:08x}") } else { format!("{plain}-{hash:08x}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_a_name_stays_one_and_others_come_near() {
        for id in ["web", "nginx-80-tcp", "a.b_c-9"] {
            assert_eq!(Offer::name_of(id), id);
        }
        let long = "registry.example.com-team-project-image-0123456789abcdef0123456789abcdef01234567-80-tcp";
        for id in ["image@sha256-80-tcp", "-x", "..x", "@", long] {
            let name = Offer::name_of(id);
            assert!(name.len() <= NAME_MAX && name.starts_with(|c: char| c.is_ascii_alphanumeric()), "{id}: {name}");
            assert_eq!(Offer::name_of(&name), name, "it is a name");
        }
        assert_ne!(Offer::name_of("a@b"), Offer::name_of("a%b"));
    }

    #[test]
    fn an_id_is_a_part_of_a_path_and_no_way_out_of_it() {
        for good in ["a", "nginx-80-tcp", "%2e%2e", "a@b:c", &"x".repeat(128)] {
            assert!(Offer::is_id(good), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "../x", "a b", "a\nb", "é", "a\u{0}", &"x".repeat(129)] {
            assert!(!Offer::is_id(bad), "{bad}");
        }
    }
}
