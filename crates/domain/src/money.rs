//! Amounts and rates. `Money` is nano-dollars, `Price` pico-dollars per unit; both exact.
//!
//! A price comes from a decimal string and never from a float. Multiplication happens only in
//! [`crate::pricing`], in `i128`, rounded once, up, to a nano-dollar.

use core::fmt;
use core::str::FromStr;

/// Nano-dollars in a dollar.
const NANO_PER_DOLLAR: i64 = 1_000_000_000;
/// Pico-dollars in a dollar.
const PICO_PER_DOLLAR: i64 = 1_000_000_000_000;

/// An amount of money in nano-dollars. An `i64` holds plus or minus 9.2 billion dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i64);

/// A rate in pico-dollars per unit. Which unit is said by the field that holds it
/// ([`crate::catalogue::Prices`]): token, image, request or search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(i64);

/// Why a decimal string is not an amount or a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseDecimalError {
    /// Not of the form `[-]digits[.digits][e[+-]digits]`.
    Malformed,
    /// A price below zero. (`-1` in public lists means "unknown": see [`Price::parse_listed`].)
    Negative,
    /// More than the type can hold.
    TooLarge,
}

impl fmt::Display for ParseDecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a decimal number such as \"0.000001\"",
            Self::Negative => "below zero",
            Self::TooLarge => "too large",
        })
    }
}

impl core::error::Error for ParseDecimalError {}

impl Money {
    pub const ZERO: Self = Self(0);
    pub const MAX: Self = Self(i64::MAX);

    pub const fn from_nano(nano: i64) -> Self {
        Self(nano)
    }

    pub const fn nano(self) -> i64 {
        self.0
    }

    /// Whole dollars, for constants.
    pub const fn from_dollars(dollars: i64) -> Self {
        Self(dollars.saturating_mul(NANO_PER_DOLLAR))
    }

    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(nano) => Some(Self(nano)),
            None => None,
        }
    }

    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(nano) => Some(Self(nano)),
            None => None,
        }
    }

    /// Adds, stopping at the ends of the range rather than wrapping.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Subtracts, stopping at the ends of the range rather than wrapping.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// A share in parts per million, rounded up: fees and lease sizes.
    pub fn share_ppm(self, ppm: u32) -> Self {
        let product = i128::from(self.0) * i128::from(ppm);
        Self::from_i128(ceil_div(product, 1_000_000))
    }

    pub(crate) fn from_i128(nano: i128) -> Self {
        Self(i64::try_from(nano).unwrap_or(if nano < 0 { i64::MIN } else { i64::MAX }))
    }

    /// Dollars as JSON clients expect them in `usage.cost`: the shortest decimal, no exponent.
    pub fn to_decimal(self) -> String {
        decimal(self.0, 9)
    }

    /// Reads dollars; finer than a nano-dollar is rounded up.
    pub fn parse(text: &str) -> Result<Self, ParseDecimalError> {
        let (value, _) = parse_scaled(text, 9)?;
        Ok(Self(value))
    }
}

impl Price {
    pub const ZERO: Self = Self(0);

    pub const fn from_pico(pico: i64) -> Self {
        Self(pico)
    }

    pub const fn pico(self) -> i64 {
        self.0
    }

    /// Dollars per million units, as `provider.max_price` states limits.
    pub const fn from_dollars_per_million(dollars: i64) -> Self {
        Self(dollars.saturating_mul(PICO_PER_DOLLAR / 1_000_000))
    }

    /// Reads dollars per unit. The flag says that the string was finer than a pico-dollar and was
    /// rounded up.
    pub fn parse(text: &str) -> Result<(Self, bool), ParseDecimalError> {
        let (value, rounded) = parse_scaled(text, 12)?;
        if value < 0 {
            return Err(ParseDecimalError::Negative);
        }
        Ok((Self(value), rounded))
    }

    /// As [`Self::parse`], for public price lists, where any negative number means "unknown".
    pub fn parse_listed(text: &str) -> Result<Option<(Self, bool)>, ParseDecimalError> {
        match Self::parse(text) {
            Ok(found) => Ok(Some(found)),
            Err(ParseDecimalError::Negative) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Dollars per unit, the shortest decimal string.
    pub fn to_decimal(self) -> String {
        decimal(self.0, 12)
    }
}

impl FromStr for Money {
    type Err = ParseDecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Money {
    /// Dollars with a sign and at least two decimals: `$25.00`, `-$0.000012`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = decimal(self.0, 9);
        let (sign, digits) = text
            .strip_prefix('-')
            .map_or(("", text.as_str()), |rest| ("-", rest));
        let decimals = digits
            .split_once('.')
            .map_or(0, |(_, fraction)| fraction.len());
        write!(f, "{sign}${digits}")?;
        match decimals {
            0 => f.write_str(".00"),
            1 => f.write_str("0"),
            _ => Ok(()),
        }
    }
}

/// Rounds towards positive infinity. `divisor` must be positive.
pub(crate) const fn ceil_div(value: i128, divisor: i128) -> i128 {
    let quotient = value.div_euclid(divisor);
    if value.rem_euclid(divisor) == 0 {
        quotient
    } else {
        quotient + 1
    }
}

fn decimal(value: i64, scale: usize) -> String {
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let fraction = fraction.trim_end_matches('0');
    let sign = if value < 0 { "-" } else { "" };
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

/// Reads a decimal string as an integer scaled by `10^scale`, rounding up what is finer.
fn parse_scaled(text: &str, scale: i32) -> Result<(i64, bool), ParseDecimalError> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            exponent
                .parse::<i32>()
                .map_err(|_| ParseDecimalError::Malformed)?,
        ),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let well_formed = !(whole.is_empty() && fraction.is_empty())
        && whole
            .bytes()
            .chain(fraction.bytes())
            .all(|byte| byte.is_ascii_digit());
    if !well_formed || exponent.abs() > 64 || mantissa.len() > 64 {
        return Err(ParseDecimalError::Malformed);
    }
    let fraction_digits =
        i32::try_from(fraction.len()).map_err(|_| ParseDecimalError::Malformed)?;
    // value = digits * 10^(exponent - fraction_digits); wanted: value * 10^scale
    let shift = scale + exponent - fraction_digits;
    let mut value: i128 = 0;
    let mut lost = false;
    let mut digits: Vec<u8> = whole
        .bytes()
        .chain(fraction.bytes())
        .map(|b| b - b'0')
        .collect();
    if shift < 0 {
        let keep = digits
            .len()
            .saturating_sub(usize::try_from(-shift).unwrap_or(usize::MAX));
        lost = digits
            .get(keep..)
            .is_some_and(|tail| tail.iter().any(|digit| *digit != 0));
        digits.truncate(keep);
    } else {
        digits.extend(core::iter::repeat_n(0, usize::try_from(shift).unwrap_or(0)));
    }
    for digit in digits {
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(i128::from(digit)))
            .ok_or(ParseDecimalError::TooLarge)?;
    }
    if negative {
        value = -value;
    } else if lost {
        value += 1;
    }
    let value = i64::try_from(value).map_err(|_| ParseDecimalError::TooLarge)?;
    Ok((value, lost))
}

#[cfg(test)]
mod tests;
