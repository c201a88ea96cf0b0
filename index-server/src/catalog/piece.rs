//! Pieces of SQL: text put together from constants of this program, with its values beside it in the order of their marks.

use super::{Result, Tx, dialect::sql};
use sqlx::any::AnyRow;

/// What is bound to one mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A piece of SQL. No value ever stands in its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) values: Vec<Value>,
}

impl Piece {
    /// Text without marks.
    pub(crate) fn constant(text: &str) -> Self {
        Self::many(text, [])
    }

    /// Text with one mark.
    pub(crate) fn one(text: &str, value: Value) -> Self {
        Self::many(text, [value])
    }

    /// Text with a mark for each of the values.
    pub(crate) fn many(text: &str, values: impl IntoIterator<Item = Value>) -> Self {
        Self { text: text.to_owned(), values: values.into_iter().collect() }
    }

    /// This piece, then the other.
    pub(crate) fn and_then(mut self, next: Self) -> Self {
        self.text.push_str(&next.text);
        self.values.extend(next.values);
        self
    }

    /// The parts one after the other, with `between` between them.
    pub(crate) fn joined(parts: impl IntoIterator<Item = Self>, between: &str) -> Self {
        let mut whole = Self::default();
        for (index, part) in parts.into_iter().enumerate() {
            if index > 0 {
                whole.text.push_str(between);
            }
            whole = whole.and_then(part);
        }
        whole
    }

    /// Its rows.
    pub(crate) async fn fetch(&self, tx: &mut Tx) -> Result<Vec<AnyRow>> {
        let mut query = sqlx::query(sql(self.text.clone()));
        for value in &self.values {
            query = match value {
                Value::Number(number) => query.bind(*number),
                Value::Text(text) => query.bind(text.as_str()),
                Value::Bytes(bytes) => query.bind(bytes.as_slice()),
            };
        }
        Ok(query.fetch_all(&mut **tx).await?)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}
