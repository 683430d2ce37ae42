//! Any order of opens, closes, forgets and restarts, against a plain map.

use super::{keys, open, payload, wait};
use crate::Options;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum Step {
    Open,
    Close(usize),
    Forget(usize),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Open),
        4 => (0_usize..8).prop_map(Step::Close),
        4 => (0_usize..8).prop_map(Step::Forget),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A restart finds every open and closed key as it was. It may find forgotten keys again, as
    /// they were when they were forgotten or before, and nothing else.
    #[test]
    fn a_restart_finds_what_was_live(steps in vec(step(), 1..120)) {
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            segment_bytes: 150,
            durability: crate::Durability::Buffered,
            ..Options::new(directory.path())
        };
        let mut spool = open(&options).0;
        let mut live: BTreeMap<String, bool> = BTreeMap::new();
        let mut forgotten: BTreeSet<String> = BTreeSet::new();
        let mut next = 0;
        for step in steps {
            match step {
                Step::Open => {
                    let key = format!("{next:04}");
                    next += 1;
                    spool.open_record(&key, payload(&key)).unwrap();
                    live.insert(key, false);
                }
                Step::Close(nth) => {
                    let open = live.iter().filter(|(_, closed)| !**closed).nth(nth);
                    let Some(key) = open.map(|(key, _)| key.clone()) else { continue };
                    wait(spool.close_record(&key, payload(&key)).unwrap()).unwrap();
                    live.insert(key, true);
                }
                Step::Forget(nth) => {
                    let Some(key) = live.keys().nth(nth).cloned() else { continue };
                    spool.forget([&*key]);
                    live.remove(&key);
                    forgotten.insert(key);
                }
                Step::Restart => {
                    drop(spool);
                    let (reopened, replay) = open(&options);
                    spool = reopened;
                    prop_assert!(replay.damage.is_empty() && replay.torn_bytes == 0);
                    let mut found = BTreeMap::new();
                    for (records, closed) in [(&replay.opens, false), (&replay.closes, true)] {
                        for record in records {
                            prop_assert_eq!(&*record.payload, payload(&record.key));
                            prop_assert!(found.insert(record.key.to_string(), closed).is_none());
                        }
                    }
                    for (key, closed) in &live {
                        prop_assert_eq!(found.get(key), Some(closed), "{}", key);
                    }
                    for key in found.keys().filter(|key| !live.contains_key(*key)) {
                        prop_assert!(forgotten.contains(key), "{}", key);
                    }
                    live = found;
                }
            }
        }
        let posted = spool.take_closed(usize::MAX);
        let closed: BTreeSet<&str> =
            live.iter().filter(|(_, closed)| **closed).map(|(key, _)| &**key).collect();
        prop_assert_eq!(keys(&posted).into_iter().collect::<BTreeSet<_>>(), closed);
        prop_assert_eq!(posted.len(), spool.status().backlog);
    }
}
