//! Grants, posting and the audit.

use super::{
    account, assert_clean, at, charge, funded, generation, nano, node, on_each_backend, started,
};
use crate::db::Tx;
use crate::{
    Balance, ChargeKind, Error, Granted, LeaseRequest, NewCharge, PostOutcome, TakeLease, sql,
};
use interline_domain::Money;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn a_grant_happens_once() {
    on_each_backend(async |store| {
        let id = funded(&store, "a", 0).await;
        let ledger = store.ledger();
        let grant = async |amount| ledger.grant("grant:1", &id, nano(amount), "", at(1)).await;
        assert_eq!(grant(500).await.unwrap(), Granted::Granted);
        assert_eq!(grant(500).await.unwrap(), Granted::Seen);
        assert!(matches!(grant(501).await, Err(Error::Conflict(_))));
        assert!(matches!(grant(0).await, Err(Error::BadAmount(0))));
        assert!(matches!(
            grant(i64::MAX).await,
            Err(Error::BadAmount(i64::MAX))
        ));
        for unknown in ["nobody", "revenue"] {
            let unknown = account(unknown);
            let refused = ledger.grant("grant:2", &unknown, nano(1), "", at(1));
            assert!(matches!(refused.await, Err(Error::UnknownAccount(_))));
        }
        let expected = Balance {
            credited: nano(500),
            posted: nano(500),
            ..Balance::default()
        };
        assert_eq!(ledger.balance(&id).await.unwrap(), Some(expected));
        assert_clean(&store).await;
    });
}

#[test]
fn a_batch_is_posted_once() {
    on_each_backend(async |store| {
        let (a, b) = (
            funded(&store, "a", 10_000).await,
            funded(&store, "b", 50).await,
        );
        let lessee = started(&store, "one").await;
        let request = LeaseRequest {
            lessee,
            account: a.clone(),
            need: nano(1),
            want: nano(1_000),
            ttl: Duration::from_mins(2),
        };
        store.leases().take(&request, at(0)).await.unwrap();
        let mut batch: Vec<NewCharge> = (0..1_200).map(|n| charge(n, &a, 2)).collect();
        // The second account cannot pay all of its last one.
        batch.push(charge(2_000, &b, 30));
        batch.push(charge(2_001, &b, 0));
        batch.push(charge(2_002, &b, 30));
        batch.push(charge(2_002, &b, 30));
        let ledger = store.ledger();
        let first = ledger.post(&batch).await.unwrap();
        let expected = PostOutcome {
            posted: 1_203,
            duplicates: 1,
            charged: nano(2_450),
            uncovered: nano(10),
            rejected: Vec::new(),
        };
        assert_eq!(first, expected);
        let balance = ledger.balance(&a).await.unwrap().unwrap();
        assert_eq!((balance.used, balance.posted), (nano(2_400), nano(7_600)));
        assert_eq!(balance.leased, nano(0), "the lease was used up first");
        assert_clean(&store).await;

        batch.push(charge(3_000, &a, 7));
        let again = ledger.post(&batch).await.unwrap();
        assert_eq!((again.posted, again.duplicates), (1, 1_204));
        let audit = ledger.audit().await.unwrap();
        assert!(audit.is_clean(), "{audit:#?}");
        assert_eq!(audit.generations, 1_204);
        assert_eq!(audit.overdrawn, [(generation(2_002).to_string(), nano(10))]);
        assert_eq!((audit.charged, audit.uncovered), (nano(2_457), nano(10)));
        let house: Vec<i64> = audit
            .house
            .iter()
            .map(|(_, amount)| amount.nano())
            .collect();
        assert_eq!(
            house,
            [-10, -10_050, 0, 2_467],
            "absorbed, grants, providers, revenue"
        );
    });
}

#[test]
fn the_same_batch_from_many_sides_is_posted_once() {
    on_each_backend(async |store| {
        let a = funded(&store, "a", 1_000_000).await;
        let batch: Vec<NewCharge> = (0..300).map(|n| charge(n, &a, 3)).collect();
        let mut tasks = Vec::new();
        for _ in 0..6 {
            let (ledger, batch) = (store.ledger(), batch.clone());
            tasks.push(tokio::spawn(async move { ledger.post(&batch).await }));
        }
        let mut posted = 0;
        for task in tasks {
            let outcome = task.await.unwrap().unwrap();
            assert_eq!(outcome.posted + outcome.duplicates, 300);
            posted += outcome.posted;
        }
        assert_eq!(posted, 300);
        let balance = store.ledger().balance(&a).await.unwrap().unwrap();
        assert_eq!(balance.used, nano(900));
        assert_clean(&store).await;
    });
}

#[test]
fn what_nobody_is_charged_for_is_absorbed() {
    on_each_backend(async |store| {
        let a = funded(&store, "a", 100).await;
        let batch = [
            NewCharge {
                absorbed: nano(5),
                ..charge(1, &a, 10)
            },
            NewCharge {
                kind: ChargeKind::Absorbed,
                absorbed: nano(7),
                ..charge(2, &a, 0)
            },
            NewCharge {
                kind: ChargeKind::Void,
                delivery_unknown: true,
                ..charge(3, &a, 0)
            },
        ];
        let outcome = store.ledger().post(&batch).await.unwrap();
        assert_eq!((outcome.posted, outcome.charged), (3, nano(10)));
        let audit = store.ledger().audit().await.unwrap();
        assert!(audit.is_clean(), "{audit:#?}");
        assert_eq!((audit.absorbed, audit.charged), (nano(12), nano(10)));
        assert_eq!(audit.delivery_unknown, [generation(3).to_string()]);
        let house: Vec<i64> = audit
            .house
            .iter()
            .map(|(_, amount)| amount.nano())
            .collect();
        assert_eq!(house, [-12, -100, 12, 10]);
    });
}

