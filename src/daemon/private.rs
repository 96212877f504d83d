//! Small files of a state directory, for the owner's eyes only. A power cut may damage them: then they are as good as none.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use crate::reconcile::create_private;

/// Puts a file in the place of the one before. There must be one writer of it at a time.
///
/// # Errors
///
/// All is as it was.
pub(super) fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put_by(path, |file| file.write_all(bytes))
}

/// The same for what is written piece by piece, as it is long.
pub(super) fn put_by(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    const PIECE: usize = 256 << 10;
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    let draft = path.with_file_name(name);
    let written = || {
        let mut file = BufWriter::with_capacity(PIECE, create_private(&draft)?);
        write(&mut file)?;
        file.into_inner()?;
        fs::rename(&draft, path)
    };
    written().inspect_err(|_| _ = fs::remove_file(&draft))
}

/// Takes a file away; that it is not there is as good.
///
/// # Errors
///
/// It is still there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

    #[test]
    fn what_root_puts_there_is_for_whom_the_directory_belongs_to() {
        let dir = tempfile::tempdir().unwrap();
        let is_root = fs::metadata(dir.path()).unwrap().uid() == 0;
        if is_root {
            chown(dir.path(), Some(4672), Some(4672)).unwrap();
        }
        let owner = fs::metadata(dir.path()).unwrap().uid();
        let file = dir.path().join("a.json");
        for text in ["1", "2"] {
            put(&file, text.as_bytes()).unwrap();
            let about = fs::metadata(&file).unwrap();
            assert_eq!((about.uid(), about.permissions().mode() & 0o777), (owner, 0o600));
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
        let half = |file: &mut BufWriter<File>| {
            file.write_all(&[b'3'; 1 << 20])?;
            Err(io::Error::other("on purpose"))
        };
        assert_eq!(put_by(&file, half).unwrap_err().to_string(), "on purpose");
        assert_eq!(fs::read_to_string(&file).unwrap(), "2", "all is as it was");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nor is half of one");
        remove(&file).unwrap();
        remove(&file).unwrap();
    }
}
