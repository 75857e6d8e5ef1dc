//! Each decoder has its target for libfuzzer, which is built apart.

use std::{collections::BTreeSet, fs, path::Path};

use hexode_fuzz::decoders;

#[test]
fn every_decoder_has_its_target_and_every_target_its_decoder() {
    let apart = Path::new(env!("CARGO_MANIFEST_DIR")).join("libfuzzer");
    let targets = fs::read_dir(apart.join("fuzz_targets")).unwrap().map(|entry| entry.unwrap().path());
    let manifest = fs::read_to_string(apart.join("Cargo.toml")).unwrap();
    let mut named = BTreeSet::new();
    for target in targets {
        let stem = target.file_stem().unwrap().to_str().unwrap().to_owned();
        let name = stem.replace('_', "-");
        let text = fs::read_to_string(&target).unwrap();
        assert!(text.contains(&format!("target(\"{name}\", bytes)")), "{stem} runs another decoder");
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{stem}.rs\"")), "{stem} is not built");
        named.insert(name);
    }
    let decoders: BTreeSet<_> = decoders().into_iter().map(|decoder| decoder.name.to_owned()).collect();
    assert_eq!(named, decoders);
}
