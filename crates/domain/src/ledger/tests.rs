use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

fn nano(amount: i64) -> Money {
    Money::from_nano(amount)
}

fn account(number: u8) -> AccountId {
    AccountId::parse(&format!("acct_{number}")).unwrap()
}

fn node(number: u8) -> NodeId {
    NodeId::parse(&format!("node_{number}")).unwrap()
}

fn amount() -> impl Strategy<Value = Money> {
    prop_oneof![
        8 => (0_i64..100).prop_map(nano),
        1 => Just(nano(-1)),
        1 => Just(Money::MAX),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let lessee = || {
        (0_u8..2, 0_i64..3).prop_map(|(n, epoch)| Lessee {
            node: node(n),
            epoch,
        })
    };
    // Account 3 is never opened.
    let account = || (0_u8..4).prop_map(account);
    let id = || (0_u8..40).prop_map(|n| format!("id-{n}"));
    prop_oneof![
        (id(), account(), amount()).prop_map(|(id, account, amount)| Step::Grant {
            id,
            account,
            amount
        }),
        (lessee(), account(), amount(), amount()).prop_map(|(lessee, account, need, want)| {
            Step::Take {
                lessee,
                account,
                need,
                want,
            }
        }),
        (lessee(), account(), amount()).prop_map(|(lessee, account, amount)| Step::GiveBack {
            lessee,
            account,
            amount
        }),
        (0_u8..2).prop_map(|n| Step::Reset { node: node(n) }),
        (id(), 0_u8..2, account(), amount(), amount()).prop_map(
            |(id, n, account, amount, absorbed)| {
                Step::Post {
                    id,
                    node: node(n),
                    account,
                    amount,
                    absorbed,
                }
            }
        ),
    ]
}

proptest! {
    /// Whatever callers, retries and crashes do, credit is neither made nor lost.
    #[test]
    fn money_is_conserved(steps in vec(step(), 1..200)) {
        let mut ledger = Ledger::default();
        for number in 0..3 {
            ledger.open_account(account(number));
        }
        for step in steps {
            let before = ledger.clone();
            let done = ledger.apply(step);
            let unchanged = done.is_err() || done == Ok(Done::Seen);
            prop_assert!(!unchanged || ledger == before, "a refusal changes nothing");
            let parts = [ledger.available(), ledger.held(), ledger.spent()];
            let parts: i64 = parts.iter().map(|part| part.nano()).sum();
            prop_assert_eq!(ledger.granted().nano(), parts);
            for number in 0..3 {
                prop_assert!(ledger.free(&account(number)) >= Money::ZERO, "oversold");
            }
            prop_assert!(ledger.absorbed() >= before.absorbed());
        }
    }

    #[test]
    fn a_cover_adds_up(amount in 0_i64..100, lease in 0_i64..100, free in 0_i64..100) {
        let cover = cover(nano(amount), nano(lease), nano(free));
        prop_assert_eq!(cover.paid().nano() + cover.uncovered.nano(), amount);
        prop_assert!(cover.from_lease <= nano(lease) && cover.from_free <= nano(free));
        prop_assert!(cover.uncovered.is_zero() || cover.paid() == nano(lease + free));
    }
}

#[test]
fn shares() {
    let check = |free, need, want, expected: Option<i64>| {
        let found = share(nano(free), nano(need), nano(want));
        assert_eq!(found, expected.map(nano), "{need}..{want} of {free}");
    };
    check(100, 10, 50, Some(50));
    check(100, 10, 500, Some(100));
    check(10, 10, 50, Some(10));
    check(9, 10, 50, None);
    // Wanting less than is needed still gets what is needed.
    check(100, 10, 5, Some(10));
}

#[test]
fn a_story() {
    let (a, n) = (account(1), node(1));
    let lessee = |epoch| Lessee {
        node: n.clone(),
        epoch,
    };
    let grant = |amount| Step::Grant {
        id: "g".into(),
        account: a.clone(),
        amount: nano(amount),
    };
    let take = |epoch, need| Step::Take {
        lessee: lessee(epoch),
        account: a.clone(),
        need: nano(need),
        want: nano(60),
    };
    let post = |id: &str, amount| Step::Post {
        id: id.into(),
        node: n.clone(),
        account: a.clone(),
        amount: nano(amount),
        absorbed: nano(1),
    };
    let mut ledger = Ledger::default();
    let mut check = |step, expected| assert_eq!(ledger.apply(step), expected);
    check(grant(100), Err(Refusal::UnknownAccount));
    let mut ledger = Ledger::default();
    ledger.open_account(a.clone());
    let mut check = |step, expected| assert_eq!(ledger.apply(step), expected);
    check(grant(100), Ok(Done::Granted));
    check(grant(100), Ok(Done::Seen));
    check(grant(101), Err(Refusal::Conflict));
    check(take(1, 10), Err(Refusal::Fenced));
    let reset = Step::Reset { node: n.clone() };
    check(
        reset.clone(),
        Ok(Done::Reset {
            epoch: 1,
            released: nano(0),
        }),
    );
    check(
        take(1, 10),
        Ok(Done::Leased {
            amount: nano(60),
            total: nano(60),
            free: nano(40),
        }),
    );
    check(take(1, 41), Err(Refusal::Insufficient { free: nano(40) }));
    // Ten beyond the lease come from what is free.
    let cover = Cover {
        from_lease: nano(60),
        from_free: nano(10),
        uncovered: nano(0),
    };
    check(post("p", 70), Ok(Done::Posted(cover)));
    check(post("p", 70), Ok(Done::Seen));
    check(
        take(1, 10),
        Ok(Done::Leased {
            amount: nano(30),
            total: nano(30),
            free: nano(0),
        }),
    );
    check(
        reset,
        Ok(Done::Reset {
            epoch: 2,
            released: nano(30),
        }),
    );
    check(take(1, 10), Err(Refusal::Fenced));
    // The provider overshot: what the account does not have is the operator's.
    let cover = Cover {
        from_lease: nano(0),
        from_free: nano(30),
        uncovered: nano(5),
    };
    check(post("q", 35), Ok(Done::Posted(cover)));
    assert_eq!((ledger.spent(), ledger.absorbed()), (nano(100), nano(7)));
}
