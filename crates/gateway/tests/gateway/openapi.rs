//! The description that others generate their clients from is the code's own, and so are the page's types.

use std::{env, fs, path::Path};

use crate::typescript;

#[test]
fn the_file_says_what_the_code_does() {
    is_current("docs/openapi.json", &hexode_gateway::openapi());
}

#[test]
fn the_pages_types_say_what_the_code_does() {
    is_current("web/src/api/generated.ts", &typescript::types(&hexode_gateway::openapi()));
    is_current("web/src/api/files.ts", &typescript::file_types(&hexode_gateway::openapi()));
    is_current("web/src/api/paths.ts", &typescript::path_types(&hexode_gateway::openapi()));
    is_current("web/src/api/recovery.ts", &typescript::recovery_types(&hexode_gateway::openapi()));
    is_current("web/src/api/streams.ts", &typescript::stream_types(&hexode_gateway::openapi()));
    is_current("web/src/api/calls.ts", &typescript::calls(&hexode_gateway::openapi()));
}

fn is_current(name: &str, described: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    if env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(&path, described).unwrap();
    }
    assert!(
        fs::read_to_string(&path).is_ok_and(|file| file == described),
        "{name} is not what the code says: run\n\
         UPDATE_OPENAPI=1 cargo nextest run -p hexode-gateway says_what say_what"
    );
}
