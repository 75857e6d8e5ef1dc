use std::{
    ffi::{c_int, c_void},
    fmt::Write as _,
    io,
};

use rusqlite::{Connection, Error, ffi};

unsafe extern "C" {
    fn sqlite3_key(db: *mut ffi::sqlite3, key: *const c_void, len: c_int) -> c_int;
}

/// Gives a database that was just opened its raw 256-bit key, before anything is read from or written to it.
///
/// The key goes past SQL, so that it stands in no statement, trace or statement cache. A wrong key shows only when
/// the first page is read.
pub fn unlock(connection: &Connection, key: &[u8; 32]) -> rusqlite::Result<()> {
    let mut literal = RawKey(String::with_capacity(67));
    literal.0.push_str("x'");
    for byte in key {
        write!(literal.0, "{byte:02x}").expect("writing to a string cannot fail");
    }
    literal.0.push('\'');
    // SAFETY: the handle is used only within this call, while `connection` is borrowed, and is not closed.
    let db = unsafe { connection.handle() };
    // SAFETY: `db` is open; SQLCipher copies the 67 bytes before it returns.
    match unsafe { sqlite3_key(db, literal.0.as_ptr().cast(), 67) } {
        ffi::SQLITE_OK => Ok(()),
        code => Err(Error::SqliteFailure(ffi::Error::new(code), None)),
    }
}

/// Returns what the operating system said when the last statement failed with an input or output error.
pub fn system_error(connection: &Connection) -> io::Error {
    // SAFETY: the handle is used only within this call, while `connection` is borrowed, and is not closed.
    let db = unsafe { connection.handle() };
    // SAFETY: `db` is open; the function only reads a field of it.
    io::Error::from_raw_os_error(unsafe { ffi::sqlite3_system_errno(db) })
}

/// The key as SQLCipher's raw literal `x'…'`, erased when dropped.
struct RawKey(String);

impl Drop for RawKey {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        // SAFETY: the pointer and length are those of the vector, which lives on until the end of this function.
        unsafe { aws_lc_sys::OPENSSL_cleanse(bytes.as_mut_ptr().cast(), bytes.len()) };
    }
}
