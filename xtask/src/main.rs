//! `cargo xtask tidy`: the arrows between our crates, and who may use what from outside.
//!
//! The table is the architecture: a new arrow is a line here, visible in review.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

/// Which of our crates a crate may use (tests apart).
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("wire", &["domain"]),
    ("providers", &["domain", "wire"]),
    ("spool", &[]),
    ("wallet", &["domain"]),
    ("outbound", &["domain"]),
    ("store", &["domain"]),
    (
        "gateway",
        &[
            "domain",
            "wire",
            "providers",
            "spool",
            "wallet",
            "outbound",
            "store",
        ],
    ),
    (
        "server",
        &["domain", "wire", "providers", "gateway", "store"],
    ),
    ("sim", &[]),
    ("bench", &["sim"]),
];

/// Crates from outside that only some of ours may name.
const RESERVED: &[(&str, &[&str])] = &[
    ("axum", &["server"]),
    ("sea-orm", &["store"]),
    ("sea-orm-migration", &["store"]),
    ("sqlx", &["store"]),
    ("hyper-rustls", &["outbound"]),
    ("reqwest", &[]),
    ("openssl", &[]),
    ("native-tls", &[]),
    // Pure crates: no runtime, no clock, no dice.
    (
        "tokio",
        &[
            "spool",
            "outbound",
            "store",
            "gateway",
            "server",
            "sim",
            "bench",
            "interline",
        ],
    ),
];

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => tidy(),
        _ => bail!("usage: cargo xtask tidy"),
    }
}

fn tidy() -> Result<()> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .output()
        .context("cargo metadata does not run")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let mut complaints = Vec::new();
    let mut seen = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let ours = name.strip_prefix("interline-").unwrap_or(name);
        let used: Vec<&str> = package["dependencies"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|dependency| dependency["kind"].is_null())
            .filter_map(|dependency| dependency["name"].as_str())
            .collect();
        check_arrows(ours, &used, &mut complaints);
        check_reserved(ours, &used, &mut complaints);
        seen.insert(ours.to_owned(), used.len());
    }
    for (name, _) in ARROWS {
        if !seen.contains_key(*name) {
            complaints.push(format!("the table names `{name}`, which does not exist"));
        }
    }
    if complaints.is_empty() {
        eprintln!("tidy: {} crates, every arrow allowed", seen.len());
        return Ok(());
    }
    bail!("{}", complaints.join("\n"))
}

fn check_arrows(name: &str, used: &[&str], complaints: &mut Vec<String>) {
    let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
        // The binary wires everything; automation is no part of the product.
        if !matches!(name, "interline" | "xtask") {
            complaints.push(format!(
                "crate `{name}` is missing from the table of arrows"
            ));
        }
        return;
    };
    for other in used
        .iter()
        .filter_map(|used| used.strip_prefix("interline-"))
    {
        if !allowed.contains(&other) {
            complaints.push(format!("`{name}` must not use `{other}`"));
        }
    }
}

fn check_reserved(name: &str, used: &[&str], complaints: &mut Vec<String>) {
    for (outside, allowed) in RESERVED {
        if used.contains(outside) && !allowed.contains(&name) {
            complaints.push(format!("`{name}` must not name `{outside}`"));
        }
    }
}
