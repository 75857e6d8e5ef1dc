use sqlcipher::rusqlite::{self, Connection};

/// What a database needs to come from each version to the next, from nothing on. Only ever appended to.
pub(crate) const MIGRATIONS: &[&str] =
    &[include_str!("schema/v1.sql"), include_str!("schema/v2.sql"), include_str!("schema/v3.sql")];

/// What became of a database's schema.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Schema {
    /// It is that of this build, and was some version's before.
    Current,
    /// It is that of this build, and was none before.
    Fresh,
    /// A newer build wrote it; nothing was changed.
    Newer { found: u32 },
}

/// Brings a database to the newest version, one step and one transaction at a time.
pub(crate) fn migrate(connection: &mut Connection, migrations: &[&str]) -> rusqlite::Result<Schema> {
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for (version, sql) in (1u32..).zip(migrations).skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        let step = connection.transaction()?;
        step.execute_batch(sql)?;
        step.pragma_update(None, "user_version", version)?;
        step.commit()?;
    }
    Ok(match found {
        0 => Schema::Fresh,
        _ if found > version(migrations) => Schema::Newer { found },
        _ => Schema::Current,
    })
}

/// Returns the version that the migrations lead to.
pub(crate) fn version(migrations: &[&str]) -> u32 {
    u32::try_from(migrations.len()).expect("migrations are written by hand")
}
