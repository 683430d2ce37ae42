//! Typed, time-ordered identifiers. They are made at the edge from a clock and random bytes and
//! parsed strictly; no two kinds can be mixed up.

use crate::time::Timestamp;
use core::fmt;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Twenty alphanumerics drawn from sixteen random bytes.
fn suffix(random: u128) -> String {
    let mut rest = random;
    (0..20)
        .map(|_| {
            let index = usize::try_from(rest % 62).unwrap_or(0);
            rest /= 62;
            char::from(ALPHABET[index])
        })
        .collect()
}

fn is_timed(text: &str, prefix: &str) -> bool {
    let Some((seconds, tail)) = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.split_once('-'))
    else {
        return false;
    };
    (1..=12).contains(&seconds.len())
        && seconds.bytes().all(|byte| byte.is_ascii_digit())
        && tail.len() == 20
        && tail.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

macro_rules! timed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Makes an id from the time and 128 random bits.
            pub fn new(now: Timestamp, random: u128) -> Self {
                Self(format!(concat!($prefix, "{}-{}"), now.seconds(), suffix(random)))
            }

            /// Accepts only what [`Self::new`] can make.
            pub fn parse(text: &str) -> Option<Self> {
                is_timed(text, $prefix).then(|| Self(text.to_owned()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

macro_rules! kind_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Makes an id from the time and 128 random bits.
            pub fn new(now: Timestamp, random: u128) -> Self {
                Self(format!(concat!($prefix, "{:010x}{}"), now.seconds(), suffix(random)))
            }

            /// Accepts the prefix and up to 64 alphanumerics, `_` or `-`.
            pub fn parse(text: &str) -> Option<Self> {
                let tail = text.strip_prefix($prefix)?;
                let fits = (1..=64).contains(&tail.len())
                    && tail.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
                fits.then(|| Self(text.to_owned()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

timed_id!(
    /// One client request, `gen-<unix seconds>-<20 alphanumerics>`. It is the idempotency key of
    /// its hold, posting and refund.
    GenerationId, "gen-"
);
timed_id!(
    /// Groups all generations of one API request, `req-<unix seconds>-<20 alphanumerics>`.
    RequestId, "req-"
);
kind_id!(
    /// Owner of credit and keys, `acct_…`.
    AccountId, "acct_"
);
kind_id!(
    /// A person, `user_…`.
    UserId, "user_"
);
kind_id!(
    /// A process with a spool directory of its own, `node_…`.
    NodeId, "node_"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generation_ids_have_the_public_form() {
        let id = GenerationId::new(Timestamp::from_seconds(1_750_000_000), u128::MAX);
        assert!(id.as_str().starts_with("gen-1750000000-"));
        assert_eq!(GenerationId::parse(id.as_str()), Some(id));
    }

    #[test]
    fn other_kinds_are_refused() {
        for text in [
            "",
            "gen-",
            "gen-1-",
            "req-1-aaaaaaaaaaaaaaaaaaaa",
            "gen-1-aaaaaaaaaaaaaaaaaaa!",
        ] {
            assert_eq!(GenerationId::parse(text), None, "{text}");
        }
        assert_eq!(AccountId::parse("acct_"), None);
        assert!(AccountId::parse("acct_owner").is_some());
    }
}
