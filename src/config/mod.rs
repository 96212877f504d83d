//! The configuration: TOML and YAML text to a [`Desired`] state, or every problem in it, each with its place, a caret
//! and a way to mend it.
//!
//! ```text
//!  paths ──load──▶ Source ──toml, yaml──▶ tree ──decode──▶ raw ──resolve──▶ Desired
//!                                  └────────────┴─────faults─────┴──▶ Problems
//! ```
//!
//! - [`load()`] (and [`load_for`], [`read`], [`default_path`]) is the only input and output; [`parse`] is pure.
//! - Both formats become one tree (`tree`), with the place of everything in it; `toml` and `yaml` are the only files that
//!   know the parsers. Whether a text is TOML or YAML its name says, and for other names (standard input) its first line.
//! - `include` finds the files that a file includes, which `load` reads; `parameters` puts what `${NAME}` stands for into strings.
//! - `raw` declares the keys; `decode` reads them from the tree and says all that does not fit. A key that the design has
//!   and this version does not is told apart from one that is misspelt.
//! - `settings`, `checks`, `services` and `values` lay the defaults under and look at what takes two keys or two files;
//!   `rules` are the kernel's, on the model.
//! - [`parse_together`] and [`parse_onto`] read files with what stands on them: services that come from elsewhere, each by itself.
//! - [`parse_for`] and [`load_for`] also warn of what the settings of a machine ([`Facts`]) would make of it.
//! - [`emit_toml`], [`emit_yaml`] and [`emit_json`] go the other way, from an [`Import`], as do [`draft_toml`] and its like from a [`Draft`], and [`schema()`] tells the format to editors.
//!
//! Promises: no input makes it panic; a fault in one file or key does not hide another, except that a file whose
//! syntax is broken says nothing else; the same text gives the same answer.

mod api;
mod checks;
mod decode;
mod docker;
mod emit;
mod facts;
mod fault;
mod foundation;
mod host;
mod include;
mod load;
mod names;
mod parameters;
mod peek;
mod problem;
mod raw;
mod render;
mod rules;
mod schema;
mod services;
mod settings;
mod toml;
mod tree;
mod values;
mod yaml;

use std::path::PathBuf;

pub use emit::{
    Draft, DraftCheck, DraftDestination, DraftService, Emitted, Import, draft_json, draft_toml, draft_yaml, emit_json,
    emit_offer, emit_toml, emit_yaml, note_of, objection_to_check, objection_to_destination, objection_to_service,
    objection_to_sync,
};
pub use facts::Facts;
pub use foundation::{Claim, Foundation, parse_onto, parse_together};
pub use include::{is_pattern, matches as matches_pattern};
pub use load::{
    Input, MAX_BYTES, add_variables, again, default_path, gather, load, load_as, load_for, only_default_path, read,
    read_fragments,
};
pub(crate) use names::nearest;
pub use parameters::Environment;
pub use peek::peek_state_dir;
pub use problem::{Problem, Problems, Related, Remark, Severity};
pub use render::render;
pub use schema::{keys, schema};
pub(crate) use tree::{Entry, Node, Value};

use crate::model::Desired;
use checks::Definitions;
use decode::{At, Decode};
use fault::{Fault, Faults};
use foundation::{Ground, Harvest, Laid};
use parameters::Filling;
use problem::Atlas;
use yaml::Positions;

/// The version of the format that this ipvsd reads.
const VERSION: i128 = 1;

/// A configuration file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `-` for standard input.
    pub path: PathBuf,
    pub text: String,
}

impl Source {
    /// The text without a byte order mark, which editors on other systems leave. Positions count from here.
    pub(crate) fn body(&self) -> &str {
        self.text.strip_prefix('\u{feff}').unwrap_or(&self.text)
    }
}

/// A configuration without errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    pub desired: Desired,
    /// What is allowed, and probably not meant. [`render()`] draws them.
    pub warnings: Vec<Problem>,
}

/// A configuration without errors, and the texts it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    pub sources: Vec<Source>,
    /// What its parameters stand for.
    pub environment: Environment,
    pub desired: Desired,
    /// What is allowed, and probably not meant. [`render()`] draws them.
    pub warnings: Vec<Problem>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Toml,
    Yaml,
}

impl Format {
    /// By the file's name; if that does not say, by the first line that is neither empty nor a comment. In TOML that is
    /// `[…]` or `key = …`, in YAML (and JSON) `key: …`, `---`, `%YAML` or `{`.
    fn of(source: &Source) -> Self {
        match source.path.extension().and_then(|end| end.to_str()) {
            Some("toml") => return Format::Toml,
            Some("yaml" | "yml") => return Format::Yaml,
            _ => {}
        }
        let mut lines = source.body().lines().map(str::trim_start);
        let first = lines.find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or("");
        match first.find(['=', ':']) {
            _ if first.starts_with('[') => Format::Toml,
            _ if first.starts_with(['{', '%', '-']) => Format::Yaml,
            Some(at) if first.as_bytes().get(at) == Some(&b':') => Format::Yaml,
            _ => Format::Toml,
        }
    }
}

