//! The description that others generate their clients from is the code's own.

use std::{env, fs, path::Path};

#[test]
fn the_file_says_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let described = hexode_gateway::openapi();
    if env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(&path, &described).unwrap();
    }
    assert!(
        fs::read_to_string(&path).is_ok_and(|file| file == described),
        "docs/openapi.json is not what the code says: run\n\
         UPDATE_OPENAPI=1 cargo nextest run -p hexode-gateway the_file_says"
    );
}
