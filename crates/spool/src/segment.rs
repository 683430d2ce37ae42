//! One file of the spool: its name, and writing to it.

use crate::record::file_header;
use crate::{Durability, Error};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// `directory/000000000000002a.log`
pub(crate) fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:016x}.log"))
}

/// The numbers of the files in `directory`, ascending.
pub(crate) fn list(directory: &Path) -> Result<Vec<u64>, Error> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory).map_err(Error::io(directory))? {
        let name = entry.map_err(Error::io(directory))?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_suffix(".log"));
        if let Some(digits) = digits.filter(|digits| digits.len() == 16)
            && let Ok(number) = u64::from_str_radix(digits, 16)
        {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Makes names created in, or removed from, `directory` durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// The file being written.
pub(crate) struct Segment {
    pub(crate) number: u64,
    file: File,
    /// Bytes known to be good: where to cut if the next write fails half-way.
    good: u64,
}

impl Segment {
    pub(crate) fn create(
        directory: &Path,
        number: u64,
        salt: u32,
        durability: Durability,
    ) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .open(path(directory, number))?;
        let header = file_header(salt);
        file.write_all(&header)?;
        if durability == Durability::Fsync {
            sync_directory(directory)?;
        }
        Ok(Self {
            number,
            file,
            good: header.len() as u64,
        })
    }

    pub(crate) fn append(&mut self, bytes: &[u8], sync: bool) -> io::Result<()> {
        let written = self
            .file
            .write_all(bytes)
            .and_then(|()| if sync { self.file.sync_data() } else { Ok(()) });
        match written {
            Ok(()) => {
                self.good = self.good.saturating_add(bytes.len() as u64);
                Ok(())
            }
            Err(error) => {
                // Best effort: these closes are about to be reported as failed, so a replay should
                // not find them. Whether the cut succeeds changes nothing for what came before.
                let _ = self.file.set_len(self.good);
                let _ = self.file.sync_all();
                Err(error)
            }
        }
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}
