//! Keys, their limits and their usage.

use super::{account, assert_clean, at, charge, funded, nano, on_each_backend};
use crate::{Error, KeyChange, KeyKind, KeyUsage, LimitReset, NewCharge, NewKey};
use interline_domain::id::AccountId;

/// 2025-01-01 00:00 UTC, a Wednesday.
const NEW_YEAR: i64 = 1_735_689_600;
const DAY: i64 = 86_400;

fn new_key(name: &str, account: &AccountId) -> NewKey {
    NewKey {
        hash: format!("hash-{name}"),
        lookup: format!("lookup-{name}"),
        account: account.clone(),
        kind: KeyKind::Inference,
        name: name.to_owned(),
        label: "sk-il-v1-abc…xyz".to_owned(),
        limit: Some(nano(1_000)),
        limit_reset: Some(LimitReset::Weekly),
        include_byok_in_limit: false,
        expires_at: None,
        creator_user_id: Some("user_1".to_owned()),
    }
}

#[test]
fn a_key_is_found_by_its_secret_and_its_owner_only() {
    on_each_backend(async |store| {
        let (a, b) = (funded(&store, "a", 70).await, funded(&store, "b", 0).await);
        let keys = store.keys();
        let created = keys.create(&new_key("one", &a), at(1)).await.unwrap();
        assert!(matches!(
            keys.create(&new_key("one", &b), at(2)).await,
            Err(Error::Conflict(_))
        ));
        let taken = NewKey {
            hash: "other".to_owned(),
            ..new_key("one", &a)
        };
        assert!(matches!(
            keys.create(&taken, at(2)).await,
            Err(Error::Conflict(_))
        ));
        let homeless = new_key("two", &account("nobody"));
        assert!(matches!(
            keys.create(&homeless, at(2)).await,
            Err(Error::UnknownAccount(_))
        ));

        let found = keys
            .find_by_lookup("lookup-one", at(3))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.key, created);
        assert_eq!((found.posted, found.leased), (nano(70), nano(0)));
        assert_eq!(keys.find_by_lookup("hash-one", at(3)).await.unwrap(), None);
        assert_eq!(
            keys.find_by_hash(&a, "hash-one", at(3)).await.unwrap(),
            Some(created)
        );
        assert_eq!(
            keys.find_by_hash(&b, "hash-one", at(3)).await.unwrap(),
            None
        );
        assert_eq!(keys.list(&b, 0, 10, at(3)).await.unwrap(), []);

        assert!(!keys.delete(&b, "hash-one").await.unwrap());
        assert!(keys.delete(&a, "hash-one").await.unwrap());
        assert_eq!(
            keys.find_by_lookup("lookup-one", at(4)).await.unwrap(),
            None
        );
    });
}

#[test]
fn a_change_changes_what_it_names() {
    on_each_backend(async |store| {
        let (a, b) = (funded(&store, "a", 0).await, funded(&store, "b", 0).await);
        let keys = store.keys();
        let before = keys.create(&new_key("one", &a), at(1)).await.unwrap();
        let change = KeyChange {
            disabled: Some(true),
            limit: Some(None),
            expires_at: Some(Some(at(9))),
            ..KeyChange::default()
        };
        assert_eq!(
            keys.update(&b, "hash-one", &change, at(2)).await.unwrap(),
            None
        );
        let after = keys.update(&a, "hash-one", &change, at(2)).await.unwrap();
        let expected = crate::Key {
            disabled: true,
            limit: None,
            expires_at: Some(at(9)),
            updated_at: at(2),
            ..before
        };
        assert_eq!(after, Some(expected.clone()));
        let change = KeyChange {
            name: Some("renamed".to_owned()),
            limit: Some(Some(nano(5))),
            limit_reset: Some(None),
            include_byok_in_limit: Some(true),
            ..KeyChange::default()
        };
        let after = keys.update(&a, "hash-one", &change, at(3)).await.unwrap();
        let expected = crate::Key {
            name: "renamed".to_owned(),
            limit: Some(nano(5)),
            limit_reset: None,
            include_byok_in_limit: true,
            updated_at: at(3),
            ..expected
        };
        assert_eq!(after, Some(expected));
    });
}

#[test]
fn keys_are_listed_newest_first() {
    on_each_backend(async |store| {
        let a = funded(&store, "a", 0).await;
        for number in 0..5_i64 {
            let key = new_key(&number.to_string(), &a);
            store.keys().create(&key, at(number)).await.unwrap();
        }
        let page = store.keys().list(&a, 1, 3, at(9)).await.unwrap();
        let names: Vec<_> = page.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(names, ["3", "2", "1"]);
    });
}

#[test]
fn usage_is_counted_by_day_week_and_month() {
    on_each_backend(async |store| {
        let a = funded(&store, "a", 10_000).await;
        store
            .keys()
            .create(&new_key("one", &a), at(1))
            .await
            .unwrap();
        let day = |number, days, amount| NewCharge {
            key_hash: Some("hash-one".to_owned()),
            byok_usage: nano(1),
            created_at: at(NEW_YEAR + days * DAY),
            ..charge(number, &a, amount)
        };
        let batch = [
            // Sunday, Monday and Tuesday of December.
            day(1, -3, 1_000),
            day(2, -2, 200),
            day(3, -1, 40),
            // Wednesday, twice.
            day(4, 0, 5),
            day(5, 0, 3),
        ];
        store.ledger().post(&batch).await.unwrap();
        store.ledger().post(&batch).await.unwrap();
        let usage = async |days| {
            let now = at(NEW_YEAR + days * DAY + 3_600);
            let found = store.keys().find_by_lookup("lookup-one", now).await;
            found.unwrap().unwrap().key
        };
        let today = usage(0).await;
        let expected = KeyUsage {
            total: nano(1_248),
            daily: nano(8),
            weekly: nano(248),
            monthly: nano(8),
            byok_total: nano(5),
            byok_daily: nano(2),
            byok_weekly: nano(4),
            byok_monthly: nano(2),
        };
        assert_eq!(today.usage, expected);
        assert_eq!(today.used_of_limit(), nano(248), "the limit is weekly");
        assert_eq!(today.limit_remaining(), Some(nano(752)));
        let next_week = usage(6).await.usage;
        assert_eq!((next_week.weekly, next_week.monthly), (nano(0), nano(8)));
        assert_clean(&store).await;

        // Usage outlives the key.
        store.keys().delete(&a, "hash-one").await.unwrap();
        store.ledger().post(&[day(6, 0, 1)]).await.unwrap();
        assert_clean(&store).await;
    });
}
