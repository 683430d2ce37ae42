//! How the process ends: a few codes that mean something.

use anyhow::{Error, Result};
use std::fmt;
use std::process::ExitCode;

/// What an exit code says. 130 (interrupted) is the shell's word for a process that a signal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Configuration = 3,
    /// Not found, or in conflict with what is there.
    NotFound = 5,
    /// Unavailable or timed out: the same command may work later.
    Unavailable = 6,
    Interrupted = 130,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// An error that knows its exit code. Reads like the error itself.
#[derive(Debug)]
struct Coded {
    code: Code,
    error: Error,
}

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Coded {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// Says with which code a failure ends the process.
pub(crate) trait WithCode<T> {
    fn code(self, code: Code) -> Result<T>;
}

impl<T, E: Into<Error>> WithCode<T> for Result<T, E> {
    fn code(self, code: Code) -> Result<T> {
        self.map_err(|error| coded(code, error.into()))
    }
}

/// An error with its code.
pub(crate) fn coded(code: Code, error: impl Into<Error>) -> Error {
    Error::new(Coded {
        code,
        error: error.into(),
    })
}

/// An error in words, with its code.
pub(crate) fn failure(code: Code, message: impl Into<String>) -> Error {
    coded(code, Error::msg(message.into()))
}

/// The code of an error: what was said explicitly, else what its causes tell.
pub(crate) fn code_of(error: &Error) -> Code {
    error
        .chain()
        .find_map(code_of_cause)
        .unwrap_or(Code::Failed)
}

fn code_of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Code> {
    use interline_store::Error as Store;
    if let Some(coded) = cause.downcast_ref::<Coded>() {
        return Some(coded.code);
    }
    if let Some(store) = cause.downcast_ref::<Store>() {
        return match store {
            Store::Conflict(_) | Store::UnknownAccount(_) => Some(Code::NotFound),
            Store::BadAmount(_) => Some(Code::Usage),
            Store::BadAddress(_) => Some(Code::Configuration),
            away if away.is_away() => Some(Code::Unavailable),
            _ => None,
        };
    }
    if let Some(interline_spool::Error::Locked(_)) = cause.downcast_ref() {
        return Some(Code::NotFound);
    }
    let io = cause.downcast_ref::<std::io::Error>()?;
    (io.kind() == std::io::ErrorKind::AddrInUse).then_some(Code::Unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn the_cause_decides_unless_told_otherwise() {
        let check = |error: Error, expected: Code| assert_eq!(code_of(&error), expected, "{error}");
        let unknown = || Error::new(interline_store::Error::UnknownAccount("acct_x".into()));
        check(unknown(), Code::NotFound);
        check(unknown().context("more words"), Code::NotFound);
        check(coded(Code::Usage, unknown()), Code::Usage);
        check(
            failure(Code::Configuration, "no").context("outside"),
            Code::Configuration,
        );
        check(Error::msg("something"), Code::Failed);
    }

    #[test]
    fn a_code_changes_no_word() {
        let plain = || Err::<(), _>(Error::msg("inner")).context("outer");
        let told = plain().code(Code::Usage).unwrap_err();
        assert_eq!(format!("{told:#}"), format!("{:#}", plain().unwrap_err()));
    }
}
