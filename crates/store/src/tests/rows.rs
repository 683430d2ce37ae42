//! Accounts, generations and settings.

use super::{account, at, charge, funded, generation, nano, on_each_backend};
use crate::{Error, NewAccount};

#[test]
fn an_account_is_created_once() {
    on_each_backend(async |store| {
        let new = NewAccount {
            id: account("a"),
            name: "Ada".to_owned(),
            email: Some("Ada@Example.org".to_owned()),
        };
        let accounts = store.accounts();
        let created = accounts.create(&new, at(5)).await.unwrap();
        assert_eq!(created.email.as_deref(), Some("ada@example.org"));
        assert_eq!(accounts.create(&new, at(6)).await.unwrap(), created);
        let other = NewAccount {
            name: "Bob".to_owned(),
            ..new
        };
        assert!(matches!(
            accounts.create(&other, at(6)).await,
            Err(Error::Conflict(_))
        ));
        let house = NewAccount {
            id: account("revenue"),
            ..other
        };
        assert!(matches!(
            accounts.create(&house, at(6)).await,
            Err(Error::Conflict(_))
        ));

        funded(&store, "b", 0).await;
        assert_eq!(accounts.find(&account("a")).await.unwrap(), Some(created));
        assert_eq!(accounts.find(&account("revenue")).await.unwrap(), None);
        let page = accounts.list(Some(&account("a")), 10).await.unwrap();
        assert_eq!(page.len(), 1);
        assert_eq!(accounts.list(None, 1).await.unwrap()[0].id, account("a"));
    });
}

#[test]
fn a_generation_is_seen_by_its_account_only() {
    on_each_backend(async |store| {
        let (a, b) = (funded(&store, "a", 100).await, funded(&store, "b", 0).await);
        store.ledger().post(&[charge(1, &a, 7)]).await.unwrap();
        let generations = store.generations();
        let found = generations.find(&a, &generation(1)).await.unwrap().unwrap();
        assert_eq!(found.usage, nano(7));
        assert_eq!(found.record, "{\"number\":1}");
        assert_eq!((found.tokens_prompt, found.tokens_completion), (10, 20));
        assert_eq!(generations.find(&b, &generation(1)).await.unwrap(), None);
        assert_eq!(generations.find(&a, &generation(2)).await.unwrap(), None);
    });
}

#[test]
fn settings_are_kept() {
    on_each_backend(async |store| {
        let settings = store.settings();
        assert_eq!(settings.get("k").await.unwrap(), None);
        assert_eq!(settings.put_if_absent("k", "1", at(1)).await.unwrap(), "1");
        assert_eq!(settings.put_if_absent("k", "2", at(2)).await.unwrap(), "1");
        settings.put("k", "3", at(3)).await.unwrap();
        assert_eq!(settings.get("k").await.unwrap().as_deref(), Some("3"));
        assert!(settings.remove("k").await.unwrap());
        assert!(!settings.remove("k").await.unwrap());
    });
}
