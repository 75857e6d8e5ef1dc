use sqlcipher::rusqlite::{
    Result as SqlResult, Row, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};

macro_rules! row {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) i64);

        impl ToSql for $name {
            fn to_sql(&self) -> SqlResult<ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                value.as_i64().map(Self)
            }
        }
    };
}

row! {
    /// A circle's number in one vault; never used again for another.
    CircleRow
}
row! {
    /// A conversation's number in one vault; never used again for another.
    ConversationRow
}

/// Reads a column that holds the 32 bytes of an id.
pub(crate) fn id<T>(row: &Row<'_>, column: usize, new: fn([u8; 32]) -> T) -> SqlResult<T> {
    row.get(column).map(new)
}

/// A small set of named values that a column holds by number.
pub(crate) trait Code: Copy + 'static {
    const ALL: &'static [(Self, i64)];
}

/// Returns the number under which a value is stored.
pub(crate) fn code<T: Code + PartialEq>(value: T) -> i64 {
    T::ALL.iter().find(|(known, _)| *known == value).expect("every variant is in the list").1
}

/// Reads a column that holds a [`Code`].
pub(crate) fn decode<T: Code>(row: &Row<'_>, column: usize) -> SqlResult<T> {
    let found: i64 = row.get(column)?;
    let known = T::ALL.iter().find(|(_, number)| *number == found);
    known.map(|(value, _)| *value).ok_or_else(|| {
        let error = FromSqlError::OutOfRange(found);
        sqlcipher::rusqlite::Error::FromSqlConversionFailure(
            column,
            sqlcipher::rusqlite::types::Type::Integer,
            Box::new(error),
        )
    })
}
