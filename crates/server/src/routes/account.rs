//! `GET /key` and `GET /credits`: what the caller's key may spend, what its account has.

use super::Site;
use crate::auth;
use crate::cached::private_json;
use crate::error::ApiError;
use crate::json::{Dollars, time_text};
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use interline_domain::Money;
use interline_store::{Balance, Key, KeyKind};
use serde_derive::Serialize;

#[derive(Serialize)]
struct Data<T> {
    data: T,
}

/// The caller's own key. Never the secret, nor its digest.
#[expect(clippy::struct_excessive_bools, reason = "the shape is given")]
#[derive(Serialize)]
struct CurrentKey<'a> {
    label: &'a str,
    limit: Option<Dollars>,
    limit_remaining: Option<Dollars>,
    limit_reset: Option<&'static str>,
    include_byok_in_limit: bool,
    usage: Dollars,
    usage_daily: Dollars,
    usage_weekly: Dollars,
    usage_monthly: Dollars,
    byok_usage: Dollars,
    byok_usage_daily: Dollars,
    byok_usage_weekly: Dollars,
    byok_usage_monthly: Dollars,
    is_free_tier: bool,
    is_management_key: bool,
    /// The old word for the same.
    is_provisioning_key: bool,
    creator_user_id: Option<&'a str>,
    expires_at: Option<String>,
    rate_limit: RateLimit,
}

/// Deprecated; clients still require it.
#[derive(Serialize)]
struct RateLimit {
    requests: i64,
    interval: &'static str,
    note: &'static str,
}

#[derive(Serialize)]
struct Credits {
    total_credits: Dollars,
    total_usage: Dollars,
}

/// Show the caller's key.
pub(crate) async fn show_key(
    State(site): State<Site>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let caller = auth::caller(&site.app, &headers).await?;
    let (store, account) = (&site.app.store, &caller.account_id);
    let now = site.app.gateway.now();
    let key = store
        .keys()
        .find_by_hash(account, &caller.key_hash, now)
        .await?;
    // Deleted between the two look-ups.
    let key = key.ok_or(interline_gateway::keys::KeyError::Unknown)?;
    let balance = store.ledger().balance(account).await?;
    let has_paid = balance.is_some_and(|balance| balance.credited > Money::ZERO);
    Ok(private_json(&Data {
        data: CurrentKey::new(&key, !has_paid),
    }))
}

/// Show the account's credit.
pub(crate) async fn show_credits(
    State(site): State<Site>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let caller = auth::caller(&site.app, &headers).await?;
    if !caller.is_management() {
        let message = "Only management keys can perform this operation";
        return Err(ApiError::forbidden(message).of(caller.account_id.as_str()));
    }
    let balance = site.app.store.ledger().balance(&caller.account_id).await?;
    Ok(private_json(&Data {
        data: Credits::new(balance.as_ref()),
    }))
}

impl<'a> CurrentKey<'a> {
    fn new(key: &'a Key, is_free_tier: bool) -> Self {
        let is_management = key.kind == KeyKind::Management;
        let usage = &key.usage;
        Self {
            label: &key.label,
            limit: key.limit.map(Dollars),
            limit_remaining: key.limit_remaining().map(Dollars),
            limit_reset: key.limit_reset.map(interline_store::LimitReset::as_str),
            include_byok_in_limit: key.include_byok_in_limit,
            usage: Dollars(usage.total),
            usage_daily: Dollars(usage.daily),
            usage_weekly: Dollars(usage.weekly),
            usage_monthly: Dollars(usage.monthly),
            byok_usage: Dollars(usage.byok_total),
            byok_usage_daily: Dollars(usage.byok_daily),
            byok_usage_weekly: Dollars(usage.byok_weekly),
            byok_usage_monthly: Dollars(usage.byok_monthly),
            is_free_tier,
            is_management_key: is_management,
            is_provisioning_key: is_management,
            creator_user_id: key.creator_user_id.as_deref(),
            expires_at: key.expires_at.map(time_text),
            rate_limit: RateLimit {
                requests: -1,
                interval: "10s",
                note: "This field is deprecated and safe to ignore.",
            },
        }
    }
}

impl Credits {
    fn new(balance: Option<&Balance>) -> Self {
        let (credited, used) = balance.map_or((Money::ZERO, Money::ZERO), |b| (b.credited, b.used));
        Self {
            total_credits: Dollars(credited),
            total_usage: Dollars(used),
        }
    }
}

#[cfg(test)]
mod tests;
