//! Says who may come in over the loopback port, and for what.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use node::{
    Node,
    api::{ApiError, ErrorKind, OpenLink, Token},
};
use tokio::{sync::Mutex, time::sleep};

use super::{
    page,
    scope::{needed, opens, while_closed},
    tickets::{self, Standing, Tickets},
};
use crate::refusal::Refusal;

/// The one place that every request on the loopback port passes.
///
/// - Its `Host` is the page's own or a plain loopback address: whatever name was rebound to this machine is refused.
/// - What a browser sends must come from the page itself (`Sec-Fetch-Site`, `Origin`); no other page can ask, embed or
///   post anything.
/// - It carries a session's cookie (page) or a token (programs) that the vault knows, with enough scope. While the vault is
///   closed there is only the banner and unlocking.
#[derive(Debug)]
pub(crate) struct Gate {
    node: Node,
    host: String,
    port: u16,
    tickets: Tickets,
    /// Random, and in each answer: by it the page knows its node from whoever listens at the port when that is gone.
    mark: HeaderValue,
    /// Held while a passphrase that came without a session is tried: one at a time, and slowly.
    trying: Arc<Mutex<()>>,
}

/// Who asks; a request that came through the gate carries it.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// His token, if the vault could be asked for it.
    pub(crate) token: Option<Token>,
    pub(crate) secret: String,
}

/// Marks an answer to a request that proved to know the passphrase.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenedBy;

/// Marks a request with a passphrase by somebody without a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stranger;

/// By which name the node was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Called {
    /// The page's own.
    Page,
    /// A loopback address, which only programs use.
    Address,
}

impl Gate {
    pub(super) fn new(node: Node, host: String, port: u16) -> Self {
        let mark =
            HeaderValue::try_from(tickets::secret::<16>()).expect("hexadecimal digits stand in a header");
        Self { node, host, port, tickets: Tickets::default(), mark, trying: Arc::default() }
    }

    /// Makes a link that opens the page in one browser, once.
    pub(crate) fn link(&self) -> OpenLink {
        let ticket = self.tickets.issue(Instant::now());
        let until = SystemTime::now() + tickets::LINK_TIME;
        let expires = until.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        OpenLink {
            url: format!("http://{}/#open={ticket}", self.host),
            expires_ms: u64::try_from(expires).unwrap_or(u64::MAX),
        }
    }

    /// Trades a link's secret for a session and returns the cookie.
    pub(crate) async fn redeem(&self, ticket: &str) -> Result<HeaderValue, ApiError> {
        if !self.tickets.redeem(ticket, Instant::now()) {
            let error = ApiError::new(ErrorKind::NotAllowed, "this link was used, or is too old");
            return Err(error.hint("run \"hexode open\" for a new one"));
        }
        let word = tickets::secret::<32>();
        let secret = self.secret_of(&word);
        if self.node.status().await?.locked {
            self.tickets.remember(&secret, Standing::Waiting);
        } else {
            self.keep_session(&secret).await?;
        }
        Ok(cookie(&word, SESSION_S))
    }

    /// Returns the secret of the session whose cookie has this word: at another start, under another name, the same
    /// word is nobody's.
    fn secret_of(&self, word: &str) -> String {
        format!("{}/{word}", self.host)
    }

    async fn keep_session(&self, secret: &str) -> Result<Token, ApiError> {
        let token = self.node.keep_session(format!("browser at {}", self.host), secret.to_owned()).await?;
        self.tickets.remember(secret, known(&token));
        Ok(token)
    }

    /// Revokes a token, also in what is remembered for when the vault is closed.
    pub(crate) async fn revoke(&self, id: String) -> Result<(), ApiError> {
        // Before, so that none is given back for what was remembered; after, for what was asked meanwhile.
        self.tickets.forget_all();
        let revoked = self.node.revoke_token(id).await;
        self.tickets.forget_all();
        revoked
    }

    /// Ends the caller's session and returns the cookie that says so.
    pub(crate) async fn leave(&self, caller: &Caller) -> Result<HeaderValue, ApiError> {
        self.tickets.forget(&caller.secret);
        if let Some(token) = &caller.token {
            self.revoke(token.id.clone()).await?;
        }
        Ok(cookie("", 0))
    }

