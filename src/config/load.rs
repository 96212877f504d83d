//! Reading configuration files: the only input and output of the module.

mod draft;
mod included;
mod variables;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::problem::{Atlas, Problem, Problems};
use super::{Environment, Facts, Loaded, Parsed, Source, parameters, parse_in};
use draft::Draft;
pub use variables::add_variables;

/// The longest file that is read: 64 MiB.
pub const MAX_BYTES: u64 = 64 << 20;
/// The longest file that a parameter stands for.
const MAX_PARAMETER: u64 = 64 << 10;

const TOML: &str = "/etc/ipvsd/ipvsd.toml";
const YAML: &str = "/etc/ipvsd/ipvsd.yaml";

/// Where the configuration is if nobody says: /etc/ipvsd/ipvsd.toml, or /etc/ipvsd/ipvsd.yaml if only that exists.
pub fn default_path() -> PathBuf {
    one_of(Path::new(TOML), Path::new(YAML)).unwrap_or_else(|_| PathBuf::from(TOML))
}

/// The same for those who go by what it says. Both are an error: whoever wrote one of them takes it to be in force.
pub fn only_default_path() -> Result<PathBuf, Problems> {
    one_of(Path::new(TOML), Path::new(YAML))
}

fn one_of(toml: &Path, yaml: &Path) -> Result<PathBuf, Problems> {
    match (toml.exists(), yaml.exists()) {
        (true, true) => {
            let message = format!("{} is there, too, and only one of them can be the configuration", toml.display());
            let help = format!(
                "keep one, or put {} into conf.d beside it and include it there; `--config` and IPVSD_CONFIG name another",
                yaml.display()
            );
            Err(Problems { sources: Vec::new(), list: vec![Problem::of_file(yaml, message, help)] })
        }
        (false, true) => Ok(yaml.to_owned()),
        _ => Ok(toml.to_owned()),
    }
}

/// Reads and parses: see [`gather`] and [`parse_in`].
pub fn load(paths: &[PathBuf]) -> Result<Loaded, Problems> {
    load_as(paths, None, None)
}

/// Reads and parses for a machine, with its warnings.
pub fn load_for(paths: &[PathBuf], facts: &Facts) -> Result<Loaded, Problems> {
    load_as(paths, None, Some(facts))
}

/// The same with a draft, which is the last of the paths and is to stand somewhere else: there its relative paths start, and its name
/// says its format. The paths before it are the configuration that it is to be a part of; without any it is all of it.
pub fn load_as(paths: &[PathBuf], stands_at: Option<&Path>, facts: Option<&Facts>) -> Result<Loaded, Problems> {
    let Input { sources, environment, watched: _, problems: mut list } = gather_as(paths, stands_at);
    let parsed = parse_in(&sources, &environment, facts);
    let sources = Arc::unwrap_or_clone(sources);
    if list.is_empty() {
        let Parsed { desired, warnings } = parsed?;
        return Ok(Loaded { sources, environment, desired, warnings });
    }
    // What is wrong in the files that could be read is said, too; what only seems to be wrong because the others are missing is
    // not about a file.
    if let Err(more) = parsed {
        list.extend(more.list.into_iter().filter(|problem| problem.file.is_some()));
    }
    Err(Problems { sources, list })
}

/// All that a configuration is made of, as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Input {
    /// Each file before those that it includes.
    pub sources: Arc<Vec<Source>>,
    /// What parameters stand for.
    pub environment: Environment,
    /// The files that it was read from, or would be, and the directories in which others may come to be.
    pub watched: BTreeSet<PathBuf>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

impl Input {
    /// Unless something could not be read.
    pub fn whole(self) -> Result<Self, Problems> {
        if self.problems.is_empty() {
            return Ok(self);
        }
        Err(Problems { sources: Arc::unwrap_or_clone(self.sources), list: self.problems })
    }
}

/// Reads the fragments of a directory, the `*.toml` in the order of their names; none if there is no such directory.
pub fn read_fragments(directory: &Path) -> Result<Vec<Source>, Problems> {
    let failed = |error: io::Error| Problems { sources: Vec::new(), list: vec![*cannot_read(directory, &error)] };
    let mut files = Vec::new();
    match fs::read_dir(directory) {
        // That the directory above it is none, whoever has to write there says.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(failed(error)),
        Ok(entries) => {
            for entry in entries {
                let file = entry.map_err(failed)?.path();
                let hidden = file.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
                if !hidden && file.extension().is_some_and(|end| end == "toml") {
                    files.push(file);
                }
            }
        }
    }
    files.sort();
    let mut list = Vec::new();
    let mut sources = Vec::new();
    for path in files {
        match read_one(&path) {
            Ok(text) => sources.push(Source { path, text }),
            // It went between the two looks.
            Err(_) if !path.exists() => {}
            Err(problem) => list.push(*problem),
        }
    }
    if list.is_empty() { Ok(sources) } else { Err(Problems { sources, list }) }
}

/// What [`gather`] reads, if all of it can be read.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Source>, Problems> {
    Ok(Arc::unwrap_or_clone(gather(paths).whole()?.sources))
}

/// Reads files, and of directories their `*.toml`, `*.yaml` and `*.yml` in the order of their names, without hidden
/// ones. `-` is standard input. A file that is named twice is read once. Then what they include, and what their parameters stand for.
pub fn gather(paths: &[PathBuf]) -> Input {
    gather_as(paths, None)
}

/// Files as they were read once: what their parameters stand for is read now.
pub fn again(sources: Vec<Source>) -> Input {
    let has_parameters = sources.iter().any(|source| parameters::may_be_in(source.body()));
    let mut environment = if has_parameters { included::of_process() } else { Environment::NONE };
    let mut watched = BTreeSet::new();
    put_files(&sources, &mut environment, &mut watched);
    Input { sources: Arc::new(sources), environment, watched, problems: Vec::new() }
}

