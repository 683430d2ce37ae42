//! Random steps, on the pure model and on the database: the answers must be the same.

use super::{account, at, node, on_each_backend};
use crate::{ChargeKind, Error, Granted, LeaseRequest, NewAccount, NewCharge, Store, TakeLease};
use interline_domain::Money;
use interline_domain::id::{AccountId, GenerationId, NodeId};
use interline_domain::ledger::{Done, Ledger, Lessee, Refusal, Step};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::Cell;
use std::time::Duration;

/// A step without names; the names differ from case to case, since all cases share a database.
#[derive(Clone, Debug)]
enum Move {
    Grant(u8, u8, i64),
    Take(u8, i64, u8, i64, i64),
    GiveBack(u8, i64, u8, i64),
    Reset(u8),
    Post(u8, u8, u8, i64, i64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let amount = || -1_i64..100;
    let one = prop_oneof![
        // Account 3 does not exist.
        2 => (0_u8..30, 0_u8..4, amount()).prop_map(|(id, a, n)| Move::Grant(id, a, n)),
        3 => (0_u8..2, 0_i64..4, 0_u8..4, amount(), amount())
            .prop_map(|(n, epoch, a, need, want)| Move::Take(n, epoch, a, need, want)),
        1 => (0_u8..2, 0_i64..4, 0_u8..4, amount())
            .prop_map(|(n, epoch, a, amount)| Move::GiveBack(n, epoch, a, amount)),
        1 => (0_u8..2).prop_map(Move::Reset),
        5 => (0_u8..30, 0_u8..2, 0_u8..4, amount(), amount())
            .prop_map(|(id, n, a, amount, absorbed)| Move::Post(id, n, a, amount, absorbed)),
    ];
    vec(one, 1..60)
}

struct Case {
    number: u32,
}

impl Case {
    fn account(&self, number: u8) -> AccountId {
        account(&format!("case{}-{number}", self.number))
    }

    fn node(&self, number: u8) -> NodeId {
        node(&format!("case{}-{number}", self.number))
    }

    fn id(&self, number: u8) -> String {
        format!("gen-{}-{number:020}", self.number)
    }

    fn step(&self, step: &Move) -> Step {
        let lessee = |number, epoch| Lessee {
            node: self.node(number),
            epoch,
        };
        match *step {
            Move::Grant(id, a, amount) => Step::Grant {
                id: self.id(id),
                account: self.account(a),
                amount: Money::from_nano(amount),
            },
            Move::Take(n, epoch, a, need, want) => Step::Take {
                lessee: lessee(n, epoch),
                account: self.account(a),
                need: Money::from_nano(need),
                want: Money::from_nano(want),
            },
            Move::GiveBack(n, epoch, a, amount) => Step::GiveBack {
                lessee: lessee(n, epoch),
                account: self.account(a),
                amount: Money::from_nano(amount),
            },
            Move::Reset(n) => Step::Reset { node: self.node(n) },
            Move::Post(id, n, a, amount, absorbed) => Step::Post {
                id: self.id(id),
                node: self.node(n),
                account: self.account(a),
                amount: Money::from_nano(amount),
                absorbed: Money::from_nano(absorbed),
            },
        }
    }
}

#[test]
fn the_database_does_as_the_model() {
    on_each_backend(async |store| {
        let number = Cell::new(0);
        let handle = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| {
            let mut runner = TestRunner::new(Config {
                failure_persistence: None,
                ..Config::with_cases(48)
            });
            runner
                .run(&moves(), |moves| {
                    number.set(number.get() + 1);
                    let case = Case {
                        number: number.get(),
                    };
                    handle.block_on(replay(&store, &case, &moves));
                    Ok(())
                })
                .unwrap();
        });
        super::assert_clean(&store).await;
    });
}

async fn replay(store: &Store, case: &Case, moves: &[Move]) {
    let mut model = Ledger::default();
    for number in 0..3 {
        let id = case.account(number);
        let new = NewAccount {
            id: id.clone(),
            name: String::new(),
            email: None,
        };
        store.accounts().create(&new, at(0)).await.unwrap();
        model.open_account(id);
    }
    // Neighbouring posts go in one batch.
    let mut batch = Vec::new();
    for step in moves {
        let step = case.step(step);
        if let Step::Post { .. } = step {
            batch.push(step);
            continue;
        }
        post(store, &mut model, std::mem::take(&mut batch)).await;
        let expected = model.apply(step.clone());
        assert_eq!(apply(store, step.clone()).await, expected, "{step:?}");
        compare(store, &model, case).await;
    }
    post(store, &mut model, batch).await;
    compare(store, &model, case).await;
}

