//! One-time links, and sessions that the vault cannot hold yet because it is locked or not made.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crypto::{Entropy, OsEntropy};
use node::api::Token;

/// What the gate keeps in memory. Of every secret only the hash.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    links: VecDeque<([u8; 32], Instant)>,
    sessions: VecDeque<([u8; 32], Standing)>,
    /// What the vault said of tokens, when the node's count of what changes that was `count`.
    count: u64,
    tokens: BTreeMap<[u8; 32], Token>,
}

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// A link was redeemed while the vault was closed; the vault is still to be told.
    Waiting,
    /// The vault knew it when it was open, and until when it holds.
    Known {
        /// In milliseconds since 1970.
        until_ms: u64,
    },
}

impl Tickets {
    /// Makes a link's secret, which holds for [`LINK_TIME`].
    pub(super) fn issue(&self, now: Instant) -> String {
        let secret = secret::<16>();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.links.len() >= LINKS {
            kept.links.pop_front();
        }
        kept.links.push_back((hash(&secret), now));
        secret
    }

    /// Uses up a link; `false` if it never was one, was used, or is too old.
    pub(super) fn redeem(&self, secret: &str, now: Instant) -> bool {
        let wanted = hash(secret);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.links.retain(|(_, issued)| now.duration_since(*issued) < LINK_TIME);
        let found = kept.links.iter().position(|(link, _)| *link == wanted);
        found.is_some_and(|at| kept.links.remove(at).is_some())
    }

    /// Remembers a session.
    pub(super) fn remember(&self, secret: &str, standing: Standing) {
        let wanted = hash(secret);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.sessions.retain(|(session, _)| *session != wanted);
        if kept.sessions.len() >= SESSIONS {
            kept.sessions.pop_front();
        }
        kept.sessions.push_back((wanted, standing));
    }

    /// Lets a session that waits be again what it was before, unless it has become something else meanwhile.
    pub(super) fn put_back(&self, secret: &str, before: Option<Standing>) {
        let wanted = hash(secret);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(at) = kept.sessions.iter().position(|session| *session == (wanted, Standing::Waiting))
        else {
            return;
        };
        match (before, kept.sessions.get_mut(at)) {
            (Some(before), Some(session)) => session.1 = before,
            _ => drop(kept.sessions.remove(at)),
        }
    }

    /// Forgets a session.
    pub(super) fn forget(&self, secret: &str) {
        let wanted = hash(secret);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.sessions.retain(|(session, _)| *session != wanted);
    }

    /// Forgets all sessions: one of them may have been revoked, and a closed vault cannot be asked which.
    pub(super) fn forget_all(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).sessions.clear();
    }

    /// Notes what the vault said of a token when the node's count was `count`.
    pub(super) fn note(&self, secret: &str, count: u64, token: &Token) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.count != count || kept.tokens.len() >= TOKENS {
            kept.tokens.clear();
        }
        kept.count = count;
        kept.tokens.insert(hash(secret), token.clone());
    }

    /// Returns what the vault said of a token, if that is still so.
    pub(super) fn seen(&self, secret: &str, count: u64, now_ms: u64) -> Option<Token> {
        let wanted = hash(secret);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let token = kept.tokens.get(&wanted).filter(|_| kept.count == count)?;
        token.expires_ms.is_none_or(|until_ms| now_ms < until_ms).then(|| token.clone())
    }

    /// Tells how far a session has come, if there is one that still holds.
    pub(super) fn standing(&self, secret: &str, now_ms: u64) -> Option<Standing> {
        let wanted = hash(secret);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found =
            kept.sessions.iter().find(|(session, _)| *session == wanted).map(|(_, standing)| *standing);
        found.filter(|standing| !matches!(standing, Standing::Known { until_ms } if *until_ms <= now_ms))
    }
}

/// Makes `N` random bytes, as text.
pub(super) fn secret<const N: usize>() -> String {
    OsEntropy.bytes::<N>().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash(secret: &str) -> [u8; 32] {
    crypto::hash("hexode/gateway/ticket/1", &[secret.as_bytes()])
}

/// How long a link holds.
pub(super) const LINK_TIME: Duration = Duration::from_secs(600);
const LINKS: usize = 8;
const SESSIONS: usize = 32;
/// More than the vault keeps at once.
const TOKENS: usize = 128;

#[cfg(test)]
mod tests {
    use node::api::Scope;

    use super::*;

    #[test]
    fn what_the_vault_said_holds_until_something_changes() {
        let tickets = Tickets::default();
        let token = Token {
            id: "1".into(),
            name: "browser".into(),
            scope: Scope::Admin,
            browser: true,
            issued_ms: 0,
            expires_ms: Some(9),
        };
        tickets.note("a", 1, &token);
        assert_eq!(tickets.seen("a", 1, 8), Some(token.clone()));
        assert_eq!(tickets.seen("b", 1, 8), None);
        assert_eq!(tickets.seen("a", 1, 9), None, "it has expired");
        assert_eq!(tickets.seen("a", 2, 8), None, "something was revoked, or the vault locked");
        tickets.note("b", 2, &token);
        assert_eq!(tickets.seen("a", 1, 8), None);
    }

    #[test]
    fn a_link_opens_once_and_in_time() {
        let (tickets, start) = (Tickets::default(), Instant::now());
        let link = tickets.issue(start);
        assert!(!tickets.redeem("something else", start));
        assert!(tickets.redeem(&link, start + LINK_TIME / 2));
        assert!(!tickets.redeem(&link, start + LINK_TIME / 2), "used up");
        let late = tickets.issue(start);
        assert!(!tickets.redeem(&late, start + LINK_TIME));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (tickets, now) = (Tickets::default(), Instant::now());
        let first = tickets.issue(now);
        (0..LINKS).for_each(|_| drop(tickets.issue(now)));
        assert!(!tickets.redeem(&first, now));
        for number in 0..100 {
            tickets.remember(&format!("session {number}"), Standing::Waiting);
        }
        assert_eq!(tickets.standing("session 0", 0), None);
        assert_eq!(tickets.standing("session 99", u64::MAX), Some(Standing::Waiting));
        let known = Standing::Known { until_ms: 5 };
        tickets.remember("session 99", known);
        assert_eq!(tickets.standing("session 99", 4), Some(known));
        assert_eq!(tickets.standing("session 99", 5), None, "it has expired, and the vault is closed");
        tickets.forget("session 99");
        assert_eq!(tickets.standing("session 99", 0), None);
        tickets.forget_all();
        assert_eq!(tickets.standing("session 98", 0), None);
    }
}
