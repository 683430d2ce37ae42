//! The table for people: medians, their range, and the ratio to the floor.

use super::{Figure, Report, Spread};
use crate::target::TargetKind;
use std::fmt::Write as _;

const WIDTHS: [usize; 5] = [32, 24, 24, 24, 20];

pub(super) fn render(report: &Report) -> String {
    let mut table = String::new();
    line(
        &mut table,
        &[
            "median (min-max)",
            "direct",
            "floor",
            "interline",
            "interline / floor",
        ],
    );
    line(
        &mut table,
        &[
            "-".repeat(WIDTHS[0]).as_str(),
            "------",
            "-----",
            "---------",
            "-----------------",
        ],
    );
    for scenario in report.scenarios() {
        for (figure, label, is_ratio) in figures(scenario) {
            row(&mut table, report, scenario, *figure, label, *is_ratio);
        }
    }
    for warning in report.warnings() {
        let _ = writeln!(table, "! {warning}");
    }
    table
}

/// Figure, label, and whether it is divided by the floor's (or compared with direct).
fn figures(scenario: &str) -> &'static [(Figure, &'static str, bool)] {
    match scenario.split('-').next() {
        Some("requests") => &[
            (Figure::CpuUs, "CPU us/request", true),
            (Figure::PerSecond, "requests/s", false),
        ],
        Some("events") => &[
            (Figure::CpuUs, "CPU us/event", true),
            (Figure::PerSecond, "events/s", false),
        ],
        Some("latency") => &[
            (Figure::LatencyP50, "p50 us", false),
            (Figure::LatencyP99, "p99 us", false),
        ],
        Some("first") => &[
            (Figure::FirstP50, "p50 us", false),
            (Figure::FirstP99, "p99 us", false),
        ],
        Some("memory") => &[(Figure::KibPerStream, "KiB/stream", true)],
        _ => &[],
    }
}

fn row(
    table: &mut String,
    report: &Report,
    scenario: &str,
    figure: Figure,
    label: &str,
    is_ratio: bool,
) {
    let cell = |target| match report.spread(scenario, target, figure) {
        Some(spread) => spread_text(spread),
        None => "-".to_owned(),
    };
    let ratio = match report.ratio(scenario, figure).filter(|_| is_ratio) {
        Some(ratio) => format!("{:.2} ({:.2}-{:.2})", ratio.median, ratio.min, ratio.max),
        None => String::new(),
    };
    let name = format!("{scenario} {label}");
    let [direct, floor, ours] = TargetKind::ALL.map(cell);
    line(table, &[&name, &direct, &floor, &ours, &ratio]);
    if matches!(
        figure,
        Figure::LatencyP50 | Figure::LatencyP99 | Figure::FirstP50 | Figure::FirstP99
    ) {
        let added = |target| {
            let added = report.against(
                scenario,
                target,
                TargetKind::Direct,
                figure,
                |ours, direct| ours - direct,
            );
            added.map_or_else(
                || "-".to_owned(),
                |added| format!("+{}", spread_text(added)),
            )
        };
        line(
            table,
            &[
                "  added to direct",
                "",
                &added(TargetKind::Floor),
                &added(TargetKind::Interline),
                "",
            ],
        );
    }
}

fn spread_text(spread: Spread) -> String {
    let text = |value: f64| {
        if value.abs() >= 1_000.0 {
            format!("{value:.0}")
        } else {
            format!("{value:.1}")
        }
    };
    if (spread.max - spread.min).abs() < f64::EPSILON {
        text(spread.median)
    } else {
        format!(
            "{} ({}-{})",
            text(spread.median),
            text(spread.min),
            text(spread.max)
        )
    }
}

fn line(table: &mut String, cells: &[&str; 5]) {
    for (cell, width) in cells.iter().zip(WIDTHS) {
        let _ = write!(table, "{cell:<width$} ");
    }
    let kept = table.trim_end().len();
    table.truncate(kept);
    table.push('\n');
}
