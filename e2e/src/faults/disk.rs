//! A disk of its own for a server: ext4 in a file, whose power can be cut for real.
//!
//! `EXT4_IOC_SHUTDOWN` without flushing the log forgets everything that was not synced, as a machine without power does; killing
//! a process forgets nothing. Needs root.

use crate::locate::program;
use crate::wait::until;
use anyhow::{Context, ensure};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// `EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`: what perl, which the build needs anyhow, is told to call.
const CUT: &str = "sysopen(my $d, $ARGV[0], 0) or die \"open: $!\"; \
                   my $how = pack('I', 2); ioctl($d, 0x8004587d, $how) or die \"ioctl: $!\";";
/// A killed process lets go of its files at once; the kernel may take a moment to notice.
const UNMOUNT_LIMIT: Duration = Duration::from_secs(30);

/// A mounted disk; dropping it unmounts it and removes its file.
#[derive(Debug)]
pub struct Disk {
    image: PathBuf,
    mount: PathBuf,
}

impl Disk {
    /// A fresh disk of `bytes`, mounted at `<folder>/<name>`.
    ///
    /// # Errors
    /// The test does not run as root, or the kernel has no loop devices.
    pub fn make(folder: &Path, name: &str, bytes: u64) -> anyhow::Result<Self> {
        Self::with_options(folder, name, bytes, &[])
    }

    /// The same with options of `mkfs.ext4`.
    ///
    /// # Errors
    /// As [`Self::make`].
    pub fn with_options(folder: &Path, name: &str, bytes: u64, options: &[&str]) -> anyhow::Result<Self> {
        needs_root()?;
        let (image, mount) = (folder.join(format!("{name}.img")), folder.join(name));
        File::create(&image)?.set_len(bytes)?;
        fs::create_dir_all(&mount)?;
        run(Command::new(program("mkfs.ext4")?).args(["-q", "-F"]).args(options).arg(&image))?;
        let disk = Self { image, mount };
        disk.attach()?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.mount
    }

    /// Cuts the power: what was not synced is gone, and every write fails from now on.
    ///
    /// # Errors
    /// The file system cannot do it.
    pub fn cut_power(&self) -> anyhow::Result<()> {
        run(Command::new(program("perl")?).args(["-e", CUT]).arg(&self.mount))
    }

    /// Gives the power back: mounts it anew. Whoever used it must have ended.
    ///
    /// # Errors
    /// It is still in use, or its journal cannot be replayed.
    pub async fn give_power(&mut self) -> anyhow::Result<()> {
        until("the disk to be free", UNMOUNT_LIMIT, async || self.detach()).await?;
        // A copy, because a mount namespace of somebody else may hold on to the dead file system, and the kernel would give it
        // to us again.
        let copy = self.image.with_extension("copy");
        run(Command::new(program("cp")?).args(["--sparse=always"]).arg(&self.image).arg(&copy))?;
        fs::remove_file(&self.image)?;
        fs::rename(&copy, &self.image)?;
        self.attach()
    }

    fn attach(&self) -> anyhow::Result<()> {
        run(Command::new(program("mount")?).args(["-o", "loop"]).arg(&self.image).arg(&self.mount))
    }

    fn detach(&self) -> anyhow::Result<()> {
        run(Command::new(program("umount")?).arg(&self.mount))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.detach().is_err() {
            // In use, as after a failed test: it goes when the last user does.
            let _ = Command::new("umount").arg("--lazy").arg(&self.mount).status();
        }
        let _ = fs::remove_file(&self.image);
    }
}

/// Fails with a sentence unless the test may do what only root may.
///
/// # Errors
/// It may not.
pub fn needs_root() -> anyhow::Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "fault tests mount disks, make networks and inject failures: run them as root"
    );
    Ok(())
}

/// Runs a command that must succeed.
///
/// # Errors
/// It does not; the message is the command's.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[tokio::test]
    async fn a_power_cut_forgets_what_was_not_synced() {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = Disk::make(folder.path(), "disk", 16 << 20).unwrap();
        let write = |name: &str, sync: bool| {
            let mut file = File::create(disk.path().join(name)).unwrap();
            file.write_all(&[1; 20_000]).unwrap();
            if sync {
                file.sync_all().unwrap();
                File::open(disk.path()).unwrap().sync_all().unwrap();
            }
        };
        write("synced", true);
        write("unsynced", false);
        disk.cut_power().unwrap();
        assert!(File::create(disk.path().join("late")).is_err(), "a disk without power takes nothing");
        disk.give_power().await.unwrap();
        assert_eq!(fs::read(disk.path().join("synced")).unwrap(), [1; 20_000]);
        let unsynced = fs::read(disk.path().join("unsynced")).unwrap_or_default();
        assert_ne!(unsynced, [1; 20_000], "what nobody synced must be gone, or the cut is none");
    }
}
