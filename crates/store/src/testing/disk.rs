//! A disk that a test makes full, for programs of its own: a library that stands between them and the system (`disk.c`). It needs
//! no rights and no disk apart, and its errors are those of a full one.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

const LIBRARY: &str = include_str!("disk.c");

/// The disk. While it is full, no file of a program that was started with its [variables](Self::variables) can grow; what is
/// there already can be read and written over.
pub struct Disk {
    _folder: TempDir,
    library: PathBuf,
    /// The disk is full while this file exists.
    sign: PathBuf,
}

impl Disk {
    /// A disk with room.
    ///
    /// # Panics
    /// When there is no C compiler, or no temporary folder.
    #[must_use]
    pub fn with_room() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let library = folder.path().join("disk.so");
        let source = folder.path().join("disk.c");
        fs::write(&source, LIBRARY).expect("the library's source");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .status()
            .expect("this test needs a C compiler (Debian: apt-get install gcc)");
        assert!(compiled.success(), "the library does not compile");
        // PostgreSQL runs under another account than a test that root started.
        for path in [folder.path(), &*library] {
            fs::set_permissions(path, Permissions::from_mode(0o755)).expect("our own file");
        }
        Self {
            sign: folder.path().join("full"),
            library,
            _folder: folder,
        }
    }

    /// Nothing fits any more.
    ///
    /// # Panics
    /// When the temporary folder is gone.
    pub fn fill(&self) {
        fs::write(&self.sign, "").expect("the sign of a full disk");
    }

    /// There is room again.
    ///
    /// # Panics
    /// When it was not full.
    pub fn make_room(&self) {
        fs::remove_file(&self.sign).expect("the sign of a full disk");
    }

    /// What a program on this disk is started with.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, &OsStr); 2] {
        [
            ("LD_PRELOAD", self.library.as_os_str()),
            ("WARIFU_TEST_DISK_FULL", self.sign.as_os_str()),
        ]
    }
}