#[test]
fn senseless_rows_hold_nobody_up() {
    on_each_backend(async |store| {
        let a = funded(&store, "a", 100).await;
        let batch = [
            charge(1, &account("nobody"), 1),
            charge(2, &a, -1),
            charge(3, &a, i64::MAX),
            NewCharge {
                kind: ChargeKind::Void,
                ..charge(4, &a, 1)
            },
            charge(5, &a, 1),
        ];
        let outcome = store.ledger().post(&batch).await.unwrap();
        assert_eq!((outcome.posted, outcome.duplicates), (1, 0));
        let mut rejected: Vec<_> = outcome.rejected.iter().map(|r| &r.generation_id).collect();
        rejected.sort();
        let expected: Vec<_> = (1..5).map(generation).collect();
        assert_eq!(rejected, expected.iter().collect::<Vec<_>>());
        assert_clean(&store).await;
    });
}

#[test]
fn the_database_itself_refuses_to_oversell() {
    on_each_backend(async |store| {
        let a = &funded(&store, "a", 100).await;
        for statement in [
            "UPDATE account SET leased_nano = 101 WHERE id = $1",
            "UPDATE account SET posted_nano = -1 WHERE id = $1",
        ] {
            let wrong = store.db.write(|tx: Arc<Tx>| async move {
                sql::execute(&*tx, statement, [a.as_str().into()]).await
            });
            assert!(
                matches!(wrong.await, Err(Error::Database(_))),
                "{statement}"
            );
        }
        assert_clean(&store).await;
    });
}

#[test]
fn an_audit_finds_what_was_changed_by_hand() {
    for (statement, found) in [
        (
            "UPDATE entry SET amount_nano = amount_nano + 1 WHERE leg = 0",
            "entries",
        ),
        (
            "UPDATE account SET posted_nano = posted_nano + 1 WHERE kind = 'user'",
            "accounts",
        ),
        (
            "UPDATE account SET leased_nano = leased_nano + 1 WHERE kind = 'user'",
            "leases",
        ),
        (
            "UPDATE posting SET amount_nano = amount_nano + 1 WHERE kind = 'charge'",
            "postings",
        ),
        ("UPDATE key_usage SET usage_nano = usage_nano + 1", "days"),
        ("DELETE FROM key_usage", "days"),
    ] {
        on_each_backend(async |store| {
            let a = funded(&store, "a", 100).await;
            let charged = NewCharge {
                key_hash: Some("hash".to_owned()),
                ..charge(1, &a, 10)
            };
            store.ledger().post(&[charged]).await.unwrap();
            assert_clean(&store).await;
            store
                .db
                .write(|tx: Arc<Tx>| async move { sql::execute(&*tx, statement, []).await })
                .await
                .unwrap();
            let audit = store.ledger().audit().await.unwrap();
            assert!(!audit.is_clean(), "{statement}");
            let is_found = match found {
                "entries" => {
                    !audit.entries_sum.is_zero()
                        && audit.unbalanced_postings.len() == 2
                        && audit.unbalanced_accounts.len() == 1
                }
                "accounts" => audit.unbalanced_accounts[0].id == a.as_str(),
                "leases" => audit.lease_mismatches[0].id == a.as_str(),
                "postings" => audit.posting_mismatches[0].id == generation(1).as_str(),
                _ => audit.key_day_mismatches.len() == 1,
            };
            assert!(is_found, "{statement}: {audit:#?}");
        });
    }
}

/// Nodes that lease, spend and post at once, on one small balance.
#[test]
fn many_nodes_spend_no_more_than_there_is() {
    on_each_backend(async |store| {
        let a = funded(&store, "a", 1_000).await;
        let mut tasks = Vec::new();
        for number in 0..8_u32 {
            let (store, account) = (store.clone(), a.clone());
            tasks.push(tokio::spawn(async move {
                let name = format!("n{number}");
                let lessee = started(&store, &name).await;
                let mut spent = Money::ZERO;
                for round in 0..20 {
                    let request = LeaseRequest {
                        lessee: lessee.clone(),
                        account: account.clone(),
                        need: nano(7),
                        want: nano(30),
                        ttl: Duration::from_mins(2),
                    };
                    let taken = store.leases().take(&request, at(round)).await.unwrap();
                    let TakeLease::Granted { amount, .. } = taken else {
                        break;
                    };
                    let half = amount.nano() / 2;
                    let charge = NewCharge {
                        node: node(&name),
                        ..charge(
                            number * 1_000 + u32::try_from(round).unwrap(),
                            &account,
                            half,
                        )
                    };
                    let posted = store.ledger().post(&[charge]).await.unwrap();
                    assert!(posted.uncovered.is_zero(), "what is leased is covered");
                    spent = spent.saturating_add(posted.charged);
                    let rest = nano(amount.nano() - half);
                    let given = store.leases().give_back(&lessee, &account, rest).await;
                    assert_eq!(given.unwrap(), Some(rest));
                }
                spent
            }));
        }
        let mut spent = Money::ZERO;
        for task in tasks {
            spent = spent.saturating_add(task.await.unwrap());
        }
        let balance = store.ledger().balance(&a).await.unwrap().unwrap();
        assert_eq!(balance.used, spent);
        assert_eq!(
            (balance.leased, balance.posted.nano()),
            (nano(0), 1_000 - spent.nano())
        );
        assert!(
            balance.posted < nano(30),
            "they stopped only when little was left"
        );
        assert_clean(&store).await;
    });
}
