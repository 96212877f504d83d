//! Reading configuration files: the only input and output of the module.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::problem::{Problem, Problems};
use super::{Facts, Loaded, Parsed, Source, parse, parse_for};

/// The longest file that is read: 64 MiB.
pub const MAX_BYTES: u64 = 64 << 20;

const TOML: &str = "/etc/ipvsd/ipvsd.toml";
const YAML: &str = "/etc/ipvsd/ipvsd.yaml";

/// Where the configuration is if nobody says: /etc/ipvsd/ipvsd.toml, or /etc/ipvsd/ipvsd.yaml if only that exists.
pub fn default_path() -> PathBuf {
    PathBuf::from(if !Path::new(TOML).exists() && Path::new(YAML).exists() { YAML } else { TOML })
}

/// Reads and parses: see [`read`] and [`parse`].
pub fn load(paths: &[PathBuf]) -> Result<Loaded, Problems> {
    load_with(paths, parse)
}

/// Reads and parses for a machine: see [`read`] and [`parse_for`].
pub fn load_for(paths: &[PathBuf], facts: &Facts) -> Result<Loaded, Problems> {
    load_with(paths, |sources| parse_for(sources, facts))
}

fn load_with(paths: &[PathBuf], parse: impl Fn(&[Source]) -> Result<Parsed, Problems>) -> Result<Loaded, Problems> {
    match read(paths) {
        Ok(sources) => {
            let Parsed { desired, warnings } = parse(&sources)?;
            Ok(Loaded { sources, desired, warnings })
        }
        Err(mut problems) => {
            // What is wrong in the files that could be read is said, too; what only seems to be wrong because
            // the others are missing is not about a file.
            if let Err(more) = parse(&problems.sources) {
                problems.list.extend(more.list.into_iter().filter(|problem| problem.file.is_some()));
            }
            Err(problems)
        }
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

/// Reads files, and of directories their `*.toml`, `*.yaml` and `*.yml` in the order of their names, without hidden
/// ones. `-` is standard input. A file that is named twice is read once.
///
/// On failure the problems carry the sources that could be read.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Source>, Problems> {
    let mut list = Vec::new();
    let mut files: Vec<PathBuf> = Vec::new();
    for path in paths {
        match expand(path) {
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
    let mut sources = Vec::new();
    for path in files {
        match read_one(&path) {
            Ok(text) => sources.push(Source { path, text }),
            Err(problem) => list.push(*problem),
        }
    }
    if list.is_empty() { Ok(sources) } else { Err(Problems { sources, list }) }
}

/// A directory's files, or the file itself.
fn expand(path: &Path) -> Result<Vec<PathBuf>, Box<Problem>> {
    if path.as_os_str() == "-" || !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let failed = |error: io::Error| cannot_read(path, &error);
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let hidden = file.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        let ours = file.extension().is_some_and(|end| end == "toml" || end == "yaml" || end == "yml");
        if ours && !hidden {
            files.push(file);
        }
    }
    if files.is_empty() {
        let help = "put a *.toml, *.yaml or *.yml file there; hidden files are not read";
        return Err(Box::new(Problem::of_file(path, "no configuration file in this directory", help)));
    }
    files.sort();
    Ok(files)
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
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    Box::new(Problem::of_file(path, format!("cannot read the configuration: {reason}"), help))
}
