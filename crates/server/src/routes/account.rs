//! `GET /key` and `GET /credits`: what the caller's key may spend, what its account has.

use super::Site;
use crate::auth;
use crate::cached::private_json;
use crate::error::ApiError;
use crate::json::{Dollars, time_text};
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use interline_domain::{Money, Timestamp};
use interline_store::{Balance, Key, KeyKind, LimitReset};
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
    budgets: Vec<Budget>,
    /// The one that blocks first.
    effective_budget: Option<Budget>,
    /// No key is bound to a region.
    allowed_data_regions: [&'static str; 1],
    free_model_daily_requests: FreeRequests,
    /// There are no organizations and no workspaces yet.
    organization_id: Option<()>,
    workspace_id: Option<()>,
}

/// One layer of limits. Only keys have one.
#[derive(Clone, Serialize)]
struct Budget {
    scope: &'static str,
    budget_id: Option<()>,
    guardrail_id: Option<()>,
    limit_usd: Dollars,
    spend_usd: Dollars,
    remaining_usd: Dollars,
    include_byok: bool,
    reset_interval: Option<&'static str>,
    resets_at: Option<String>,
}

impl Budget {
    fn of_key(key: &Key, now: Timestamp) -> Option<Self> {
        Some(Self {
            scope: "key_limit",
            budget_id: None,
            guardrail_id: None,
            limit_usd: Dollars(key.limit?),
            spend_usd: Dollars(key.used_of_limit()),
            remaining_usd: Dollars(key.limit_remaining()?),
            include_byok: key.include_byok_in_limit,
            reset_interval: key.limit_reset.map(LimitReset::as_str),
            resets_at: key
                .limit_reset
                .and_then(|reset| next_reset(reset, now))
                .map(time_text),
        })
    }
}

/// When the current day, week (from Monday) or month ends, UTC.
fn next_reset(reset: LimitReset, now: Timestamp) -> Option<Timestamp> {
    let now = jiff::Timestamp::from_second(now.seconds()).ok()?;
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let next = match reset {
        LimitReset::Daily => today.tomorrow(),
        LimitReset::Weekly => today.nth_weekday(1, jiff::civil::Weekday::Monday),
        LimitReset::Monthly => today.last_of_month().tomorrow(),
    };
    let midnight = next.ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp::from_seconds(midnight.timestamp().as_second()))
}

/// Calls of `:free` models in a day. Nothing limits or counts them: -1, as in [`RateLimit`].
#[derive(Serialize)]
struct FreeRequests {
    limit: i64,
    used: i64,
    remaining: i64,
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
        data: CurrentKey::new(&key, !has_paid, now),
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
    fn new(key: &'a Key, is_free_tier: bool, now: Timestamp) -> Self {
        let budget = Budget::of_key(key, now);
        let is_management = key.kind == KeyKind::Management;
        let usage = &key.usage;
        Self {
            label: &key.label,
            limit: key.limit.map(Dollars),
            limit_remaining: key.limit_remaining().map(Dollars),
            limit_reset: key.limit_reset.map(LimitReset::as_str),
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
            budgets: budget.iter().cloned().collect(),
            effective_budget: budget,
            allowed_data_regions: ["global"],
            free_model_daily_requests: FreeRequests {
                limit: -1,
                used: 0,
                remaining: -1,
            },
            organization_id: None,
            workspace_id: None,
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
