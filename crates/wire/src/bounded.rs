//! Lists and bytes whose bounds are kept while they are read: memory is taken for what may be, not for what came.

use std::{fmt, marker::PhantomData};

use serde::{Deserialize, Deserializer, de};

use crate::{Blob, limits};

/// Reads a list of at most `MOST` items, and nothing behind the last of them.
///
/// For `#[serde(deserialize_with = "…")]`.
pub fn list<'de, D, T, const MOST: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Visitor<T, const MOST: usize>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>, const MOST: usize> de::Visitor<'de> for Visitor<T, MOST> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {MOST} items")
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let said = items.size_hint().unwrap_or(0);
            if said > MOST {
                return Err(de::Error::invalid_length(said, &self));
            }
            let mut list = Vec::with_capacity(said.min(TRUSTED));
            while let Some(item) = items.next_element()? {
                if list.len() == MOST {
                    return Err(de::Error::invalid_length(MOST + 1, &self));
                }
                list.push(item);
            }
            Ok(list)
        }
    }
    deserializer.deserialize_seq(Visitor::<T, MOST>(PhantomData))
}

/// Reads a header: so short a one as would make a list of them dear is none.
pub(crate) fn header<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Blob, D::Error> {
    let header = Blob::deserialize(deserializer)?;
    if header.0.len() < limits::HEADER_LEAST {
        return Err(de::Error::invalid_length(header.0.len(), &"a header"));
    }
    Ok(header)
}

/// For how many items memory is taken on the word of a length alone.
const TRUSTED: usize = 16;
