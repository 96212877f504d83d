//! Files, and fragments that stand on them: services that come from elsewhere, each a document of its own.
//!
//! All of them together are one configuration ([`parse_together`]). And a fragment that comes later is read alone, at the cost
//! of what is in it ([`parse_onto`]): it gets the defaults and the checks of the files, and may claim nothing of theirs.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::checks::Definitions;
use super::decode::{At, Decode as _};
use super::docker::Asked;
use super::fault::{Fault, Faults};
use super::problem::{Atlas, Problem, Problems};
use super::services::{Defaults, Gather, Seen};
use super::tree::{Node, Place};
use super::yaml::Positions;
use super::{Circumstances, Facts, Parsed, Source, document, file, parse_all, raw, services_of};
use crate::model::{Desired, Manage, Policy, Reach, ServiceKey, ServiceOrigin, Table};

/// What services stand on.
pub(super) struct Ground {
    pub defaults: Defaults,
    pub manage: Manage,
    pub manage_place: Option<Place>,
    /// The first mark for checks via the vip, and where that stands.
    pub marks: (u32, Option<Place>),
    pub facts: Option<Facts>,
    /// So many of the sources are files; what comes after them came over the API.
    pub files: u32,
    /// How containers are reached, and on which network, where a service does not say.
    pub containers: (Reach, Option<String>),
}

/// What came of services.
pub(super) struct Harvest {
    pub table: Table,
    pub origins: BTreeMap<ServiceKey, ServiceOrigin>,
    pub policies: BTreeMap<ServiceKey, Policy>,
    pub seen: Seen,
    pub names: HashMap<String, Place>,
    pub claims: HashMap<ServiceKey, Place>,
    pub asked: Asked,
}

impl Ground {
    pub(super) fn gather<'n>(
        &self,
        definitions: &mut Definitions,
        services: impl Iterator<Item = Node<'n>>,
        atlas: &mut Atlas<'_>,
        faults: &mut Faults,
    ) -> Harvest {
        let mut gather = Gather {
            defaults: &self.defaults,
            manage: &self.manage,
            manage_place: self.manage_place,
            atlas,
            faults,
            table: Table::default(),
            origins: BTreeMap::new(),
            names: HashMap::new(),
            claims: HashMap::new(),
            definitions,
            policies: BTreeMap::new(),
            facts: self.facts.as_ref(),
            vip: false,
            seen: Seen::default(),
            reach: self.containers.0,
            network: self.containers.1.clone(),
            asked: Asked::default(),
            files: self.files,
        };
        for service in services {
            if let Some(service) = At::decode(service, gather.faults) {
                gather.add(&service);
            }
        }
        gather.marks_of_ours(self.marks.0, self.marks.1);
        let Gather { table, origins, policies, seen, names, claims, asked, .. } = gather;
        Harvest { table, origins, policies, seen, names, claims, asked }
    }
}

/// All that is left of reading files, besides what they ask for.
pub(super) struct Laid {
    pub ground: Ground,
    pub definitions: Definitions,
    pub names: HashMap<String, Place>,
    pub claims: HashMap<ServiceKey, Place>,
}

/// What fragments stand on.
pub struct Foundation {
    files: Arc<Vec<Source>>,
    laid: Laid,
}

impl fmt::Debug for Foundation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foundation").finish_non_exhaustive()
    }
}

/// Who claims something already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub file: PathBuf,
    /// 1-based.
    pub line: usize,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl Foundation {
    /// Where a file claims this address.
    pub fn claim(&self, key: &ServiceKey) -> Option<Claim> {
        self.laid.claims.get(key).map(|place| self.locate(*place))
    }

    /// Where a file claims this name of a service.
    pub fn name(&self, name: &str) -> Option<Claim> {
        self.laid.names.get(name).map(|place| self.locate(*place))
    }

    fn locate(&self, place: Place) -> Claim {
        let source = self.files.get(place.file as usize);
        let before = source.and_then(|source| source.body().get(..place.start as usize)).unwrap_or("");
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Claim { file: source.map(|source| source.path.clone()).unwrap_or_default(), line }
    }
}

