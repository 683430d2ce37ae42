use super::{Measurement, Report, Spread, Unit};
use crate::options::Gate;
use crate::target::TargetKind;

fn measured(scenario: &str, target: TargetKind, repetition: u32, cpu_us: f64) -> Measurement {
    let unit = if scenario.starts_with("events") {
        Unit::Event
    } else {
        Unit::Request
    };
    Measurement {
        scenario: scenario.into(),
        target,
        repetition,
        unit,
        seconds: 1.0,
        units: 1_000,
        target_util: Some(cpu_us / 1_000.0),
        ..Measurement::default()
    }
}

fn report(scenario: &str, pairs: &[(f64, f64)]) -> Report {
    let mut report = Report::default();
    for (repetition, (floor, ours)) in (1..).zip(pairs) {
        report
            .measurements
            .push(measured(scenario, TargetKind::Floor, repetition, *floor));
        report
            .measurements
            .push(measured(scenario, TargetKind::Interline, repetition, *ours));
    }
    report
}

#[test]
fn medians() {
    for (values, expected) in [
        (vec![], None),
        (vec![3.0], Some((3.0, 3.0, 3.0))),
        (vec![5.0, 1.0, 2.0], Some((2.0, 1.0, 5.0))),
        (vec![4.0, 1.0, 2.0, 3.0], Some((2.5, 1.0, 4.0))),
    ] {
        let found =
            Spread::of(values.clone()).map(|spread| (spread.median, spread.min, spread.max));
        assert_eq!(found, expected, "{values:?}");
    }
}

#[test]
fn ratios_pair_repetitions() {
    // The machine was twice as slow in the second repetition: the ratio does not care.
    let report = report("requests-1k", &[(20.0, 30.0), (40.0, 60.0), (20.0, 32.0)]);
    let ratio = report.cpu_ratio("requests-1k").unwrap();
    assert!(
        (ratio.median - 1.5).abs() < 1e-9 && (ratio.max - 1.6).abs() < 1e-9,
        "{ratio:?}"
    );
}

#[test]
fn gates() {
    for (scenario, floor, ours, first, goal) in [
        ("requests-1k", 20.0, 29.0, true, true),
        ("requests-1k", 20.0, 39.0, true, false),
        ("requests-20k", 20.0, 41.0, false, false),
        ("events-50k", 10.0, 10.9, true, true),
        ("events-10k", 10.0, 14.0, true, false),
    ] {
        let report = report(scenario, &[(floor, ours)]);
        let holds = [Gate::First, Gate::Goal].map(|gate| report.failures(gate).is_empty());
        assert_eq!(holds, [first, goal], "{scenario} {floor} {ours}");
    }
    let mut wrong = report("requests-1k", &[(20.0, 20.0)]);
    wrong.measurements[0].errors = 1;
    assert_eq!(wrong.failures(Gate::First).len(), 1);
}

#[test]
fn the_table_says_what_was_measured() {
    let mut report = report("events-10k", &[(10.0, 12.5)]);
    report.measurements[1].ext_util = Some(0.4);
    let table = report.table();
    assert!(
        table.contains("1.25") && table.contains("the machine was busy"),
        "{table}"
    );
    assert_eq!(report.json_lines().lines().count(), 2);
}