async fn apply(store: &Store, step: Step) -> Result<Done, Refusal> {
    match step {
        Step::Grant {
            id,
            account,
            amount,
        } => {
            let granted = store.ledger().grant(&id, &account, amount, "", at(0)).await;
            granted.map_err(refusal).map(|granted| match granted {
                Granted::Granted => Done::Granted,
                Granted::Seen => Done::Seen,
            })
        }
        Step::Take {
            lessee,
            account,
            need,
            want,
        } => {
            let request = LeaseRequest {
                lessee,
                account,
                need,
                want,
                ttl: Duration::from_mins(2),
            };
            let taken = store.leases().take(&request, at(0)).await;
            match taken.map_err(refusal)? {
                TakeLease::Granted {
                    amount,
                    lease_total,
                    available_after,
                    ..
                } => Ok(Done::Leased {
                    amount,
                    total: lease_total,
                    free: available_after,
                }),
                TakeLease::Insufficient { available } => {
                    Err(Refusal::Insufficient { free: available })
                }
                TakeLease::Fenced => Err(Refusal::Fenced),
            }
        }
        Step::GiveBack {
            lessee,
            account,
            amount,
        } => {
            let given = store.leases().give_back(&lessee, &account, amount).await;
            let given = given.map_err(refusal)?;
            given.map(Done::GaveBack).ok_or(Refusal::Fenced)
        }
        Step::Reset { node } => {
            let reset = store.leases().reset_node(&node, at(0)).await.unwrap();
            Ok(Done::Reset {
                epoch: reset.lessee.epoch,
                released: reset.released,
            })
        }
        Step::Post { .. } => unreachable!("posts go in batches"),
    }
}

fn refusal(error: Error) -> Refusal {
    match error {
        Error::Conflict(_) => Refusal::Conflict,
        Error::UnknownAccount(_) => Refusal::UnknownAccount,
        Error::BadAmount(_) => Refusal::BadAmount,
        error => panic!("{error:?}"),
    }
}

async fn post(store: &Store, model: &mut Ledger, steps: Vec<Step>) {
    let mut charges = Vec::new();
    let mut ids = Vec::new();
    let mut expected = crate::PostOutcome::default();
    let mut rejected = 0;
    for step in steps {
        let Step::Post {
            id,
            node,
            account,
            amount,
            absorbed,
        } = step.clone()
        else {
            unreachable!("a batch holds posts")
        };
        charges.push(NewCharge {
            generation_id: GenerationId::parse(&id).unwrap(),
            kind: ChargeKind::Charge,
            account,
            key_hash: Some(format!("key of {node}")),
            node,
            amount,
            absorbed,
            byok_usage: Money::ZERO,
            delivery_unknown: false,
            created_at: at(0),
            generation: None,
        });
        // A second mention is a duplicate even if the first could not be posted.
        if ids.contains(&id) {
            expected.duplicates += 1;
            continue;
        }
        ids.push(id);
        match model.apply(step) {
            Ok(Done::Posted(cover)) => {
                expected.posted += 1;
                expected.charged = expected.charged.saturating_add(cover.paid());
                expected.uncovered = expected.uncovered.saturating_add(cover.uncovered);
            }
            Ok(Done::Seen) => expected.duplicates += 1,
            Err(Refusal::UnknownAccount | Refusal::BadAmount) => rejected += 1,
            other => panic!("{other:?}"),
        }
    }
    let mut outcome = store.ledger().post(&charges).await.unwrap();
    assert_eq!(outcome.rejected.len(), rejected);
    outcome.rejected.clear();
    assert_eq!(outcome, expected, "{charges:#?}");
}

async fn compare(store: &Store, model: &Ledger, case: &Case) {
    for number in 0..3 {
        let account = case.account(number);
        let balance = store.ledger().balance(&account).await.unwrap().unwrap();
        assert_eq!(balance.posted, model.posted(&account));
        let free = balance.posted.saturating_sub(balance.leased);
        assert_eq!(free, model.free(&account));
    }
    for number in 0..2 {
        let node = case.node(number);
        for lease in store.leases().of_node(&node).await.unwrap() {
            assert_eq!(lease.amount, model.lease(&lease.account, &node));
        }
    }
}
