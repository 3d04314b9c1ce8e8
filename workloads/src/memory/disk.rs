//! A file to read from: made for the purpose and gone with its handle, or somebody's own; and what the system knows of its place.

use crate::llm::file::Mapped;
use crate::workload::Decline;
use spark_kernels::{Buffer, Placement, Type};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes of one read or write.
pub(super) const BLOCK: usize = 4 << 20;
/// One word of each of these is added up, which proves that they came and costs nothing beside their coming.
const PAGE: usize = 4096;

/// A file whose content is known.
#[derive(Debug)]
pub(super) struct Known {
    file: File,
    /// How it can be opened again.
    path: PathBuf,
    pub(super) bytes: u64,
    /// What [`sum`] of all its blocks comes to; `None` of a file that was not made here, until it was read once.
    pub(super) sum: Option<u64>,
    /// Whether the path is to be removed with this.
    ours: bool,
}

/// The first word of each page of `block`, added up.
pub(super) fn sum(block: &[u8]) -> u64 {
    let first = |page: &[u8]| page.first_chunk::<8>().map_or(0, |word| u64::from_le_bytes(*word));
    block.chunks(PAGE).map(first).fold(0, u64::wrapping_add)
}

/// Page-aligned memory that a device may write into directly.
pub(super) fn block() -> Result<Buffer, Decline> {
    Ok(Buffer::host(Type::U8, BLOCK, Placement::Fast)?)
}

fn failed(path: &Path, what: &str, e: &std::io::Error) -> Decline {
    Decline::Fail(format!("{}: {what}: {e}; choose another place with --folder", path.display()))
}

