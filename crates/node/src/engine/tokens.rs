//! Which programs may come in over the loopback port: the vault keeps the hashes of their secrets.

use serde::{Deserialize, Serialize};

use super::{Access, Effect, RequestError};
use crate::{
    api::{ApiError, ErrorKind, Event, IssuedToken, NewToken, Scope, Token},
    engine::view::hex,
};

/// What is kept of a token. Encoded as a list under one name: there are few.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    hash: [u8; 32],
    name: String,
    scope: u8,
    browser: bool,
    issued_ms: u64,
    expires_ms: Option<u64>,
}

impl Access<'_, '_> {
    pub(crate) fn tokens(&self) -> Result<Vec<Token>, RequestError> {
        Ok(self.kept()?.iter().map(Kept::view).collect())
    }

    pub(crate) fn issue_token(&mut self, request: &NewToken) -> Result<IssuedToken, RequestError> {
        let mut bytes = [0; 32];
        self.ctx.entropy.fill(&mut bytes);
        let secret = format!("hexode-{}", hex(&bytes));
        let token = self.keep(&request.name, &secret, request.scope, false)?;
        Ok(IssuedToken { token, secret })
    }

    pub(crate) fn keep_session(&mut self, name: &str, secret: &str) -> Result<Token, RequestError> {
        self.keep(name, secret, Scope::Admin, true)
    }

    fn keep(&mut self, name: &str, secret: &str, scope: Scope, browser: bool) -> Result<Token, RequestError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > NAME || name.chars().any(char::is_control) {
            let message = format!("a token's name has 1 to {NAME} characters");
            return Err(ApiError::new(ErrorKind::User, message).into());
        }
        let mut all = self.kept()?;
        if browser {
            // The page's address is new at each start and part of the name: sessions of the one before open nothing.
            all.retain(|kept| !kept.browser || kept.name == name);
            // Who opens the page again and again does not lock himself out: the oldest session makes room.
            let sessions = all.iter().filter(|kept| kept.browser).count();
            if sessions >= SESSIONS
                && let Some(oldest) = all.iter().position(|kept| kept.browser)
            {
                all.remove(oldest);
            }
        } else if all.iter().filter(|kept| !kept.browser).count() >= PROGRAMS {
            let message = format!("there are {PROGRAMS} tokens already");
            return Err(ApiError::new(ErrorKind::Conflict, message).hint("revoke one first").into());
        }
        let issued_ms = self.ctx.time.wall_ms;
        let kept = Kept {
            hash: hash(secret),
            name: name.to_owned(),
            scope: scope as u8,
            browser,
            issued_ms,
            expires_ms: browser.then(|| issued_ms.saturating_add(SESSION_MS)),
        };
        let token = kept.view();
        all.push(kept);
        self.store(&all)?;
        Ok(token)
    }

    pub(crate) fn revoke_token(&mut self, id: &str) -> Result<(), RequestError> {
        let mut all = self.kept()?;
        let before = all.len();
        all.retain(|kept| kept.id() != id);
        if all.len() == before {
            let unknown = ApiError::new(ErrorKind::NotFound, "no such token");
            return Err(unknown.hint("\"hexode tokens\" lists them").into());
        }
        self.store(&all)
    }

    pub(crate) fn token(&self, secret: &str) -> Result<Option<Token>, RequestError> {
        let wanted = hash(secret);
        // What is compared is a hash of 256 random bits: how long it takes tells nothing about them.
        Ok(self.kept()?.iter().find(|kept| kept.hash == wanted).map(Kept::view))
    }

    /// Reads the tokens that still hold.
    fn kept(&self) -> Result<Vec<Kept>, RequestError> {
        let Some(bytes) = self.ctx.tx.setting(SETTING)? else { return Ok(Vec::new()) };
        let damaged = |_| ApiError::new(ErrorKind::Internal, "the list of tokens cannot be read");
        let mut all: Vec<Kept> = wire::decode(&bytes, LIST).map_err(damaged)?;
        let now_ms = self.ctx.time.wall_ms;
        all.retain(|kept| kept.expires_ms.is_none_or(|expires_ms| now_ms < expires_ms));
        Ok(all)
    }

    fn store(&mut self, all: &[Kept]) -> Result<(), RequestError> {
        self.ctx.tx.set_setting(SETTING, &wire::encode(&all))?;
        self.ctx.effects.push(Effect::Publish(Box::new(Event::Tokens)));
        Ok(())
    }
}

impl Kept {
    fn id(&self) -> String {
        hex(&self.hash).chars().take(16).collect()
    }

    fn view(&self) -> Token {
        Token {
            id: self.id(),
            name: self.name.clone(),
            scope: match self.scope {
                2 => Scope::Admin,
                1 => Scope::Write,
                _ => Scope::Read,
            },
            browser: self.browser,
            issued_ms: self.issued_ms,
            expires_ms: self.expires_ms,
        }
    }
}

fn hash(secret: &str) -> [u8; 32] {
    crypto::hash(TOKEN, &[secret.as_bytes()])
}

const SETTING: &str = "tokens";
const TOKEN: &str = "hexode/node/token/1";
/// How long a token's name may be, in characters.
const NAME: usize = 64;
/// More than all of them together take.
const LIST: usize = 64 << 10;
/// How many programs may hold a token, and how many browsers a session.
const PROGRAMS: usize = 64;
const SESSIONS: usize = 16;
/// How long a browser's session holds.
const SESSION_MS: u64 = 30 * 24 * 3600 * 1000;
