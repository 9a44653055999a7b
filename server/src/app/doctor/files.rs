//! Files and folders, from outside: who may read them, who may change them, and whether there is room.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::domain::checkup::Finding;

/// With less room than this, in bytes, the next large write may be the last.
const LITTLE_ROOM: u64 = 100 * 1024 * 1024;

/// With less than this somebody should look after it.
const SOME_ROOM: u64 = 1024 * 1024 * 1024;

/// File systems that keep their files on another machine, by the numbers that Linux has for them: SQLite's locks are not kept there.
const REMOTE: [(u64, &str); 8] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x5346_414f, "AFS"),
    (0x00c3_6400, "Ceph"),
    (0x0102_1997, "9P"),
    (0x7461_636f, "OCFS2"),
];

/// A folder of files of ours: whoever may write there can put others in their place. `is_ours`: it has nothing else.
pub fn folder(check: &'static str, path: &Path, is_ours: bool) -> Finding {
    let shown = path.display();
    let Ok(meta) = path.metadata() else {
        let advice = "start the server once, or say where the folder is with --data";
        return Finding::problem(check, format!("there is no folder {shown}"), advice);
    };
    let mode = meta.mode() & 0o777;
    let chmod = format!("chmod 700 {shown}");
    match mode {
        _ if !meta.is_dir() => Finding::problem(check, format!("{shown} is no folder"), "name a folder"),
        _ if mode & 0o022 != 0 => {
            Finding::problem(check, format!("others may change what is in {shown} (mode {mode:04o})"), chmod)
        }
        _ if is_ours && mode & 0o077 != 0 => {
            Finding::note(check, format!("others may look into {shown} (mode {mode:04o})"), chmod)
        }
        _ => Finding::ok(check, format!("only its owner may change what is in {shown}")),
    }
}

/// A file that holds what only the server may read. `beside`: the folder of the server's data, whose owner may own the file. `lost`: what to do
/// where there is none.
pub fn private(check: &'static str, path: &Path, beside: &Path, lost: &str) -> Finding {
    let shown = path.display();
    let meta = match path.metadata() {
        Ok(meta) => meta,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Finding::problem(check, format!("there is no file {shown}"), lost);
        }
        Err(error) => {
            let advice = "run this as the user that the server runs as";
            return Finding::problem(check, format!("{shown} cannot be looked at: {error}"), advice);
        }
    };
    let mode = meta.mode() & 0o777;
    if !meta.is_file() {
        return Finding::problem(check, format!("{shown} is no file"), "name a file");
    }
    if mode & 0o007 != 0 {
        let says = format!("every user of this machine may read or change {shown} (mode {mode:04o})");
        return Finding::problem(check, says, format!("chmod 600 {shown}"));
    }
    if let Some(stranger) = stranger(&meta, beside) {
        let says = format!("{shown} belongs to another user (number {stranger}) than the data folder");
        return Finding::problem(check, says, "chown it to the user that the server runs as");
    }
    if mode & 0o070 != 0 {
        let says = format!("the group {} may read or change {shown} (mode {mode:04o})", meta.gid());
        return Finding::note(check, says, format!("chmod 600 {shown}, unless it is the server's own group"));
    }
    Finding::ok(check, format!("{shown} is its owner's alone"))
}

/// The owner, where that is neither whoever looks, nor root, nor the owner of the data folder.
fn stranger(meta: &Metadata, beside: &Path) -> Option<u32> {
    let own = rustix::process::geteuid().as_raw();
    let of_folder = beside.metadata().ok().map(|meta| meta.uid());
    let owner = meta.uid();
    (owner != own && owner != 0 && Some(owner) != of_folder).then_some(owner)
}

/// A SQLite file and what SQLite puts beside it.
pub fn database(path: &Path, beside: &Path) -> Finding {
    let with = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    // Of those that are equally well the last one is named.
    let files = ["-shm", "-wal", ""].map(with).into_iter().filter(|file| file.exists());
    let found = files.map(|file| private("database_file", &file, beside, "restore a backup"));
    found
        .max_by_key(|finding| finding.standing as u8)
        .unwrap_or_else(|| Finding::skipped("database_file", "it is not there"))
}

/// Whether a SQLite file can grow, and its locks hold.
pub fn disk(path: &Path) -> Finding {
    let check = "disk";
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Some(name) = remote(folder) {
        let says = format!(
            "{} is on a network file system ({name}), where SQLite's locks do not hold",
            path.display()
        );
        return Finding::problem(
            check,
            says,
            "move the data folder to a disk of this machine, or use PostgreSQL",
        );
    }
    match rustix::fs::statvfs(folder) {
        Err(rustix::io::Errno::NOENT) => Finding::skipped(check, "the folder is not there"),
        Err(error) => Finding::problem(
            check,
            format!("{} cannot be looked at: {error}", folder.display()),
            "run this as the user that the server runs as",
        ),
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let says = format!("{} MiB are free where the database is", free / (1024 * 1024));
            let advice = "make room: a server without any answers 503 to whatever it must write";
            match free {
                ..LITTLE_ROOM => Finding::problem(check, says, advice),
                LITTLE_ROOM..SOME_ROOM => Finding::note(check, says, advice),
                _ => Finding::ok(check, says),
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[allow(
    clippy::cast_sign_loss,
    clippy::unnecessary_cast,
    reason = "its type differs between machines; the number is what counts"
)]
fn remote(folder: &Path) -> Option<&'static str> {
    let kind = rustix::fs::statfs(folder).ok()?.f_type as u64 & 0xffff_ffff;
    REMOTE.iter().find(|(number, _)| *number == kind).map(|(_, name)| *name)
}

#[cfg(not(target_os = "linux"))]
fn remote(_: &Path) -> Option<&'static str> {
    let _ = REMOTE;
    None
}
