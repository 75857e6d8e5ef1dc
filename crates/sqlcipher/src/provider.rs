use std::{
    ffi::{c_char, c_int, c_uchar, c_void},
    num::NonZeroU32,
    ptr, slice,
};

use aws_lc_rs::{hmac, pbkdf2, rand};
use aws_lc_sys::{
    EVP_CIPHER_CTX, EVP_CIPHER_CTX_free, EVP_CIPHER_CTX_new, EVP_CIPHER_CTX_set_padding, EVP_CipherInit_ex,
    EVP_CipherUpdate, EVP_aes_256_cbc,
};
use rusqlite::ffi::{SQLITE_ERROR, SQLITE_OK};

/// SQLCipher's `struct sqlcipher_provider` (`sqlcipher.h`, 4.20.0), field by field.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Provider {
    init: Option<extern "C" fn() -> c_int>,
    shutdown: Option<extern "C" fn()>,
    get_provider_name: extern "C" fn(*mut c_void) -> *const c_char,
    add_random: extern "C" fn(*mut c_void, *const c_void, c_int) -> c_int,
    random: unsafe extern "C" fn(*mut c_void, *mut c_void, c_int) -> c_int,
    hmac: unsafe extern "C" fn(
        *mut c_void,
        c_int,
        *const c_uchar,
        c_int,
        *const c_uchar,
        c_int,
        *const c_uchar,
        c_int,
        *mut c_uchar,
    ) -> c_int,
    kdf: unsafe extern "C" fn(
        *mut c_void,
        c_int,
        *const c_uchar,
        c_int,
        *const c_uchar,
        c_int,
        c_int,
        c_int,
        *mut c_uchar,
    ) -> c_int,
    cipher: unsafe extern "C" fn(
        *mut c_void,
        c_int,
        *const c_uchar,
        c_int,
        *const c_uchar,
        *const c_uchar,
        c_int,
        *mut c_uchar,
    ) -> c_int,
    get_cipher: extern "C" fn(*mut c_void) -> *const c_char,
    get_key_sz: extern "C" fn(*mut c_void) -> c_int,
    get_iv_sz: extern "C" fn(*mut c_void) -> c_int,
    get_block_sz: extern "C" fn(*mut c_void) -> c_int,
    get_hmac_sz: extern "C" fn(*mut c_void, c_int) -> c_int,
    ctx_init: unsafe extern "C" fn(*mut *mut c_void) -> c_int,
    ctx_free: unsafe extern "C" fn(*mut *mut c_void) -> c_int,
    fips_status: extern "C" fn(*mut c_void) -> c_int,
    get_provider_version: extern "C" fn(*mut c_void) -> *const c_char,
    next: *mut Self,
}

/// Fills SQLCipher's table of cryptographic functions; SQLCipher calls it once, when SQLite starts.
///
/// # Safety
/// `provider` points to memory of a `sqlcipher_provider` that may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn hexode_sqlcipher_setup(provider: *mut Provider) -> c_int {
    let ours = Provider {
        init: None,
        shutdown: None,
        get_provider_name: name,
        add_random,
        random,
        hmac,
        kdf,
        cipher,
        get_cipher: cipher_name,
        get_key_sz: key_len,
        get_iv_sz: block_len,
        get_block_sz: block_len,
        get_hmac_sz: hmac_len,
        ctx_init,
        ctx_free,
        fips_status,
        get_provider_version: version,
        next: ptr::null_mut(),
    };
    // SAFETY: the caller allocated the struct for us to fill; it may hold no valid value yet, so none is dropped.
    unsafe { provider.write(ours) };
    SQLITE_OK
}

extern "C" fn name(_: *mut c_void) -> *const c_char {
    c"aws-lc".as_ptr()
}

extern "C" fn version(_: *mut c_void) -> *const c_char {
    aws_lc_sys::AWSLC_VERSION_NUMBER_STRING.as_ptr().cast()
}

extern "C" fn cipher_name(_: *mut c_void) -> *const c_char {
    c"aes-256-cbc".as_ptr()
}