/// Takes in the files that parameters name.
fn put_files(sources: &[Source], environment: &mut Environment, watched: &mut BTreeSet<PathBuf>) {
    for source in sources.iter().filter(|source| parameters::may_be_in(source.body())) {
        for path in parameters::files_in(source.body()) {
            let path = parameters::base_of(&source.path).join(path);
            environment.put_file(path.clone(), read_parameter(&path));
            watched.insert(path);
        }
    }
}

fn gather_as(paths: &[PathBuf], stands_at: Option<&Path>) -> Input {
    let mut list = Vec::new();
    let mut gathering = included::Gathering::default();
    let alone = stands_at.map(Path::to_owned);
    let paths = match (stands_at, paths.split_last()) {
        (Some(at), Some((draft, configuration))) => {
            match read_one(draft) {
                Ok(text) => gathering.draft = Some(Draft::new(at, text)),
                Err(problem) => list.push(*problem),
            }
            if configuration.is_empty() { alone.as_slice() } else { configuration }
        }
        _ => paths,
    };
    let mut files: Vec<PathBuf> = Vec::new();
    // What is wrong with a draft that cannot be read is said.
    for path in if list.is_empty() { paths } else { &[] } {
        match gathering.expand(path) {
            Ok(found) => {
                for file in found {
                    if !files.contains(&file) {
                        files.push(file);
                    }
                }
            }
            Err(problem) => list.push(*problem),
        }
    }
    for path in files {
        match gathering.read(&path) {
            Ok(text) => gathering.add(Source { path, text }),
            Err(problem) => list.push(*problem),
        }
    }
    let left = gathering.draft.take().filter(|draft| !draft.is_taken && gathering.faults.errors() == 0);
    if let Some(draft) = left.filter(|_| list.is_empty()) {
        let configuration: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        let message = format!("it would be no part of the configuration {}", configuration.join(", "));
        let help = "no `include` there means it; name the file or the directory that it is a part of with --config, or check it alone";
        list.push(Problem::of_file(&draft.at, message, help));
    }
    let included::Gathering { sources, faults, mut environment, mut watched, .. } = gathering;
    put_files(&sources, &mut environment, &mut watched);
    watched.extend(paths.iter().cloned());
    let mut atlas = Atlas::new(sources.iter().collect());
    list.extend(faults.into_sorted().into_iter().map(|fault| atlas.problem(fault)));
    Input { sources: Arc::new(sources), environment, watched, problems: list }
}

/// What is in a file that a parameter names.
fn read_parameter(path: &Path) -> Result<String, String> {
    let read = || {
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_PARAMETER + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_PARAMETER {
            return Err(io::Error::other("it is over 64 KiB"));
        }
        String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))
    };
    read().map_err(|error| reason(&error))
}

/// Whether a file is one of those that a directory stands for.
fn is_of_directory(file: &Path) -> bool {
    let hidden = file.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && file.extension().is_some_and(|end| end == "toml" || end == "yaml" || end == "yml")
}

fn read_one(path: &Path) -> Result<String, Box<Problem>> {
    let failed = |error: io::Error| cannot_read(path, &error);
    let bytes = if path.as_os_str() == "-" {
        bounded(io::stdin().lock()).map_err(failed)?
    } else {
        // Before it is opened: to open a FIFO waits for its writer.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            let help = "name a file or a directory; standard input is `-`";
            return Err(Box::new(Problem::of_file(path, "not a regular file", help)));
        }
        bounded(File::open(path).map_err(failed)?).map_err(failed)?
    };
    let Some(bytes) = bytes else {
        let help = "split it into files of one directory";
        return Err(Box::new(Problem::of_file(path, "the file is over 64 MiB", help)));
    };
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(valid).filter(|byte| **byte == b'\n').count() + 1;
        let help = if error.as_bytes().starts_with(&[0xFF, 0xFE]) || error.as_bytes().starts_with(&[0xFE, 0xFF]) {
            "it seems to be UTF-16: save it as UTF-8".to_owned()
        } else {
            format!("line {line} is the first that is not; save the file as UTF-8")
        };
        Box::new(Problem::of_file(path, "the file is not UTF-8", help))
    })
}

/// All of it, or nothing if there is too much.
fn bounded(input: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    input.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= MAX_BYTES).then_some(bytes))
}

fn cannot_read(path: &Path, error: &io::Error) -> Box<Problem> {
    let help = match error.kind() {
        io::ErrorKind::NotFound => "name another with --config, or write this one",
        io::ErrorKind::PermissionDenied => "ipvsd has to be allowed to read it, and to enter its directories",
        io::ErrorKind::NotADirectory => "a part of the path is a file",
        _ => "see whether the file system it is on is well",
    };
    Box::new(Problem::of_file(path, format!("cannot read the configuration: {}", reason(error)), help))
}

/// Why something cannot be read, in words.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_two_is_the_configuration_and_both_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let [toml, yaml] = ["ipvsd.toml", "ipvsd.yaml"].map(|name| folder.path().join(name));
        assert_eq!(one_of(&toml, &yaml).unwrap(), toml);
        fs::write(&yaml, "").unwrap();
        assert_eq!(one_of(&toml, &yaml).unwrap(), yaml);
        fs::write(&toml, "").unwrap();
        let problems = one_of(&toml, &yaml).unwrap_err();
        assert_eq!(problems.list[0].file.as_deref(), Some(yaml.as_path()));
        assert!(problems.list[0].message.contains("ipvsd.toml is there, too"), "{problems:?}");
        fs::remove_file(&yaml).unwrap();
        assert_eq!(one_of(&toml, &yaml).unwrap(), toml);
    }
}
