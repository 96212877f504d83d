//! The kernel's release, as far as it says what a kernel can do.

/// Major and minor, of `/proc/sys/kernel/osrelease`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Release(pub u32, pub u32);

impl Release {
    /// `6.1.176-1-amd64` is 6.1. What is no release is `None`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(|c: char| !c.is_ascii_digit());
        Some(Self(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(major, minor) = self;
        write!(f, "{major}.{minor}")
    }
}

/// When schedulers came, of those that some kernel in use may lack.
pub(super) fn scheduler(name: &str) -> Option<Release> {
    match name {
        "fo" => Some(Release(3, 18)),
        "ovf" => Some(Release(4, 3)),
        "mh" => Some(Release(4, 18)),
        "twos" => Some(Release(5, 12)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_compare_as_numbers() {
        for (text, want) in [
            ("6.1.176", Some(Release(6, 1))),
            ("6.12.117+deb12-cloud-amd64", Some(Release(6, 12))),
            ("5.4.0-216-generic", Some(Release(5, 4))),
            ("4.18.0-553.el8_10.x86_64", Some(Release(4, 18))),
            ("7.0-rc1", Some(Release(7, 0))),
            ("", None),
            ("linux", None),
            ("6", None),
        ] {
            assert_eq!(Release::parse(text), want, "{text}");
        }
        assert!(Release(5, 12) > Release(5, 9) && Release(10, 0) > Release(9, 9));
    }
}
