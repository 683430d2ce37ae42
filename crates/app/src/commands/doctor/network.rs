//! Ports of ours, keys of providers, servers on this machine.

use super::Finding;
use crate::clock;
use crate::commands::listing::Offer;
use crate::commands::probe;
use crate::commands::style::count;
use crate::config::Config;
use crate::discovery;
use interline_domain::catalogue::{Auth, Dialect, Provider};
use interline_outbound::Client;
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// How long a provider has to list its models.
const DEADLINE: Duration = Duration::from_secs(3);
/// A clock that is further off than this breaks expiry, and signed requests one day.
const MOST_SKEW_SECONDS: i64 = 60;
const ANTHROPIC_VERSION: &str = "2023-06-01";

pub(super) async fn ports(config: &Config, is_running: bool, findings: &mut Vec<Finding>) {
    let server = &config.server;
    let of_api = port("API port", server.listen, is_running, "--listen").await;
    let operator = server.operator_listen;
    let of_operator = port(
        "operator port",
        operator,
        is_running,
        "server.operator_listen",
    )
    .await;
    findings.extend([of_api, of_operator]);
    if !operator.ip().is_loopback() {
        let seen = format!("{operator} can be reached from other machines and asks for no key");
        let fix = "set server.operator_listen to a loopback address, or guard it by a firewall";
        findings.push(Finding::warning("operator port", seen).fix(fix));
    }
}

async fn port(
    check: &'static str,
    address: SocketAddr,
    is_running: bool,
    setting: &str,
) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::good(check, format!("{address} is free")),
        Err(_) if is_running && probe::is_ours(address).await => Finding::good(
            check,
            format!("{address} is ours: the running server answers"),
        ),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let fix = format!("stop what listens there, or choose another address with {setting}");
            Finding::bad(check, format!("{address} is taken by another program")).fix(fix)
        }
        Err(error) => {
            let fix = format!("choose another address with {setting}");
            Finding::bad(check, format!("{address}: {error}")).fix(fix)
        }
    }
}

/// One cheap call with each key that was found, all at once.
pub(super) async fn provider_keys(offer: &Offer, is_offline: bool, findings: &mut Vec<Finding>) {
    const CHECK: &str = "provider key";
    let client = probe::client(DEADLINE);
    let mut asking = Vec::new();
    for provider in offer.catalogue().providers() {
        let Some(found) = offer.credentials.find(provider) else {
            continue;
        };
        let (slug, origin) = (provider.slug.clone(), found.origin);
        let credential = offer.credentials.bind(provider, &provider.base_url);
        if is_offline {
            findings.push(Finding::neutral(
                CHECK,
                format!("{slug} from {origin}: not called"),
            ));
        } else if let (Some(credential), false) = (credential, is_foreign(provider)) {
            let (client, provider) = (client.clone(), provider.clone());
            asking.push(tokio::spawn(async move {
                let answer = ask(&client, &provider, &credential).await;
                finding(&provider, &origin, answer)
            }));
        } else {
            let seen = format!("{slug} from {origin}: its sign-in is not spoken yet");
            findings.push(Finding::neutral(CHECK, seen));
        }
    }
    let is_none = asking.is_empty() && !findings.iter().any(|finding| finding.check == CHECK);
    for task in asking {
        if let Ok(found) = task.await {
            findings.extend(found);
        }
    }
    if is_none {
        let variables: BTreeSet<&str> = offer
            .catalogue()
            .providers()
            .iter()
            .filter_map(|provider| Some(provider.key_variables.first()?.as_str()))
            .collect();
        let seen = format!(
            "none is set (OPENAI_API_KEY, ANTHROPIC_API_KEY or another of {})",
            count(variables.len(), "variable")
        );
        findings.push(Finding::neutral(CHECK, seen));
    }
}

fn is_foreign(provider: &Provider) -> bool {
    matches!(provider.auth, Auth::Unsupported(_)) || provider.base_url.contains('{')
}

async fn ask(
    client: &Client,
    provider: &Provider,
    credential: &interline_outbound::Credential,
) -> Result<probe::Answer, String> {
    let headers: &[_] = match provider.dialect {
        Dialect::AnthropicMessages => &[("anthropic-version", ANTHROPIC_VERSION.to_owned())],
        _ => &[],
    };
    let url = format!("{}/models", provider.base_url.trim_end_matches('/'));
    probe::get(client, &url, headers, Some(credential), DEADLINE).await
}

fn finding(
    provider: &Provider,
    origin: &str,
    answer: Result<probe::Answer, String>,
) -> Vec<Finding> {
    const CHECK: &str = "provider key";
    let slug = &provider.slug;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let fix = format!(
                "can this machine reach {}? (--offline leaves this out)",
                provider.base_url
            );
            return vec![Finding::bad(CHECK, format!("{slug} from {origin}: {error}")).fix(fix)];
        }
    };
    let status = answer.status.as_u16();
    let found = match status {
        200..=299 => Finding::good(CHECK, format!("{slug} from {origin}: accepted")),
        401 | 403 => {
            let fix = format!("renew it at the provider, or unset {origin}");
            Finding::bad(CHECK, format!("{slug} from {origin}: refused ({status})")).fix(fix)
        }
        429 => Finding::warning(
            CHECK,
            format!("{slug} from {origin}: over its rate limit (429)"),
        ),
        500..=599 => {
            let seen = format!("{slug} from {origin}: the provider has trouble ({status})");
            Finding::warning(CHECK, seen)
        }
        _ => {
            let seen =
                format!("{slug} from {origin}: it lists no models ({status}), so not checked");
            Finding::neutral(CHECK, seen)
        }
    };
    std::iter::once(found).chain(skew(slug, &answer)).collect()
}

/// Compares our clock with the `Date` of an answer.
fn skew(slug: &str, answer: &probe::Answer) -> Option<Finding> {
    let date = answer.headers.get(http::header::DATE)?.to_str().ok()?;
    let theirs = jiff::fmt::rfc2822::parse(date)
        .ok()?
        .timestamp()
        .as_second();
    let seconds = clock::now().seconds().saturating_sub(theirs);
    (seconds.saturating_abs() > MOST_SKEW_SECONDS).then(|| {
        let seen = format!("{seconds} s ahead of {slug}'s");
        Finding::warning("clock", seen).fix("set the clock, best by NTP")
    })
}

pub(super) fn local_servers(offer: &Offer, is_looked_for: bool, findings: &mut Vec<Finding>) {
    const CHECK: &str = "local server";
    if !is_looked_for {
        findings.push(Finding::neutral(
            CHECK,
            "not looked for (server.discovery, server.mode)",
        ));
        return;
    }
    let catalogue = offer.catalogue();
    let mut missed = Vec::new();
    for (slug, name) in discovery::looked_for() {
        let running = catalogue
            .find_provider(slug)
            .filter(|_| offer.local.iter().any(|local| local == slug))
            .and_then(|index| Some((index, catalogue.providers().get(index)?)));
        let Some((index, provider)) = running else {
            missed.push(name);
            continue;
        };
        let models = catalogue
            .endpoints()
            .iter()
            .filter(|one| one.provider == index)
            .count();
        let seen = format!(
            "{name} at {}: {}",
            provider.base_url,
            count(models, "model")
        );
        findings.push(Finding::good(CHECK, seen));
    }
    if !missed.is_empty() {
        findings.push(Finding::neutral(
            CHECK,
            format!("not running: {}", missed.join(", ")),
        ));
    }
}