/// What files and fragments ask for together, or everything that is wrong with them; and what later fragments stand on. Pure.
pub fn parse_together(
    files: Arc<Vec<Source>>,
    fragments: &[Source],
    circumstances: Circumstances<'_>,
) -> Result<(Parsed, Foundation), Problems> {
    let sources: Vec<&Source> = files.iter().chain(fragments).collect();
    let (parsed, mut laid) = parse_all(&sources, files.len(), circumstances)?;
    // Of fragments nothing stays: they come and go.
    let of_files = |place: &mut Place| (place.file as usize) < files.len();
    laid.names.retain(|_, place| of_files(place));
    laid.claims.retain(|_, place| of_files(place));
    laid.definitions.settle(|place| (place.file as usize) < files.len());
    Ok((parsed, Foundation { files, laid }))
}

/// What a fragment alone asks for, on that foundation. What it claims itself is not claimed for others. Pure.
pub fn parse_onto(foundation: &Foundation, fragment: &Source) -> Result<Parsed, Problems> {
    let Laid { ground, definitions, names, claims } = &foundation.laid;
    let index = u32::try_from(foundation.files.len()).unwrap_or(u32::MAX);
    let mut atlas = Atlas::new(foundation.files.iter().chain([fragment]).collect());
    let mut faults = Faults::default();
    let mut definitions = definitions.above();
    let mut desired = Desired::default();
    if let Some(mut document) = document(fragment, index, (Positions::All, None), &mut faults) {
        let services = services_of(&mut document);
        if let Some(file) = file(document, &mut faults) {
            only_services(&file, &mut faults);
            if let Some(checks) = file.checks.value() {
                definitions.define(checks, &mut faults);
            }
            let harvest = ground.gather(&mut definitions, services.into_iter(), &mut atlas, &mut faults);
            let Harvest { table, origins, policies, names: own_names, claims: own_claims, .. } = harvest;
            for (name, place) in &own_names {
                claimed(&format!("the name `{name}`"), *place, names.get(name), &mut faults);
            }
            for (key, place) in &own_claims {
                claimed(&format!("the address {key}"), *place, claims.get(key), &mut faults);
            }
            desired = Desired { table, origins, policies, ..Desired::default() };
        }
    }
    let errors = faults.errors();
    let list: Vec<Problem> = faults.into_sorted().into_iter().map(|fault| atlas.problem(fault)).collect();
    if errors == 0 {
        return Ok(Parsed { desired, warnings: list });
    }
    // Not all of the files, which may be large: those that are spoken of.
    let spoken_of = |source: &&Source| {
        list.iter().any(|problem| {
            problem.file.as_ref() == Some(&source.path)
                || problem.related.iter().any(|related| related.file == source.path)
        })
    };
    let mut sources: Vec<Source> = foundation.files.iter().filter(spoken_of).cloned().collect();
    sources.push(fragment.clone());
    Err(Problems { sources, list })
}

fn claimed(what: &str, place: Place, first: Option<&Place>, faults: &mut Faults) {
    if let Some(first) = first {
        let fault = Fault::new(place, format!("{what} is claimed twice")).label("again here");
        faults.push(fault.related(*first, "first here").help("what a file claims is changed in that file"));
    }
}

/// A fragment has services and their checks: what is for all files together stands in the files.
pub(super) fn only_services(file: &raw::File, faults: &mut Faults) {
    let raw::File {
        version: _,
        include,
        daemon,
        defaults,
        checks: _,
        hooks,
        api,
        docker,
        host,
        timeouts,
        sync,
        services: _,
    } = file;
    let others =
        [daemon.place(), defaults.place(), hooks.place(), api.place(), docker.place(), host.place(), timeouts.place()];
    for place in others.into_iter().chain([sync.place(), include.place()]).flatten() {
        let fault = Fault::new(place, "what came over the API has `services` and `checks`, and nothing else");
        faults.push(fault.help("write this into the configuration's own files"));
    }
}
