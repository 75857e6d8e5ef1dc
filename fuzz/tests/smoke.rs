//! Every decoder takes its own seeds, and some thousand mutations of them calmly.

use hexode_fuzz::{decoders, trial};

#[test]
fn every_decoder_takes_mutated_bytes_calmly() {
    // One test, since memory is counted for the whole process.
    for decoder in decoders() {
        for (at, seed) in decoder.seeds.iter().enumerate() {
            assert!((decoder.run)(seed), "{}: seed {at} is not a valid encoding", decoder.name);
        }
        let report = trial(&decoder, 20_000, 7);
        let violation = report.violations.first();
        assert!(violation.is_none(), "{}: {}", decoder.name, violation.map_or("", |one| &one.what));
        assert!(report.accepted < report.inputs, "{}: no mutation was refused", decoder.name);
    }
}
