//! Running SQL text. The same text goes to both databases, so this is all there is between a
//! handle and a connection.

use crate::Error;
use interline_domain::id::AccountId;
use interline_domain::{Money, Timestamp};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, TryGetable, Value};
use std::fmt::Write as _;

/// Rows of multi-row statements are sent in these numbers, largest first: few different texts, so
/// that each is prepared once per connection, and far below the parameter limits (32,766 on
/// SQLite, 65,535 on PostgreSQL).
const CHUNKS: [usize; 5] = [500, 128, 32, 8, 1];

/// Runs a statement that answers no rows; how many it touched.
pub(crate) async fn execute(
    db: &impl ConnectionTrait,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<u64, Error> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    Ok(db.execute_raw(statement).await?.rows_affected())
}

/// Runs a statement that answers at most one row of interest.
pub(crate) async fn one(
    db: &impl ConnectionTrait,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<QueryResult>, Error> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    Ok(db.query_one_raw(statement).await?)
}

/// Runs a statement that answers rows. The text bounds their number.
pub(crate) async fn all(
    db: &impl ConnectionTrait,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, Error> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    Ok(db.query_all_raw(statement).await?)
}

/// A column by position.
pub(crate) fn get<T: TryGetable>(row: &QueryResult, column: usize) -> Result<T, Error> {
    Ok(row.try_get_by_index(column)?)
}

pub(crate) fn money(row: &QueryResult, column: usize) -> Result<Money, Error> {
    get(row, column).map(Money::from_nano)
}

pub(crate) fn timestamp(row: &QueryResult, column: usize) -> Result<Timestamp, Error> {
    get(row, column).map(Timestamp::from_micros)
}

pub(crate) fn account_id(row: &QueryResult, column: usize) -> Result<AccountId, Error> {
    let text: String = get(row, column)?;
    AccountId::parse(&text).ok_or_else(|| Error::Corrupt(format!("account `{text}`")))
}

/// Cuts rows into pieces of few different sizes.
pub(crate) fn chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = CHUNKS.into_iter().find(|size| *size <= rows.len())?;
        let (chunk, rest) = rows.split_at_checked(size)?;
        rows = rest;
        Some(chunk)
    })
}

/// `($1, $2), ($3, $4)`: so many rows of such columns, each a text in which `?` stands for the next
/// parameter. Parameters are counted from one, so a statement has one such list and no other
/// parameters.
pub(crate) fn rows(backend: DbBackend, count: usize, columns: &[&str]) -> String {
    let is_numbered = is_numbered(backend);
    let mut sql = String::with_capacity(count * columns.len() * 7);
    let mut next = 1;
    for row in 0..count {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                sql.push_str(", ");
            }
            match column.split_once('?') {
                Some((before, after)) if is_numbered => {
                    // Writing to a string does not fail.
                    let _ = write!(sql, "{before}${next}{after}");
                    next += 1;
                }
                _ => sql.push_str(column),
            }
        }
        sql.push(')');
    }
    sql
}

/// `$1, $2, $3`, as [`rows`].
pub(crate) fn list(backend: DbBackend, count: usize) -> String {
    if !is_numbered(backend) {
        return vec!["?"; count].join(", ");
    }
    let places: Vec<String> = (1..=count).map(|n| format!("${n}")).collect();
    places.join(", ")
}

/// SQLite understands `$1` as well, but as a name, and for every parameter it binds sqlx looks
/// through all names: in a statement with thousands of them that took longer than all the rest.
fn is_numbered(backend: DbBackend) -> bool {
    backend != DbBackend::Sqlite
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders() {
        let columns = ["?", "0", "CAST(? AS BIGINT)"];
        for (backend, expected_rows, expected_list) in [
            (
                DbBackend::Postgres,
                "($1, 0, CAST($2 AS BIGINT)), ($3, 0, CAST($4 AS BIGINT))",
                "$1, $2",
            ),
            (
                DbBackend::Sqlite,
                "(?, 0, CAST(? AS BIGINT)), (?, 0, CAST(? AS BIGINT))",
                "?, ?",
            ),
        ] {
            assert_eq!(rows(backend, 2, &columns), expected_rows);
            assert_eq!(list(backend, 2), expected_list);
        }
    }

    #[test]
    fn few_sizes() {
        let rows: Vec<u32> = (0..710).collect();
        let sizes: Vec<usize> = chunks(&rows).map(<[u32]>::len).collect();
        assert_eq!(sizes, [500, 128, 32, 32, 8, 8, 1, 1]);
        assert_eq!(chunks(&rows).flatten().copied().collect::<Vec<_>>(), rows);
        assert_eq!(chunks::<u32>(&[]).count(), 0);
    }
}
