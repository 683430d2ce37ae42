use super::*;
use proptest::prelude::*;

#[test]
fn prices_are_read_exactly() {
    let check = |text: &str, pico: i64, rounded: bool| {
        assert_eq!(Price::parse(text), Ok((Price(pico), rounded)), "{text}");
    };
    check("0.000001", 1_000_000, false);
    check("0", 0, false);
    check("1e-6", 1_000_000, false);
    check("2.5E-7", 250_000, false);
    check(".5", 500_000_000_000, false);
    check("0.0000000000001", 1, true);
    check("0.00000000000000000000000000000", 0, false);
}

#[test]
fn what_is_no_price_is_refused() {
    for text in [
        "",
        ".",
        "1,5",
        "0x1",
        "--1",
        "NaN",
        "1e",
        "1e999",
        "9999999999",
    ] {
        assert!(Price::parse(text).is_err(), "{text}");
    }
    assert_eq!(Price::parse("-1"), Err(ParseDecimalError::Negative));
    assert_eq!(
        Price::parse_listed("-1"),
        Ok(None),
        "a negative list price means unknown"
    );
}

#[test]
fn money_prints_as_dollars() {
    assert_eq!(Money::from_dollars(25).to_string(), "$25.00");
    assert_eq!(Money::from_nano(-12_000).to_string(), "-$0.000012");
    assert_eq!(Money::from_nano(500_000_000).to_string(), "$0.50");
    assert_eq!(Money::from_nano(1).to_decimal(), "0.000000001");
}

#[test]
fn shares_round_up() {
    assert_eq!(Money::from_nano(1).share_ppm(55_000), Money::from_nano(1));
    assert_eq!(
        Money::from_dollars(100).share_ppm(55_000),
        Money::parse("5.5").unwrap()
    );
}

proptest! {
    #[test]
    fn decimals_round_trip(nano in any::<i64>().prop_filter("abs", |n| *n != i64::MIN)) {
        let money = Money::from_nano(nano);
        prop_assert_eq!(Money::parse(&money.to_decimal()), Ok(money));
    }

    #[test]
    fn any_text_is_answered(text in "\\PC{0,24}") {
        let _ = Price::parse(&text);
        let _ = Money::parse(&text);
    }
}
