use super::*;
use proptest::prelude::*;

fn nano(amount: i64) -> Money {
    Money::from_nano(amount)
}

fn opened(purse: &Arc<Purse>, amount: i64) -> Option<Hold> {
    match purse.open_hold("k", nano(amount)) {
        OpenHold::Opened(hold) => Some(hold),
        _ => None,
    }
}

#[test]
fn a_balance_for_ten_serves_ten_of_two_hundred() {
    let purse = Purse::new(true);
    purse.lease_granted(nano(100));
    let served = std::thread::scope(|scope| {
        let tasks: Vec<_> = (0..200)
            .map(|_| {
                scope.spawn(|| {
                    let hold = opened(&purse, 10)?;
                    std::thread::yield_now();
                    hold.settle(nano(10));
                    Some(())
                })
            })
            .collect();
        tasks
            .into_iter()
            .filter_map(|task| task.join().unwrap())
            .count()
    });
    assert_eq!(served, 10);
    assert_eq!(purse.status().free(), Money::ZERO);
}

#[test]
fn what_stands_in_the_way_is_named() {
    let purse = Purse::new(true);
    purse.lease_granted(nano(100));
    let hold = opened(&purse, 60).unwrap();
    match purse.open_hold("k", nano(70)) {
        OpenHold::Short {
            missing,
            held_by_others,
            free,
        } => {
            assert_eq!(
                (missing, held_by_others, free),
                (nano(30), nano(60), nano(40))
            );
        }
        other => panic!("{other:?}"),
    }
    drop(hold);
    assert!(
        opened(&purse, 70).is_some(),
        "a dropped hold gives everything back"
    );
}

#[test]
fn a_key_has_a_limit_of_its_own() {
    let purse = Purse::new(false);
    let period = Period {
        began_at: Timestamp::from_seconds(0),
    };
    purse.set_key_budget(
        "k",
        Some(KeyBudget {
            limit: nano(50),
            period,
            spent: nano(20),
        }),
    );
    let hold = opened(&purse, 20).unwrap();
    match purse.open_hold("k", nano(20)) {
        OpenHold::KeyLimit {
            remaining,
            held_by_others,
            ..
        } => {
            assert_eq!((remaining, held_by_others), (nano(30), nano(20)));
        }
        other => panic!("{other:?}"),
    }
    hold.settle(nano(5));
    assert_eq!(purse.key_spent("k"), Some(nano(25)));
    // A reload that lags behind what was counted here changes nothing; a new period starts anew.
    purse.set_key_budget(
        "k",
        Some(KeyBudget {
            limit: nano(50),
            period,
            spent: nano(21),
        }),
    );
    assert_eq!(purse.key_spent("k"), Some(nano(25)));
    let next = Period {
        began_at: Timestamp::from_seconds(86_400),
    };
    let fresh = KeyBudget {
        limit: nano(50),
        period: next,
        spent: Money::ZERO,
    };
    purse.set_key_budget("k", Some(fresh));
    assert_eq!(purse.key_spent("k"), Some(Money::ZERO));
}

#[test]
fn holds_grow_while_it_is_affordable() {
    let purse = Purse::new(true);
    purse.lease_granted(nano(30));
    let mut hold = opened(&purse, 10).unwrap();
    assert!(hold.extend(nano(15)));
    assert!(!hold.extend(nano(15)));
    assert_eq!(hold.amount(), nano(25));
    hold.settle(nano(25));
    assert_eq!(purse.status().free(), nano(5));
}

#[derive(Clone, Debug)]
enum Act {
    Lease(i64),
    Open(i64),
    Settle(usize, i64),
    Drop(usize),
    Post(i64),
    TakeBack(i64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0_i64..1_000).prop_map(Act::Lease),
        (0_i64..200).prop_map(Act::Open),
        (any::<usize>(), 0_i64..200).prop_map(|(which, share)| Act::Settle(which, share)),
        any::<usize>().prop_map(Act::Drop),
        (0_i64..200).prop_map(Act::Post),
        (0_i64..500).prop_map(Act::TakeBack),
    ]
}

proptest! {
    /// Whatever happens in whatever order, nothing is spent that was not leased.
    #[test]
    fn nothing_is_oversold(acts in prop::collection::vec(act(), 1..200)) {
        let purse = Purse::new(true);
        let mut holds: Vec<Hold> = Vec::new();
        let (mut leased, mut spent, mut returned) = (0_i64, 0_i64, 0_i64);
        for act in acts {
            match act {
                Act::Lease(amount) => { purse.lease_granted(nano(amount)); leased += amount; }
                Act::Open(amount) => holds.extend(opened(&purse, amount)),
                Act::Settle(which, share) if !holds.is_empty() => {
                    let hold = holds.swap_remove(which % holds.len());
                    let charged = share.min(hold.amount().nano());
                    spent += charged;
                    hold.settle(nano(charged));
                }
                Act::Drop(which) if !holds.is_empty() => drop(holds.swap_remove(which % holds.len())),
                Act::Post(amount) => purse.posted(nano(amount).min(purse.status().unposted)),
                Act::TakeBack(amount) => returned += purse.take_back(nano(amount)).nano(),
                Act::Settle(..) | Act::Drop(_) => {}
            }
            let status = purse.status();
            prop_assert!(!status.free().is_negative());
            prop_assert!(spent + returned + status.held.nano() <= leased);
            prop_assert_eq!(status.held.nano(), holds.iter().map(|hold| hold.amount().nano()).sum::<i64>());
        }
    }
}
