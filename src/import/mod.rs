//! What was written for other programs that fill IPVS, as a configuration of ipvsd.
//!
//! ```text
//!  text ──ipvsadm, keepalived, ldirectord, ipvsctl, gorb──▶ Draft ──config's emitter──▶ TOML, YAML or JSON
//!                    └──────────── Report: file:line, what, and what to do instead ───▶ standard error
//! ```
//!
//! One room for each language. Each reads the whole text, whatever is wrong in it, and fills a [`Draft`]. What has no equivalent
//! is said in the report, and what somebody has to decide stands as a comment in the configuration as well: nothing is
//! dropped in silence. What is not understood is an error there, and the rest is written all the same.
//!
//! Pure: files that are included, names that are looked up and the environment come by way of [`Surroundings`].
//!
//! Promises: no input makes it panic; a service or destination is in the draft only if a configuration can have it, so
//! `ipvsd check` takes what is written.

mod checks;
mod document;
mod gorb;
mod ipvsadm;
mod ipvsctl;
mod keepalived;
mod ldirectord;
mod names;
mod report;
mod services;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use crate::config::{Draft, Problems, Source};
use crate::model::{Family, Protocol};
use report::Report;

/// Whose language a text is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Rules as `ipvsadm -S` writes and `ipvsadm -R` reads, and scripts that run ipvsadm.
    Ipvsadm,
    /// keepalived.conf.
    Keepalived,
    /// ldirectord.cf.
    Ldirectord,
    /// The model of ipvsctl, in YAML.
    Ipvsctl,
    /// What GORB's API answers, or its store holds, in JSON.
    Gorb,
}

/// What of the machine a text may depend on.
pub trait Surroundings {
    /// The files that an include names, in their order; a pattern is relative to the folder of `from`. The error says why
    /// one that is there cannot be read.
    fn files(&mut self, pattern: &str, from: &Source) -> Result<Vec<Source>, String>;
    /// The first address of a host, of a family if one is asked for.
    fn host(&mut self, name: &str, family: Option<Family>) -> Option<IpAddr>;
    /// The port of a service, as /etc/services has it.
    fn port(&mut self, name: &str, protocol: Protocol) -> Option<u16>;
    /// A variable of the environment.
    fn variable(&mut self, name: &str) -> Option<String>;
    /// What lines of keepalived.conf that begin with `@` are for: the host's name, if nobody said otherwise.
    fn config_id(&mut self) -> String;
}

/// A text as a configuration, and what is to be said of it.
#[derive(Debug)]
pub struct Imported {
    pub draft: Draft,
    /// What was not understood as errors, what has no equivalent as warnings.
    pub report: Problems,
}

/// Reads a text.
pub fn import(language: Language, source: Source, surroundings: &mut dyn Surroundings) -> Imported {
    let mut report = Report::new(source);
    let draft = match language {
        Language::Ipvsadm => ipvsadm::read(&mut report, surroundings),
        Language::Keepalived => keepalived::read(&mut report, surroundings),
        Language::Ldirectord => ldirectord::read(&mut report, surroundings),
        Language::Ipvsctl => ipvsctl::read(&mut report, surroundings),
        Language::Gorb => gorb::read(&mut report, surroundings),
    };
    Imported { draft, report: report.finish() }
}
