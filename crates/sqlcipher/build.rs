//! Compiles SQLCipher's amalgamation with [`provider`](src/provider.rs) as its only source of cryptography.
//!
//! rusqlite is told (feature `in_gecko`) that its SQLite comes from elsewhere, so nothing looks for or links
//! OpenSSL, and the compile-time options are ours.

fn main() {
    let source = sqlcipher_src::source_dir().join(sqlcipher_src::SOURCE_FILE);
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", source.display());
    let mut build = cc::Build::new();
    for (name, value) in FLAGS {
        build.define(name, *value);
    }
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        // A commit then waits for the log's bytes alone, and not for the time stamp of its file as well.
        build.define("HAVE_FDATASYNC", "1");
    }
    build.file(source).warnings(false).compile("hexode_sqlcipher");
}

const FLAGS: &[(&str, Option<&str>)] = &[
    // SQLCipher, on our provider, silent: its log would name pages and paths on standard error.
    ("SQLITE_HAS_CODEC", None),
    ("SQLCIPHER_CRYPTO_CUSTOM", Some("hexode_sqlcipher_setup")),
    ("SQLCIPHER_OMIT_LOG", None),
    ("SQLCIPHER_OMIT_LOG_DEVICE", None),
    ("SQLITE_EXTRA_INIT", Some("sqlcipher_extra_init")),
    ("SQLITE_EXTRA_SHUTDOWN", Some("sqlcipher_extra_shutdown")),
    // Sorts and temporary tables never reach a disk, whatever a pragma says.
    ("SQLITE_TEMP_STORE", Some("3")),
    // A connection belongs to one thread at a time (Rust's types see to that), so it needs no lock of its own.
    ("SQLITE_THREADSAFE", Some("2")),
    ("SQLITE_CORE", None),
    ("SQLITE_DEFAULT_FOREIGN_KEYS", Some("1")),
    ("SQLITE_DEFAULT_MEMSTATUS", Some("0")),
    ("SQLITE_DQS", Some("0")),
    ("SQLITE_ENABLE_FTS5", None),
    // Whole pages as they are stored, freed ones too: how a test sees that what was erased is gone.
    ("SQLITE_ENABLE_DBPAGE_VTAB", None),
    ("SQLITE_MAX_MMAP_SIZE", Some("0")),
    ("SQLITE_OMIT_LOAD_EXTENSION", None),
    ("SQLITE_OMIT_SHARED_CACHE", None),
    ("SQLITE_USE_ALLOCA", None),
    ("HAVE_ISNAN", None),
    ("HAVE_LOCALTIME_R", None),
    ("HAVE_STDINT_H", None),
    ("HAVE_USLEEP", None),
];
