//! Reading what an earlier run left behind.

use crate::record::{self, Kind};
use crate::segment;
use crate::state::{FileEntry, State};
use crate::{Error, Options, Record};
use std::collections::{HashMap, VecDeque};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was live when the last run ended.
#[derive(Debug, Default)]
pub struct Replay {
    /// Opened and never closed: that run ended in the middle of them. They stay in the spool until
    /// they are closed or forgotten.
    pub opens: Vec<Record>,
    /// Closed and not forgotten, oldest first. Some may have been kept elsewhere already.
    pub closes: Vec<Record>,
    /// Places that could not be read. Whole records around them are in the lists above.
    pub damage: Vec<Damage>,
    /// Bytes of an unfinished write that were cut off the end. Nobody was told they were durable.
    pub torn_bytes: u64,
}

/// A place in a file that holds no readable record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file as it was found, kept for inspection.
    pub quarantined: PathBuf,
    pub offset: u64,
    pub bytes: u64,
}

struct Found {
    number: u64,
    kind: Kind,
    record: Record,
}

/// Locks `options.directory` and replays it. The returned file holds the lock.
pub(crate) fn run(options: &Options) -> Result<(Replay, State, File), Error> {
    let directory = &options.directory;
    fs::create_dir_all(directory).map_err(Error::io(directory))?;
    let lock = lock(directory)?;
    let numbers = segment::list(directory)?;
    let next = numbers.last().map_or(1, |last| last.saturating_add(1));

    let mut replay = Replay::default();
    let mut files = VecDeque::new();
    let mut found = Vec::new();
    for number in &numbers {
        let is_last = numbers.last() == Some(number);
        let entry = read_file(directory, *number, is_last, &mut replay, &mut found)?;
        files.extend(entry);
    }

    #[expect(clippy::cast_possible_truncation, reason = "any 32 bits will do")]
    let salt = RandomState::new().hash_one(next) as u32;
    let mut state = State::new(files, next, salt);
    for Found {
        number,
        kind,
        record,
    } in latest(found)
    {
        state.restore(number, kind, &record);
        match kind {
            Kind::Open => replay.opens.push(record),
            Kind::Close => replay.closes.push(record),
        }
    }
    Ok((replay, state, lock))
}

fn lock(directory: &Path) -> Result<File, Error> {
    let path = directory.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(Error::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked(directory.to_owned())),
        Err(TryLockError::Error(error)) => Err(Error::io(&path)(error)),
    }
}

/// Reads one file into `found`, and cuts or quarantines what is not whole.
fn read_file(
    directory: &Path,
    number: u64,
    is_last: bool,
    replay: &mut Replay,
    found: &mut Vec<Found>,
) -> Result<Option<FileEntry>, Error> {
    let path = segment::path(directory, number);
    let bytes = fs::read(&path).map_err(Error::io(&path))?;
    if is_last && bytes.len() < record::FILE_HEADER {
        // Created, and the process ended before its first group.
        replay.torn_bytes = bytes.len() as u64;
        fs::remove_file(&path).map_err(Error::io(&path))?;
        return Ok(None);
    }
    let Some(salt) = record::read_file_header(&bytes) else {
        let is_newer = bytes.starts_with(b"ILSPOOL") && !bytes.starts_with(record::MAGIC);
        if is_newer {
            return Err(Error::UnknownFormat(path));
        }
        let quarantined = quarantine(&path)?;
        fs::remove_file(&path).map_err(Error::io(&path))?;
        replay.damage.push(Damage {
            quarantined,
            offset: 0,
            bytes: bytes.len() as u64,
        });
        return Ok(None);
    };

    let mut scan = record::scan(&bytes, salt);
    let tail = scan.end..bytes.len();
    let is_torn = is_last && !tail.is_empty();
    if is_torn {
        replay.torn_bytes = tail.len() as u64;
    } else if !tail.is_empty() {
        // A full file was synced before the next was begun: this is damage, not a torn write.
        scan.damaged.push(tail);
    }
    if !scan.damaged.is_empty() {
        let quarantined = quarantine(&path)?;
        for place in &scan.damaged {
            replay.damage.push(Damage {
                quarantined: quarantined.clone(),
                offset: place.start as u64,
                bytes: place.len() as u64,
            });
        }
        let records: Vec<&[u8]> = scan.records.iter().map(|record| record.bytes).collect();
        rewrite(&path, salt, &records)?;
    } else if is_torn {
        let file = OpenOptions::new().write(true).open(&path);
        let file = file.map_err(Error::io(&path))?;
        file.set_len(scan.end as u64)
            .and_then(|()| file.sync_all())
            .map_err(Error::io(&path))?;
    }
    found.extend(scan.records.iter().map(|raw| Found {
        number,
        kind: raw.kind,
        record: Record {
            key: Arc::from(raw.key),
            payload: Arc::from(raw.payload),
        },
    }));
    Ok(Some(FileEntry::found(number, salt, scan.end as u64)))
}

/// Keeps a damaged file under another name. Its own name stays until it is replaced, so a crash in
/// between loses nothing.
fn quarantine(path: &Path) -> Result<PathBuf, Error> {
    let mut target = path.with_extension("damaged");
    let mut count = 1;
    while target.exists() {
        target = path.with_extension(format!("{count}.damaged"));
        count += 1;
    }
    fs::copy(path, &target)
        .and_then(|_| File::open(&target)?.sync_all())
        .map_err(Error::io(&target))?;
    Ok(target)
}

/// Replaces a damaged file by its whole records.
fn rewrite(path: &Path, salt: u32, records: &[&[u8]]) -> Result<(), Error> {
    let whole = path.with_extension("repair");
    let mut bytes = record::file_header(salt).to_vec();
    bytes.extend(records.concat());
    File::create(&whole)
        .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&whole, path))
        .map_err(Error::io(&whole))?;
    let directory = path.parent().unwrap_or(path);
    segment::sync_directory(directory).map_err(Error::io(directory))
}

/// The last word on each key, in the order it was said. A close is not undone by an open.
fn latest(found: Vec<Found>) -> Vec<Found> {
    let mut last: HashMap<Arc<str>, (usize, Kind)> = HashMap::new();
    for (index, Found { kind, record, .. }) in found.iter().enumerate() {
        match last.get(&record.key) {
            Some((_, Kind::Close)) if *kind == Kind::Open => {}
            _ => {
                last.insert(record.key.clone(), (index, *kind));
            }
        }
    }
    let is_last = |index: usize, found: &Found| {
        last.get(&found.record.key)
            .is_some_and(|(last, _)| *last == index)
    };
    found
        .into_iter()
        .enumerate()
        .filter(|(index, found)| is_last(*index, found))
        .map(|(_, found)| found)
        .collect()
}