    /// Finds by which name the node was called; none of its own is an attempt to get in by another.
    fn called(&self, request: &Request) -> Option<Called> {
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return None };
        let host = host.to_str().ok()?;
        if request.uri().authority().is_some_and(|authority| authority.as_str() != host) {
            return None;
        }
        if host == self.host {
            return Some(Called::Page);
        }
        let (name, port) = host.rsplit_once(':')?;
        let loopback = matches!(name, "127.0.0.1" | "[::1]" | "localhost") && port.parse() == Ok(self.port);
        loopback.then_some(Called::Address)
    }

    /// Tells whether the request's own words about where it comes from allow it.
    fn comes_from_here(&self, request: &Request, called: Called) -> bool {
        let headers = request.headers();
        let origin = word(headers, &header::ORIGIN);
        let site = word(headers, &SEC_FETCH_SITE);
        if called == Called::Address {
            // A browser always says one of these; it has no business under this name.
            return origin.is_none() && site.is_none();
        }
        let own = origin.and_then(|origin| origin.strip_prefix("http://")) == Some(&self.host);
        let safe = matches!(*request.method(), Method::GET | Method::HEAD);
        if is_api(request.uri().path()) {
            let bearer = headers.contains_key(header::AUTHORIZATION);
            let here = site == Some("same-origin") || (bearer && site.is_none());
            return here && (own || (origin.is_none() && (safe || bearer)));
        }
        match site {
            None | Some("none" | "same-origin") => safe,
            // Somebody followed a link: the page opens, and asks for everything itself.
            Some(_) => safe && word(headers, &SEC_FETCH_DEST) == Some("document"),
        }
    }

    /// Finds the session's or the program's secret.
    fn secret(&self, headers: &HeaderMap, called: Called) -> Option<String> {
        if let Some(bearer) = word(headers, &header::AUTHORIZATION) {
            return bearer.strip_prefix("Bearer ").map(|secret| secret.trim().to_owned());
        }
        if called == Called::Address {
            return None;
        }
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == COOKIE).map(|(_, word)| self.secret_of(word))
    }

    /// Asks the vault who this is.
    async fn caller(&self, headers: &HeaderMap, called: Called) -> Result<Option<Caller>, ApiError> {
        let Some(secret) = self.secret(headers, called) else { return Ok(None) };
        match self.token(&secret).await {
            Ok(Some(token)) => Ok(Some(Caller { token: Some(token), secret })),
            Ok(None) => Ok(None),
            Err(error) if error.kind == ErrorKind::Locked => {
                let standing = self.tickets.standing(&secret, now_ms());
                Ok(standing.map(|_| Caller { token: None, secret }))
            }
            Err(error) => Err(error),
        }
    }

    /// Finds the token of which this is the secret, and remembers it for when the vault is closed.
    async fn token(&self, secret: &str) -> Result<Option<Token>, ApiError> {
        let count = self.node.access_count();
        if let Some(token) = self.tickets.seen(secret, count, now_ms()) {
            return Ok(Some(token));
        }
        match self.node.token(secret.to_owned()).await? {
            Some(token) => {
                self.tickets.note(secret, count, &token);
                if token.browser {
                    self.tickets.remember(secret, known(&token));
                }
                Ok(Some(token))
            }
            // The vault was opened since, maybe by another program; maybe it is another vault.
            None if self.tickets.standing(secret, now_ms()) == Some(Standing::Waiting) => {
                self.keep_session(secret).await.map(Some)
            }
            None => {
                self.tickets.forget(secret);
                Ok(None)
            }
        }
    }

    /// Tells how long somebody who listens may go on, if nothing else happens; none if not at all.
    pub(crate) async fn may_listen(&self, secret: &str) -> Option<Duration> {
        match self.token(secret).await {
            Ok(Some(token)) => {
                let until_ms = token.expires_ms.unwrap_or(u64::MAX);
                Some(Duration::from_millis(until_ms.saturating_sub(now_ms())).min(LISTEN))
            }
            Err(error) if error.kind == ErrorKind::Locked => Some(LISTEN),
            Ok(None) | Err(_) => None,
        }
    }

    async fn answer(self: &Arc<Self>, mut request: Request, next: Next) -> Response {
        let Some(called) = self.called(&request) else {
            return (StatusCode::MISDIRECTED_REQUEST, WRONG_HOST).into_response();
        };
        if !self.comes_from_here(&request, called) {
            return (StatusCode::FORBIDDEN, FOREIGN).into_response();
        }
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        if !is_api(&path) {
            return page::file(&path, request.headers());
        }
        let caller = match self.caller(request.headers(), called).await {
            Ok(caller) => caller,
            Err(error) => return Refusal(error).into_response(),
        };
        match &caller {
            Some(Caller { token: None, secret }) if while_closed(&method, &path) => {
                if opens(&method, &path) {
                    let secret = secret.clone();
                    request.extensions_mut().insert(Caller { token: None, secret: secret.clone() });
                    return self.open_again(secret, request, next).await;
                }
            }
            Some(Caller { token: None, .. }) => return Refusal(closed()).into_response(),
            Some(Caller { token: Some(token), .. }) if token.scope >= needed(&method, &path) => {}
            Some(_) => return Refusal(out_of_scope()).into_response(),
            None if is_banner(&method, &path) => {}
            // Under an address there are only programs that hold a token. The page's name is known to who may look into
            // the home, or was let in.
            None if called == Called::Page && method == Method::POST && path == UNLOCK => {
                return self.try_open(request, next).await;
            }
            None => return unknown(),
        }
        if let Some(caller) = caller {
            request.extensions_mut().insert(caller);
        }
        next.run(request).await
    }

    /// Lets somebody with a session open the vault. He keeps it, whichever vault it is then: nobody who looks on shall see whether the
    /// passphrase was the one that empties it.
    async fn open_again(self: &Arc<Self>, secret: String, request: Request, next: Next) -> Response {
        // Before: what the page asks as soon as it hears that the vault is open is asked by the same session.
        let before = self.tickets.standing(&secret, now_ms());
        self.tickets.remember(&secret, Standing::Waiting);
        let gate = Arc::clone(self);
        // Whoever hangs up learns no more than who waits.
        let opened = tokio::spawn(async move {
            let response = next.run(request).await;
            if response.extensions().get::<OpenedBy>().is_none() {
                gate.tickets.put_back(&secret, before);
            }
            response
        });
        opened.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }

    /// Lets somebody without a session try a passphrase; who knows it gets one.
    async fn try_open(self: &Arc<Self>, mut request: Request, next: Next) -> Response {
        let Ok(turn) = Arc::clone(&self.trying).try_lock_owned() else {
            return Refusal::busy();
        };
        match self.node.status().await {
            Ok(status) if status.locked => {}
            Ok(_) => return unknown(),
            Err(error) => return Refusal(error).into_response(),
        }
        request.extensions_mut().insert(Stranger);
        let gate = Arc::clone(self);
        // Who hangs up does not get his next turn any sooner.
        let tried = tokio::spawn(async move {
            let response = gate.guess(request, next).await;
            drop(turn);
            response
        });
        tried.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }

    async fn guess(&self, request: Request, next: Next) -> Response {
        let mut response = next.run(request).await;
        if response.extensions().get::<OpenedBy>().is_none() {
            // A guess costs time, and nobody else can guess meanwhile.
            sleep(GUESS).await;
            // It was open before: that says nothing of the passphrase.
            return if response.status().is_success() { unknown() } else { response };
        }
        let word = tickets::secret::<32>();
        match self.keep_session(&self.secret_of(&word)).await {
            Ok(_) => {
                response.headers_mut().insert(header::SET_COOKIE, cookie(&word, SESSION_S));
                response
            }
            Err(error) => Refusal(error).into_response(),
        }
    }
}

