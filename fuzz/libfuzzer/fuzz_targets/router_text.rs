#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hexode_fuzz::target("router-text", bytes));
