//! Taking, returning, renewing, and being fenced off.

use super::{account, assert_clean, at, funded, nano, node, on_each_backend, started};
use crate::{Error, LeaseRequest, TakeLease};
use interline_domain::Money;
use interline_domain::id::AccountId;
use interline_domain::ledger::Lessee;
use std::time::Duration;

const TTL: Duration = Duration::from_mins(2);

fn request(lessee: &Lessee, account: &AccountId, need: i64, want: i64) -> LeaseRequest {
    LeaseRequest {
        lessee: lessee.clone(),
        account: account.clone(),
        need: nano(need),
        want: nano(want),
        ttl: TTL,
    }
}

#[test]
fn a_lease_grows_and_shrinks() {
    on_each_backend(async |store| {
        let a = funded(&store, "a", 100).await;
        let lessee = started(&store, "one").await;
        let leases = store.leases();
        let take = async |need, want| {
            let request = request(&lessee, &a, need, want);
            leases.take(&request, at(1_000)).await.unwrap()
        };
        let granted = |amount, total, available| TakeLease::Granted {
            amount: nano(amount),
            lease_total: nano(total),
            epoch: 1,
            expires_at: at(1_120),
            available_after: nano(available),
        };
        assert_eq!(take(10, 60).await, granted(60, 60, 40));
        assert_eq!(take(10, 60).await, granted(40, 100, 0));
        let nothing = TakeLease::Insufficient { available: nano(0) };
        assert_eq!(take(1, 60).await, nothing);

        assert_eq!(
            leases.give_back(&lessee, &a, nano(30)).await.unwrap(),
            Some(nano(30))
        );
        assert_eq!(take(1, 10).await, granted(10, 80, 20));
        assert_eq!(
            leases.give_back(&lessee, &a, nano(500)).await.unwrap(),
            Some(nano(80))
        );
        assert!(leases.of_node(&lessee.node).await.unwrap().is_empty());

        let nobody = request(&lessee, &account("nobody"), 1, 1);
        assert!(matches!(
            leases.take(&nobody, at(0)).await,
            Err(Error::UnknownAccount(_))
        ));
        let nothing = request(&lessee, &a, 0, 1);
        assert!(matches!(
            leases.take(&nothing, at(0)).await,
            Err(Error::BadAmount(0))
        ));
        assert_clean(&store).await;
    });
}

#[test]
fn a_new_run_fences_off_the_old() {
    on_each_backend(async |store| {
        let (a, b) = (
            funded(&store, "a", 100).await,
            funded(&store, "b", 100).await,
        );
        let old = started(&store, "one").await;
        let other = started(&store, "two").await;
        let leases = store.leases();
        for (lessee, account) in [(&old, &a), (&old, &b), (&other, &a)] {
            leases
                .take(&request(lessee, account, 1, 20), at(0))
                .await
                .unwrap();
        }
        assert_eq!(
            leases.renew(&old, at(60), TTL).await.unwrap(),
            Some(at(180))
        );
        let rows = leases.of_node(&old.node).await.unwrap();
        let ends: Vec<_> = rows
            .iter()
            .map(|row| (row.amount, row.expires_at))
            .collect();
        assert_eq!(ends, [(nano(20), at(180)); 2]);

        let reset = leases.reset_node(&node("one"), at(70)).await.unwrap();
        assert_eq!((reset.lessee.epoch, reset.released), (2, nano(40)));
        assert_eq!(
            leases.take(&request(&old, &a, 1, 1), at(70)).await.unwrap(),
            TakeLease::Fenced
        );
        assert_eq!(leases.renew(&old, at(70), TTL).await.unwrap(), None);
        assert_eq!(leases.give_back(&old, &a, nano(1)).await.unwrap(), None);
        // The other node is not touched.
        assert_eq!(leases.of_node(&other.node).await.unwrap().len(), 1);
        let balance = store.ledger().balance(&a).await.unwrap().unwrap();
        assert_eq!(balance.leased, nano(20));
        assert_clean(&store).await;
    });
}

/// Two hundred requests at once after a balance that pays for thirty-three.
#[test]
fn a_tiny_balance_is_never_oversold() {
    on_each_backend(async |store| {
        let a = funded(&store, "a", 100).await;
        let lessees = [started(&store, "one").await, started(&store, "two").await];
        let mut tasks = Vec::new();
        for number in 0..200 {
            let request = request(&lessees[number % 2], &a, 3, 3);
            let leases = store.leases();
            tasks.push(tokio::spawn(
                async move { leases.take(&request, at(0)).await },
            ));
        }
        let mut taken = Money::ZERO;
        let mut refused = 0;
        for task in tasks {
            match task.await.unwrap().unwrap() {
                TakeLease::Granted { amount, .. } => taken = taken.saturating_add(amount),
                TakeLease::Insufficient { available } => {
                    assert_eq!(available, nano(1));
                    refused += 1;
                }
                TakeLease::Fenced => panic!("nobody started anew"),
            }
        }
        assert_eq!((taken, refused), (nano(99), 167));
        let balance = store.ledger().balance(&a).await.unwrap().unwrap();
        assert_eq!((balance.posted, balance.leased), (nano(100), nano(99)));
        assert_clean(&store).await;
    });
}