impl Known {
    /// Opens a file that is there.
    pub(super) fn open(path: &Path) -> Result<Self, Decline> {
        let refused =
            |e: std::io::Error| Decline::Skip(format!("{}: {e}; give a file that can be read", path.display()));
        let file = File::open(path).map_err(refused)?;
        let bytes = file.metadata().map_err(refused)?.len();
        if bytes == 0 {
            return Err(Decline::Skip(format!("{}: is empty; give a file of a model's size", path.display())));
        }
        Ok(Self { file, path: path.to_owned(), bytes, sum: None, ours: false })
    }
    /// Makes a file of `bytes` in `folder`, of words that no file system can leave out. On Linux it has no name from the
    /// beginning, so that nothing of it is left whatever happens to this program.
    pub(super) fn make(folder: &Path, bytes: u64, seed: u64) -> Result<Self, Decline> {
        let name = format!(".spark-bench-storage-{}-{seed}", std::process::id());
        let path = folder.join(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(|e| failed(folder, "no file can be made", &e))?;
        let mut this = Self { file, path, bytes, sum: Some(0), ours: true };
        #[cfg(target_os = "linux")]
        if std::fs::remove_file(&this.path).is_ok() {
            use std::os::fd::AsRawFd;
            this.ours = false;
            this.path = PathBuf::from(format!("/proc/self/fd/{}", this.file.as_raw_fd()));
        }
        let mut random = spark_kernels::format::splitmix::SplitMix64::new(seed);
        let mut words: Vec<u8> = (0..BLOCK / 8).flat_map(|_| random.next().to_le_bytes()).collect();
        let mut total = 0u64;
        for at in (0..bytes).step_by(BLOCK) {
            // Every block is another: a page that came from elsewhere changes the sum.
            for page in words.chunks_mut(PAGE) {
                page[..8].copy_from_slice(&random.next().to_le_bytes());
            }
            let part = &words[..(bytes - at).min(BLOCK as u64) as usize];
            this.file.write_all(part).map_err(|e| failed(folder, "the file cannot be written", &e))?;
            total = total.wrapping_add(sum(part));
        }
        this.sum = Some(total);
        this.file.sync_all().map_err(|e| failed(folder, "the file cannot be written", &e))?;
        Ok(this)
    }
    /// Takes it out of the system's cache. Errors: why that cannot be had.
    pub(super) fn chill(&self) -> Result<(), String> {
        #[cfg(target_os = "linux")]
        return rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::DontNeed).map_err(|e| e.to_string());
        #[cfg(not(target_os = "linux"))]
        Err("this system has no way for a program to take one file out of its cache".to_owned())
    }
    /// A handle that reads through the system's cache, at the beginning.
    pub(super) fn buffered(&self) -> Result<File, String> {
        let mut file = File::open(&self.path).map_err(|e| e.to_string())?;
        file.seek(SeekFrom::Start(0)).map_err(|e| e.to_string())?;
        Ok(file)
    }
    /// A handle that reads past it.
    pub(super) fn direct(&self) -> Result<File, String> {
        #[cfg(target_os = "linux")]
        {
            use std::os::unix::fs::OpenOptionsExt;
            let flags = rustix::fs::OFlags::DIRECT.bits() as i32;
            OpenOptions::new().read(true).custom_flags(flags).open(&self.path).map_err(|e| e.to_string())
        }
        #[cfg(not(target_os = "linux"))]
        Err("reading past the system's cache is written for Linux only".to_owned())
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        if self.ours {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Reads all of `file` block by block. Returns its bytes and their [`sum`]; `None` if `stop` said so.
pub(super) fn read_all(
    file: &mut File,
    into: &mut [u8],
    stop: &dyn Fn() -> bool,
) -> Result<Option<(u64, u64)>, std::io::Error> {
    let (mut bytes, mut total) = (0u64, 0u64);
    loop {
        let mut filled = 0;
        // A short read is no end: only 0 is.
        while filled < into.len() {
            match file.read(&mut into[filled..])? {
                0 => break,
                more => filled += more,
            }
            // Past the cache a read has to begin at a page: what ends within one is the end.
            if !filled.is_multiple_of(PAGE) {
                break;
            }
        }
        bytes += filled as u64;
        total = total.wrapping_add(sum(&into[..filled]));
        if filled < into.len() {
            return Ok(Some((bytes, total)));
        }
        if stop() {
            return Ok(None);
        }
    }
}

/// Maps all of `file`, touches each page, and unmaps it. Returns its bytes and their [`sum`], as [`read_all`] does.
pub(super) fn sum_mapped(file: &File) -> Result<Option<(u64, u64)>, std::io::Error> {
    let map = Mapped::of(file)?;
    Ok(Some((map.bytes().len() as u64, sum(map.bytes()))))
}

/// Bytes that may be written in `folder`; `None` where the system does not tell.
pub(super) fn free(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    return rustix::fs::statvfs(folder).ok().map(|about| about.f_bavail.saturating_mul(about.f_frsize));
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// Whether `folder` stands in memory, so that there is no storage to read from.
pub(super) fn in_memory(folder: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        // TMPFS_MAGIC and RAMFS_MAGIC of linux/magic.h.
        const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];
        rustix::fs::statfs(folder).is_ok_and(|about| IN_MEMORY.contains(&(about.f_type as u64)))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = folder;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_file_reads_back_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = BLOCK as u64 + 3 * PAGE as u64;
        let known = Known::make(folder.path(), bytes, 1).unwrap();
        let mut into = vec![0; BLOCK];
        let read = read_all(&mut known.buffered().unwrap(), &mut into, &|| false).unwrap();
        assert_eq!(read, Some((bytes, known.sum.unwrap())));
        assert_eq!(sum_mapped(&known.buffered().unwrap()).unwrap(), read);
        assert_eq!(read_all(&mut known.buffered().unwrap(), &mut into, &|| true).unwrap(), None);
        drop(known);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_changed_page_changes_the_sum() {
        let mut block = vec![7u8; 3 * PAGE];
        let before = sum(&block);
        block[2 * PAGE] = 8;
        assert_ne!(sum(&block), before);
    }
}
