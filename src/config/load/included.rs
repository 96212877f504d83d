//! Follows what files include, each before what it includes, and each once.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::draft::{Draft, identity};
use super::{cannot_read, is_of_directory, read_one, variables};
use crate::config::decode::At;
use crate::config::fault::{Fault, Faults};
use crate::config::include::{included, is_pattern, matches};
use crate::config::problem::Problem;
use crate::config::{Environment, Source, names, parameters};

/// A file includes a file that includes a file, and so on: so many times.
const DEEPEST: usize = 16;

/// What was read until now.
#[derive(Default)]
pub(super) struct Gathering {
    pub sources: Vec<Source>,
    pub faults: Faults,
    pub environment: Environment,
    /// Files that are included, and directories of those that a pattern means.
    pub watched: BTreeSet<PathBuf>,
    /// What is read in the place of a file.
    pub draft: Option<Draft>,
    /// Whether the environment was read, which is for those who have parameters.
    has_environment: bool,
    seen: HashSet<PathBuf>,
    /// The files that lead to the one that is read, the outermost first.
    chain: Vec<PathBuf>,
}

impl Gathering {
    /// Takes in a file that was read, and all that it includes.
    pub(super) fn add(&mut self, source: Source) {
        let file = identity(&source.path);
        if !self.has_environment && parameters::may_be_in(source.body()) {
            self.has_environment = true;
            self.environment = of_process();
        }
        let index = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
        let paths = included(&source, index, &self.environment);
        let base = parameters::base_of(&source.path).to_owned();
        self.sources.push(source);
        self.seen.insert(file.clone());
        self.chain.push(file);
        for at in paths {
            self.follow(&base, &at);
        }
        self.chain.pop();
    }

    fn follow(&mut self, base: &Path, at: &At<String>) {
        let At { place, value } = at;
        if value.is_empty() || value == "-" || value.contains('\0') {
            let fault = Fault::new(*place, format!("`{}` is no path of a file", names::quote(value)));
            self.faults.push(fault.help("write a path, relative to this file or absolute"));
            return;
        }
        let path = base.join(value);
        let files = match self.meant(&path, value) {
            Ok(files) => files,
            Err((why, help)) => {
                let fault = Fault::new(*place, format!("cannot include `{}`: {why}", names::quote(value)));
                self.faults.push(fault.help(help));
                return;
            }
        };
        for file in files {
            let identity = identity(&file);
            if self.chain.contains(&identity) {
                let circle = self.chain.iter().skip_while(|link| **link != identity).chain([&identity]);
                let circle: Vec<String> = circle.map(|link| link.display().to_string()).collect();
                let fault = Fault::new(*place, "a file includes itself").label("here it comes round again");
                self.faults
                    .push(fault.help(format!("remove one of the links of {}", names::sentence(&circle.join(" → ")))));
                continue;
            }
            if self.seen.contains(&identity) {
                continue;
            }
            if self.chain.len() >= DEEPEST {
                let fault = Fault::new(*place, format!("includes nest deeper than {DEEPEST} files"));
                self.faults.push(fault.help("include it from a file that is nearer to the first"));
                return;
            }
            match self.read(&file) {
                Ok(text) => self.add(Source { path: file, text }),
                // It went between the two looks.
                Err(_) if is_pattern(value) && !file.exists() => {}
                Err(problem) => {
                    let fault = Fault::new(
                        *place,
                        format!("cannot include `{}`: {}", names::quote(&file.display().to_string()), problem.message),
                    );
                    self.faults.push(fault.help(problem.help.unwrap_or_default()));
                }
            }
        }
    }

    /// The files that a path means, and what to watch for it.
    fn meant(&mut self, path: &Path, written: &str) -> Result<Vec<PathBuf>, (String, &'static str)> {
        if !is_pattern(written) {
            self.watched.insert(path.to_owned());
            if !path.exists() && !self.draft.as_ref().is_some_and(|draft| draft.is(path)) {
                return Err((
                    "there is no such file".to_owned(),
                    "a path is relative to the file that includes it; if there may be none, write a pattern such as \"conf.d/*.toml\"",
                ));
            }
            return self.expand(path).map_err(|problem| (problem.message, "remove it, or put a file there"));
        }
        let directory = path.parent().unwrap_or(Path::new(""));
        let pattern = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        let of_directory = written.rsplit_once('/').map_or("", |(directory, _)| directory);
        if is_pattern(of_directory) || !is_pattern(pattern) {
            return Err((
                "only the last part of a path may be a pattern".to_owned(),
                "write a line for each directory",
            ));
        }
        self.watched.insert(directory.to_owned());
        let looked_at = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        // That there is no such directory is as good as that there is nothing in it.
        let mut files = match fs::read_dir(looked_at) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err((super::reason(&error), "ipvsd has to be allowed to list the directory")),
            Ok(entries) => {
                let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
                names.filter(|name| matches(pattern, name)).map(|name| directory.join(name)).collect()
            }
        };
        files.retain(|file| !file.is_dir());
        let is_meant =
            |file: &PathBuf| file.file_name().and_then(|name| name.to_str()).is_some_and(|name| matches(pattern, name));
        files.extend(self.drafted(directory, &files).filter(is_meant));
        files.sort();
        Ok(files)
    }

    /// A directory's files, or the file itself.
    pub(super) fn expand(&self, path: &Path) -> Result<Vec<PathBuf>, Box<Problem>> {
        if path.as_os_str() == "-" || !path.is_dir() {
            return Ok(vec![path.to_owned()]);
        }
        let failed = |error: std::io::Error| cannot_read(path, &error);
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            files.push(entry.map_err(failed)?.path());
        }
        files.extend(self.drafted(path, &files));
        files.retain(|file| is_of_directory(file));
        if files.is_empty() {
            let help = "put a *.toml, *.yaml or *.yml file there; hidden files are not read";
            return Err(Box::new(Problem::of_file(path, "no configuration file in this directory", help)));
        }
        files.sort();
        Ok(files)
    }

    /// The draft, if it is to stand in that directory and is none of the files there.
    fn drafted(&self, directory: &Path, files: &[PathBuf]) -> Option<PathBuf> {
        self.draft.as_ref()?.within(directory).filter(|path| !files.contains(path))
    }

    /// What is in a file, or is to be.
    pub(super) fn read(&mut self, path: &Path) -> Result<String, Box<Problem>> {
        match &mut self.draft {
            Some(draft) if draft.is(path) => {
                draft.is_taken = true;
                Ok(draft.text.clone())
            }
            _ => read_one(path),
        }
    }
}

/// The environment of this process, as far as it is text, and what the command line has put over it.
pub(super) fn of_process() -> Environment {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    Environment::new(std::env::vars_os().filter_map(text).chain(variables::added()))
}
