//! Running SQL text. The same text goes to both databases, so this is all there is between a
//! handle and a connection.

use crate::Error;
use interline_domain::id::AccountId;
use interline_domain::{Money, Timestamp};
use sea_orm::{ConnectionTrait, QueryResult, Statement, TryGetable, Value};
use std::fmt::Write as _;

/// Rows of multi-row statements are sent in these numbers, largest first: few different texts, so
/// that each is prepared once per connection, and far below the parameter limits (32,766 on
/// SQLite, 65,535 on PostgreSQL).
const CHUNKS: [usize; 5] = [256, 64, 16, 4, 1];

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
/// parameter.
pub(crate) fn rows(count: usize, columns: &[&str], first: usize) -> String {
    let mut sql = String::with_capacity(count * columns.len() * 6);
    let mut next = first;
    for row in 0..count {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                sql.push_str(", ");
            }
            match column.split_once('?') {
                Some((before, after)) => {
                    // Writing to a string does not fail.
                    let _ = write!(sql, "{before}${next}{after}");
                    next += 1;
                }
                None => sql.push_str(column),
            }
        }
        sql.push(')');
    }
    sql
}

/// `$2, $3, $4`
pub(crate) fn list(count: usize, first: usize) -> String {
    let places: Vec<String> = (first..first + count).map(|n| format!("${n}")).collect();
    places.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders() {
        assert_eq!(
            rows(2, &["?", "0", "CAST(? AS BIGINT)"], 3),
            "($3, 0, CAST($4 AS BIGINT)), ($5, 0, CAST($6 AS BIGINT))"
        );
        assert_eq!(list(2, 2), "$2, $3");
    }

    #[test]
    fn few_sizes() {
        let rows: Vec<u32> = (0..500).collect();
        let sizes: Vec<usize> = chunks(&rows).map(<[u32]>::len).collect();
        assert_eq!(sizes, [256, 64, 64, 64, 16, 16, 16, 4]);
        assert_eq!(chunks(&rows).flatten().copied().collect::<Vec<_>>(), rows);
        assert_eq!(chunks::<u32>(&[]).count(), 0);
    }
}