/// The desired state that these files ask for together, or everything that is wrong with them. Pure.
///
/// The files merge: `[daemon]`, `[defaults]`, `[hooks]`, `[api]`, `[docker]`, `[host]`, `[timeouts]` and `[sync]` are for all of them, and no
/// key, name or address may be claimed twice.
///
/// Parameters stand for nothing here, if they have no default: see [`parse_in`].
pub fn parse(sources: &[Source]) -> Result<Parsed, Problems> {
    parse_in(sources, &Environment::default(), None)
}

/// The same, with warnings of what would not work on such a machine.
pub fn parse_for(sources: &[Source], facts: &Facts) -> Result<Parsed, Problems> {
    parse_in(sources, &Environment::default(), Some(facts))
}

/// The same with what parameters stand for, and with warnings if something is known of the machine.
pub fn parse_in(sources: &[Source], environment: &Environment, facts: Option<&Facts>) -> Result<Parsed, Problems> {
    let sources: Vec<&Source> = sources.iter().collect();
    parse_all(&sources, sources.len(), Circumstances { environment, facts }).map(|(parsed, _)| parsed)
}

/// What a configuration is read with, besides its texts.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'c> {
    pub environment: &'c Environment,
    /// What is known of the machine, if its warnings are wanted.
    pub facts: Option<&'c Facts>,
}

impl Circumstances<'static> {
    /// Nothing is known.
    pub const NONE: Self = Self { environment: &Environment::NONE, facts: None };
}

/// The first `files` of the sources are files, the others fragments.
fn parse_all(sources: &[&Source], files: usize, circumstances: Circumstances<'_>) -> Result<(Parsed, Laid), Problems> {
    let mut atlas = Atlas::new(sources.to_vec());
    let mut faults = Faults::default();
    let (mut desired, mut laid) =
        attempt(sources, files, (Positions::Addresses, circumstances), &mut atlas, &mut faults);
    if faults.are_vague() {
        // Now that something is to be shown, it is worth knowing where everything of YAML is.
        faults = Faults::default();
        (desired, laid) = attempt(sources, files, (Positions::All, circumstances), &mut atlas, &mut faults);
    }
    let errors = faults.errors();
    let list: Vec<Problem> = faults.into_sorted().into_iter().map(|fault| atlas.problem(fault)).collect();
    if errors == 0 {
        Ok((Parsed { desired, warnings: list }, laid))
    } else {
        Err(Problems { sources: sources.iter().copied().cloned().collect(), list })
    }
}

fn attempt(
    sources: &[&Source],
    of_files: usize,
    (positions, circumstances): (Positions, Circumstances<'_>),
    atlas: &mut Atlas<'_>,
    faults: &mut Faults,
) -> (Desired, Laid) {
    let mut files = Vec::new();
    // Whether all files could be read as files, so that what is in none of them is missing.
    let mut whole = true;
    for (index, source) in sources.iter().enumerate() {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let environment = (index as usize) < of_files;
        let environment = environment.then_some(circumstances.environment);
        match document(source, index, (positions, environment), faults)
            .and_then(|mut document| Some((services_of(&mut document), file(document, faults)?)))
        {
            Some((services, file)) => {
                if sources.len() > of_files && index as usize >= of_files {
                    foundation::only_services(&file, faults);
                }
                files.push((file, services));
            }
            None => whole = false,
        }
    }
    resolve(files, (whole, of_files, circumstances.facts), atlas, faults)
}

/// The text as a tree, or nothing after saying what is wrong with its syntax.
///
/// `environment` is what parameters stand for, where there may be some.
fn document<'a>(
    source: &'a Source,
    index: u32,
    (positions, environment): (Positions, Option<&Environment>),
    faults: &mut Faults,
) -> Option<Node<'a>> {
    let body = source.body();
    let mut document = match Format::of(source) {
        Format::Toml => toml::parse(body, index, faults),
        Format::Yaml => yaml::parse(body, index, positions, faults),
    }?;
    if parameters::may_be_in(body) {
        Filling { body, base: parameters::base_of(&source.path), environment, faults }.fill(&mut document);
    }
    Some(document)
}

/// A YAML text that is no configuration (JSON is one as well) as a tree, or what is wrong with its syntax.
pub(crate) fn yaml_tree(source: &Source) -> Result<Node<'_>, Problems> {
    let mut faults = Faults::default();
    let tree = yaml::parse(source.body(), 0, Positions::All, &mut faults);
    tree.ok_or_else(|| {
        let mut atlas = Atlas::new(vec![source]);
        let list = faults.into_sorted().into_iter().map(|fault| atlas.problem(fault)).collect();
        Problems { sources: vec![source.clone()], list }
    })
}

