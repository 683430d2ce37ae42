//! A full disk, and full queues.

use super::{Hook, close, gate, keys, open, set_hook, wait};
use crate::{Error, Options};

#[test]
fn a_disk_that_fails_stops_new_work() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options::new(directory.path());
    let (spool, _) = open(&options);
    spool.open_record("kept", b"k".to_vec()).unwrap();
    close(&spool, "kept");
    set_hook(directory.path(), Hook::DiskFull);
    let lost = spool.close_record("lost", b"l".to_vec()).unwrap();
    assert!(matches!(wait(lost), Err(Error::Failed(_))));
    assert!(matches!(
        spool.open_record("next", Vec::new()),
        Err(Error::Failed(_))
    ));
    assert!(matches!(
        spool.close_record("next", Vec::new()),
        Err(Error::Failed(_))
    ));
    assert!(spool.status().failed.is_some());
    // What was durable can still be posted; what was not is not posted.
    assert_eq!(keys(&spool.take_closed(10)), ["kept"]);
    assert_eq!(spool.find("lost"), None);
    spool.shutdown();
    drop(spool);

    let (_, replay) = open(&options);
    assert_eq!(keys(&replay.closes), ["kept"]);
}

#[test]
fn new_work_is_refused_while_the_disk_lags() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, _) = open(&Options {
        max_pending: 3,
        ..Options::new(directory.path())
    });
    let (arrived, let_pass) = gate(directory.path());
    let first = spool.close_record("first", Vec::new()).unwrap();
    arrived.recv().unwrap();
    for key in ["a", "b", "c"] {
        spool.open_record(key, Vec::new()).unwrap();
    }
    assert!(matches!(
        spool.open_record("d", Vec::new()),
        Err(Error::Full(_))
    ));
    let done = spool.close_record("a", Vec::new()).unwrap();
    let_pass.send(()).unwrap();
    wait(first).unwrap();
    wait(done).unwrap();
    spool.open_record("d", Vec::new()).unwrap();
}

#[test]
fn new_work_is_refused_while_too_much_waits_to_be_posted() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, _) = open(&Options {
        max_backlog_bytes: 10,
        ..Options::new(directory.path())
    });
    wait(spool.close_record("a", vec![0; 10]).unwrap()).unwrap();
    assert!(matches!(
        spool.open_record("b", Vec::new()),
        Err(Error::Full(_))
    ));
    wait(spool.close_record("c", Vec::new()).unwrap()).unwrap();
    spool.forget(["a"]);
    spool.open_record("b", Vec::new()).unwrap();
}

#[test]
fn a_record_has_a_largest_size() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, _) = open(&Options::new(directory.path()));
    let huge = vec![0; 5 << 20];
    assert!(matches!(
        spool.open_record("a", huge),
        Err(Error::TooLarge(_))
    ));
    assert!(matches!(
        spool.open_record(&"k".repeat(70_000), Vec::new()),
        Err(Error::TooLarge(_))
    ));
}
