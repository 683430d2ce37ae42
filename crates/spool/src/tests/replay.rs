//! What is found after a crash, and after damage.

use super::{close, keys, log_files, open, payload};
use crate::{Error, Options, Spool};
use proptest::prelude::*;
use std::fs;
use std::path::PathBuf;

/// Three closed keys and an open one in one file.
fn written(options: &Options) -> PathBuf {
    let (spool, _) = open(options);
    for key in ["one", "two", "three"] {
        close(&spool, key);
    }
    spool.open_record("four", payload("four")).unwrap();
    spool.shutdown();
    let files = log_files(&options.directory);
    assert_eq!(files.len(), 1);
    files.into_iter().next().unwrap()
}

#[test]
fn open_and_closed_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options::new(directory.path());
    written(&options);
    let (spool, replay) = open(&options);
    assert_eq!(keys(&replay.closes), ["one", "two", "three"]);
    assert_eq!(keys(&replay.opens), ["four"]);
    assert_eq!(&*replay.opens[0].payload, payload("four"));
    assert_eq!(spool.find("two").as_deref(), Some(&*payload("two")));
    assert_eq!(keys(&spool.take_closed(9)), ["one", "two", "three"]);

    // What the last run left open can be closed by this one.
    close(&spool, "four");
    drop(spool);
    let (_, replay) = open(&options);
    assert_eq!(keys(&replay.closes), ["one", "two", "three", "four"]);
    assert!(replay.opens.is_empty() && replay.damage.is_empty() && replay.torn_bytes == 0);
}

#[test]
fn a_torn_tail_is_cut_at_every_byte() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options::new(directory.path());
    let path = written(&options);
    let whole = fs::read(&path).unwrap();
    let record = 8 + 3 + "four".len() + payload("four").len();
    let start = whole.len() - record;
    for cut in start..=whole.len() {
        for filler in [0, 7] {
            // The tail missing, and (as some file systems leave it) full of zeros.
            let mut bytes = whole[..cut].to_vec();
            if cut < whole.len() {
                bytes.resize(cut + filler, 0);
            }
            let directory = tempfile::tempdir().unwrap();
            let options = Options::new(directory.path());
            let path = directory.path().join(path.file_name().unwrap());
            fs::write(&path, &bytes).unwrap();
            let (_, replay) = open(&options);
            assert_eq!(keys(&replay.closes), ["one", "two", "three"], "{cut}");
            assert_eq!(replay.opens.len(), usize::from(cut == whole.len()), "{cut}");
            let torn = bytes.len() - start;
            let torn = if cut == whole.len() { 0 } else { torn };
            assert_eq!(replay.torn_bytes, torn as u64, "{cut}");
            assert!(replay.damage.is_empty(), "{cut}");
            let (_, again) = open(&options);
            assert_eq!(again.torn_bytes, 0, "cut for good");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever byte goes wrong, the other records are found and the place is reported.
    #[test]
    fn damage_is_reported_and_goes_no_further(place in 0_usize..1000, flip in 1_u8..=255) {
        let directory = tempfile::tempdir().unwrap();
        let options = Options::new(directory.path());
        let path = written(&options);
        let mut bytes = fs::read(&path).unwrap();
        let records = crate::record::FILE_HEADER..bytes.len();
        let place = records.start + place % records.len();
        bytes[place] ^= flip;
        fs::write(&path, &bytes).unwrap();

        let (_, replay) = open(&options);
        prop_assert_eq!(replay.opens.len() + replay.closes.len(), 3);
        prop_assert_eq!(replay.damage.len() + usize::from(replay.torn_bytes > 0), 1);
        for damage in &replay.damage {
            let offset = usize::try_from(damage.offset).unwrap();
            let length = usize::try_from(damage.bytes).unwrap();
            prop_assert!((offset..offset + length).contains(&place));
            prop_assert_eq!(fs::read(&damage.quarantined).unwrap(), bytes.clone());
        }
        let (_, again) = open(&options);
        prop_assert!(again.damage.is_empty() && again.torn_bytes == 0, "repaired");
        prop_assert_eq!(again.opens.len() + again.closes.len(), 3);
    }
}

#[test]
fn a_payload_cannot_pass_for_a_record() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options::new(directory.path());
    let mut forged = Vec::new();
    crate::record::encode(&mut forged, 0, crate::record::Kind::Close, "forged", b"x");
    let (spool, _) = open(&options);
    spool.open_record("torn", forged).unwrap();
    spool.shutdown();
    let path = log_files(directory.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[20] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (_, replay) = open(&options);
    assert!(replay.closes.is_empty() && replay.torn_bytes > 0);
}

#[test]
fn a_file_of_another_version_stops_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options::new(directory.path());
    let path = written(&options);
    let mut bytes = fs::read(&path).unwrap();
    bytes[7] = b'2';
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(Spool::open(options), Err(Error::UnknownFormat(_))));
}

#[test]
fn a_file_that_is_not_ours_is_put_aside() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options::new(directory.path());
    let path = written(&options);
    let mut bytes = fs::read(&path).unwrap();
    bytes[0] = b'?';
    fs::write(&path, &bytes).unwrap();
    let (_, replay) = open(&options);
    assert!(replay.closes.is_empty());
    assert_eq!(replay.damage.len(), 1);
    assert_eq!(fs::read(&replay.damage[0].quarantined).unwrap(), bytes);
}