/// The services of a file, which are typed one by one, as each would take many times its text: an empty list stays.
fn services_of<'a>(document: &mut Node<'a>) -> Vec<Node<'a>> {
    let Value::Table(entries) = &mut document.value else { return Vec::new() };
    match entries.iter_mut().find(|entry| entry.key == "services").map(|entry| &mut entry.node.value) {
        Some(Value::List(services)) => std::mem::take(services),
        _ => Vec::new(),
    }
}

/// One file's tables, if it has any.
fn file(document: Node<'_>, faults: &mut Faults) -> Option<raw::File> {
    let place = document.place;
    let empty = match &document.value {
        Value::Nothing => true,
        Value::Table(entries) => entries.is_empty(),
        _ => false,
    };
    if empty {
        let fault = Fault::new(place, "the file is empty: that is not taken for a wish to have no services");
        faults.push(fault.help("start it with version = 1 (in YAML `version: 1`), or remove it"));
        return None;
    }
    let file = raw::File::decode(document, faults)?;
    match file.version.get() {
        Some(At { value: VERSION, .. }) => {}
        Some(At { place, value }) => {
            let fault = Fault::new(*place, format!("this ipvsd reads version {VERSION} of the format, not {value}"));
            faults.push(fault.help(format!("write {VERSION}, or use an ipvsd that knows version {value}")));
        }
        None if file.version.is_absent() => {
            let fault = Fault::new(place, "the file does not say its version");
            faults.push(fault.help("start it with version = 1 (in YAML `version: 1`)"));
        }
        None => {}
    }
    Some(file)
}

fn resolve(
    files: Vec<(raw::File, Vec<Node<'_>>)>,
    (whole, of_files, facts): (bool, usize, Option<&Facts>),
    atlas: &mut Atlas<'_>,
    faults: &mut Faults,
) -> (Desired, Laid) {
    let mut daemon = raw::Daemon::default();
    let mut defaults = raw::Defaults::default();
    let mut hooks = raw::Hooks::default();
    let mut api = api::Merged::default();
    let mut docker = docker::Merged::default();
    let mut around = host::Tables::default();
    let mut definitions = Definitions::default();
    let mut lists = Vec::new();
    let mut some = !whole;
    for (index, (file, list)) in files.into_iter().enumerate() {
        let raw::File {
            version: _,
            daemon: of_file,
            defaults: defaults_of_file,
            checks,
            hooks: hooks_of_file,
            api: api_of_file,
            docker: docker_of_file,
            include: _,
            host,
            timeouts,
            sync,
            services,
        } = file;
        settings::merge_daemon(&mut daemon, of_file.into_value().unwrap_or_default(), faults);
        settings::merge_defaults(&mut defaults, defaults_of_file.into_value().unwrap_or_default(), faults);
        settings::merge_hooks(&mut hooks, hooks_of_file.into_value().unwrap_or_default(), faults);
        api.merge(api_of_file, faults);
        docker.merge(docker_of_file, faults);
        around.merge(host, timeouts, sync, faults);
        if let Some(checks) = checks.value() {
            definitions.define(checks, faults);
        }
        // What came over the API does not speak for the files.
        some |= index < of_files && !services.is_absent();
        lists.push(list);
    }
    if !some {
        let fault = Fault::nowhere("no file has `services`: that is not taken for a wish to have none");
        faults.push(fault.help("write `services = []` (in YAML `services: []`) if you really mean none"));
    }
    let daemon = settings::daemon(daemon, faults);
    let hooks = settings::hooks(&hooks, faults);
    let api = api.resolve(faults);
    let host = around.resolve(faults);
    let facts = facts.map(|facts| host::settled(*facts, &host));
    let defaults = services::Defaults::new(defaults, daemon.drain, &mut definitions, faults);
    let ground = Ground {
        defaults,
        manage: daemon.manage.clone(),
        manage_place: daemon.manage_place,
        marks: (daemon.check_marks, daemon.marks_place),
        files: u32::try_from(of_files).unwrap_or(u32::MAX),
        facts,
        containers: (docker.reach(), docker.network()),
    };
    let Harvest { table, origins, policies, seen, names, claims, asked } =
        ground.gather(&mut definitions, lists.into_iter().flatten(), atlas, faults);
    around.check(&seen, faults);
    let docker = docker.resolve(&asked, &ground.defaults, &mut definitions, faults);
    let settings::Daemon { resync, resolve, manage, state_dir, max_delete, drain, checks_at_once, check_marks, .. } =
        daemon;
    let desired = Desired {
        table,
        origins,
        manage,
        max_delete,
        resync,
        resolve,
        state_dir,
        policies,
        drain,
        checks_at_once,
        check_marks,
        hooks,
        api,
        docker,
        host,
    };
    (desired, Laid { ground, definitions, names, claims })
}
