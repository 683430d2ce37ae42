//! Numbers on their way into JSON without passing through a float.

use interline_domain::{Money, Timestamp};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

/// JSON that is written as it stands.
pub(crate) type Raw = Box<RawValue>;

/// An amount in dollars, as an exact JSON number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dollars(pub(crate) Money);

impl Serialize for Dollars {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = RawValue::from_string(self.0.to_decimal()).map_err(S::Error::custom)?;
        number.serialize(serializer)
    }
}

/// A number that was kept as text. `None` if it is not one.
pub(crate) fn raw_number(text: &str) -> Option<Raw> {
    serde_json::from_str::<serde_json::Number>(text).ok()?;
    RawValue::from_string(text.trim().to_owned()).ok()
}

/// RFC 3339 in UTC. An instant no calendar has is shown as the epoch.
pub(crate) fn time_text(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.micros())
        .unwrap_or_default()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_numbers() {
        for (nano, expected) in [
            (0, "0"),
            (1, "0.000000001"),
            (-25_000_000_000, "-25"),
            (i64::MAX, "9223372036.854775807"),
        ] {
            let text = serde_json::to_string(&Dollars(Money::from_nano(nano))).unwrap();
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn only_numbers_are_numbers() {
        for (text, expected) in [
            ("0.30", Some("0.30")),
            ("20", Some("20")),
            ("x", None),
            ("\"1\"", None),
        ] {
            assert_eq!(
                raw_number(text).map(|raw| raw.get().to_owned()).as_deref(),
                expected
            );
        }
    }

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(
            time_text(Timestamp::from_micros(1_721_086_399_433_273)),
            "2024-07-15T23:33:19.433273Z"
        );
    }
}
