//! A disk with faults that a test chooses, for programs of its own: a library that stands between them and the system (`disk.c`). It needs
//! no rights and no disk apart, and its errors are those of a real one.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

const LIBRARY: &str = include_str!("disk.c");

/// The disk of the programs that were started with its [variables](Self::variables).
pub struct Disk {
    folder: TempDir,
    library: PathBuf,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// No file can grow; what is there already can be read and written over.
    Full,
    /// Data are not synced, but held back (fdatasync waits).
    Held,
    /// Data cannot be synced (fdatasync fails).
    Broken,
}

impl DiskFault {
    const ALL: [Self; 3] = [Self::Full, Self::Held, Self::Broken];

    /// The variable that names the file which shows this fault.
    const fn variable(self) -> &'static str {
        match self {
            Self::Full => "WARIFU_TEST_DISK_FULL",
            Self::Held => "WARIFU_TEST_DISK_HELD",
            Self::Broken => "WARIFU_TEST_DISK_BROKEN",
        }
    }
}

impl Disk {
    /// A disk without a fault.
    ///
    /// # Panics
    /// When there is no C compiler, or no temporary folder.
    #[must_use]
    pub fn sound() -> Self {
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
        Self { folder, library }
    }

    /// From now on it has this fault.
    ///
    /// # Panics
    /// When the temporary folder is gone.
    pub fn begin(&self, fault: DiskFault) {
        fs::write(self.sign(fault), "").expect("the sign of a fault");
    }

    /// From now on it has it no more.
    ///
    /// # Panics
    /// When it had not.
    pub fn end(&self, fault: DiskFault) {
        fs::remove_file(self.sign(fault)).expect("the sign of a fault");
    }

    /// What a program on this disk is started with.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, OsString)> {
        let library = self.library.as_os_str().to_owned();
        let signs = DiskFault::ALL.map(|fault| (fault.variable(), self.sign(fault).into()));
        std::iter::once(("LD_PRELOAD", library))
            .chain(signs)
            .collect()
    }

    /// The file that shows the fault by being there.
    fn sign(&self, fault: DiskFault) -> PathBuf {
        self.folder.path().join(fault.variable())
    }
}