extern "C" fn key_len(_: *mut c_void) -> c_int {
    KEY as c_int
}

extern "C" fn block_len(_: *mut c_void) -> c_int {
    BLOCK as c_int
}

extern "C" fn hmac_len(_: *mut c_void, algorithm: c_int) -> c_int {
    match algorithm {
        SHA256 => 32,
        SHA512 => 64,
        _ => 0,
    }
}

extern "C" fn fips_status(_: *mut c_void) -> c_int {
    c_int::from(aws_lc_rs::try_fips_mode().is_ok())
}

/// AWS-LC seeds itself from the system and takes no advice.
extern "C" fn add_random(_: *mut c_void, _: *const c_void, _: c_int) -> c_int {
    SQLITE_OK
}

/// Has no state per database to set up.
///
/// # Safety
/// `context` may be written.
unsafe extern "C" fn ctx_init(context: *mut *mut c_void) -> c_int {
    // SAFETY: SQLCipher passes the address of its own pointer field.
    unsafe { context.write(ptr::null_mut()) };
    SQLITE_OK
}

/// # Safety
/// `context` may be written.
unsafe extern "C" fn ctx_free(context: *mut *mut c_void) -> c_int {
    // SAFETY: SQLCipher passes the address of its own pointer field.
    unsafe { context.write(ptr::null_mut()) };
    SQLITE_OK
}

/// # Safety
/// `buffer` holds `len` bytes that may be written.
unsafe extern "C" fn random(_: *mut c_void, buffer: *mut c_void, len: c_int) -> c_int {
    // SAFETY: upheld by the caller.
    let Some(out) = (unsafe { bytes_mut(buffer.cast(), len) }) else {
        return SQLITE_ERROR;
    };
    outcome(rand::fill(out).ok())
}

/// # Safety
/// The three inputs hold as many bytes as the number after each says (`second` may be null), `out` has room for
/// what [`hmac_len`] says and overlaps none of them.
unsafe extern "C" fn hmac(
    _: *mut c_void,
    algorithm: c_int,
    key: *const c_uchar,
    key_len: c_int,
    first: *const c_uchar,
    first_len: c_int,
    second: *const c_uchar,
    second_len: c_int,
    out: *mut c_uchar,
) -> c_int {
    // SAFETY: upheld by the caller.
    let key = unsafe { bytes(key, key_len) };
    // SAFETY: upheld by the caller.
    let first = unsafe { bytes(first, first_len) };
    // SAFETY: upheld by the caller.
    let second = unsafe { bytes(second, second_len) };
    // SAFETY: upheld by the caller.
    let out = unsafe { bytes_mut(out, hmac_len(ptr::null_mut(), algorithm)) };
    outcome((|| {
        let (out, key, first) = (out?, key?, first?);
        let algorithm = match algorithm {
            SHA256 => hmac::HMAC_SHA256,
            SHA512 => hmac::HMAC_SHA512,
            _ => return None,
        };
        let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, key));
        context.update(first);
        context.update(second.unwrap_or_default());
        let tag = context.sign();
        (tag.as_ref().len() == out.len()).then(|| out.copy_from_slice(tag.as_ref()))
    })())
}

/// # Safety
/// The two inputs hold as many bytes as the number after each says; `out` has room for `out_len` bytes and overlaps
/// neither.
unsafe extern "C" fn kdf(
    _: *mut c_void,
    algorithm: c_int,
    secret: *const c_uchar,
    secret_len: c_int,
    salt: *const c_uchar,
    salt_len: c_int,
    rounds: c_int,
    out_len: c_int,
    out: *mut c_uchar,
) -> c_int {
    // SAFETY: upheld by the caller.
    let secret = unsafe { bytes(secret, secret_len) };
    // SAFETY: upheld by the caller.
    let salt = unsafe { bytes(salt, salt_len) };
    // SAFETY: upheld by the caller.
    let out = unsafe { bytes_mut(out, out_len) };
    outcome((|| {
        let algorithm = match algorithm {
            SHA256 => pbkdf2::PBKDF2_HMAC_SHA256,
            SHA512 => pbkdf2::PBKDF2_HMAC_SHA512,
            _ => return None,
        };
        let rounds = NonZeroU32::new(u32::try_from(rounds).ok()?)?;
        pbkdf2::derive(algorithm, rounds, salt?, secret?, out?);
        Some(())
    })())
}