/// Lets a request through the gate and says of every answer what a browser may do with it.
pub(super) async fn pass(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let mut response = gate.answer(request, next).await;
    let headers = response.headers_mut();
    headers.insert(MARK, gate.mark.clone());
    for (name, value) in ALWAYS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn cookie(word: &str, max_age_s: u64) -> HeaderValue {
    let text = format!("{COOKIE}={word}; Path=/v1; Max-Age={max_age_s}; HttpOnly; SameSite=Strict");
    HeaderValue::try_from(text).expect("hexadecimal digits stand in a header")
}

fn word<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    // What is no text is something, and not what is wanted.
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

fn is_api(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}

/// What anybody of this user may ask: whether there is a vault and whether it is open, and to trade in a link.
fn is_banner(method: &Method, path: &str) -> bool {
    (method == Method::GET && path == "/v1/vault") || (method == Method::POST && path == SESSION)
}

fn out_of_scope() -> ApiError {
    ApiError::new(ErrorKind::NotAllowed, "this token's scope does not include that")
        .hint("issue one with more scope: \"hexode tokens issue\"")
}

fn closed() -> ApiError {
    ApiError::new(ErrorKind::Locked, "the node is locked").hint("unlock it first")
}

pub(crate) fn unknown() -> Response {
    let error = ApiError::new(ErrorKind::NotAllowed, "no session and no token that holds")
        .hint("run \"hexode open\"");
    let mut response = Refusal(error).into_response();
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response
}

/// What is remembered of a session that the vault knows.
fn known(token: &Token) -> Standing {
    Standing::Known { until_ms: token.expires_ms.unwrap_or(u64::MAX) }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

const UNLOCK: &str = "/v1/unlock";
const SESSION: &str = "/v1/web/session";
const COOKIE: &str = "hexode";
const SESSION_S: u64 = 30 * 24 * 3600;
/// How long somebody listens at most before he has to come again.
const LISTEN: Duration = Duration::from_secs(SESSION_S);
const GUESS: Duration = Duration::from_secs(1);
const WRONG_HOST: &str = "this is not the address under which the page is served; run `hexode open`\n";
const FOREIGN: &str = "asked for by another page\n";
const MARK: HeaderName = HeaderName::from_static("hexode-mark");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Stands on every answer. The page gets everything from its own node: no script, style, picture or frame of others.
const ALWAYS: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; \
         connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("permissions-policy", "geolocation=(), payment=(), usb=(), camera=(self), microphone=(self)"),
];