/// # Safety
/// `key` and `iv` hold what [`key_len`] and [`block_len`] say, `input` holds `len` bytes, `out` has room for as
/// many and is `input` itself or does not overlap it.
unsafe extern "C" fn cipher(
    _: *mut c_void,
    mode: c_int,
    key: *const c_uchar,
    key_sz: c_int,
    iv: *const c_uchar,
    input: *const c_uchar,
    len: c_int,
    out: *mut c_uchar,
) -> c_int {
    if key_sz != KEY as c_int || len < 0 || len % BLOCK as c_int != 0 || !matches!(mode, DECRYPT | ENCRYPT) {
        return SQLITE_ERROR;
    }
    let Some(context) = CipherContext::new() else {
        return SQLITE_ERROR;
    };
    // SAFETY: the function takes nothing and returns a pointer to a constant.
    let aes = unsafe { EVP_aes_256_cbc() };
    // SAFETY: the context is ours and live; key and IV have the cipher's lengths, as checked and upheld.
    if unsafe { EVP_CipherInit_ex(context.0, aes, ptr::null_mut(), key, iv, mode) } != 1 {
        return SQLITE_ERROR;
    }
    // SAFETY: the context is ours and live. Without padding, whole blocks in give exactly whole blocks out.
    if unsafe { EVP_CIPHER_CTX_set_padding(context.0, 0) } != 1 {
        return SQLITE_ERROR;
    }
    let mut written = 0;
    // SAFETY: `input` and `out` hold `len` bytes, upheld by the caller; no more than `len` are written, since `len`
    // is a multiple of the block and padding is off.
    let done = unsafe { EVP_CipherUpdate(context.0, out, &raw mut written, input, len) };
    if done == 1 && written == len { SQLITE_OK } else { SQLITE_ERROR }
}

/// An AWS-LC cipher context, freed (and with it erased) when dropped.
struct CipherContext(*mut EVP_CIPHER_CTX);

impl CipherContext {
    fn new() -> Option<Self> {
        // SAFETY: the function takes nothing; null, its sign of failure, is sorted out below.
        let context = unsafe { EVP_CIPHER_CTX_new() };
        (!context.is_null()).then_some(Self(context))
    }
}

impl Drop for CipherContext {
    fn drop(&mut self) {
        // SAFETY: the context came from `EVP_CIPHER_CTX_new` and is freed only here.
        unsafe { EVP_CIPHER_CTX_free(self.0) };
    }
}

/// # Safety
/// A pointer that is not null holds `len` bytes, which nobody writes while the slice lives.
unsafe fn bytes<'a>(start: *const u8, len: c_int) -> Option<&'a [u8]> {
    let len = usize::try_from(len).ok()?;
    // SAFETY: not null, and the rest is upheld by the caller.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start, len) })
}

/// # Safety
/// A pointer that is not null holds `len` initialised bytes, which nobody else touches while the slice lives.
unsafe fn bytes_mut<'a>(start: *mut u8, len: c_int) -> Option<&'a mut [u8]> {
    let len = usize::try_from(len).ok()?;
    // SAFETY: not null, and the rest is upheld by the caller.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts_mut(start, len) })
}

fn outcome(done: Option<()>) -> c_int {
    if done.is_some() { SQLITE_OK } else { SQLITE_ERROR }
}

const KEY: usize = 32;
const BLOCK: usize = 16;
/// SQLCipher's numbers; its SHA-1 (0) is refused.
const SHA256: c_int = 1;
const SHA512: c_int = 2;
const DECRYPT: c_int = 0;
const ENCRYPT: c_int = 1;
