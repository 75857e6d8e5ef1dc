//! The loopback port: who gets in, and who does not, word for word as a browser or an attacker would send it.

use hexode_gateway::{Door, Ended, WebDoor, client::Client};
use node::{
    Node, Setup,
    api::{ApiError, Found, IssuedToken, NewToken, Scope, Token},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};
use vault::{Kdf, Options};

use crate::house::PASSPHRASE;

/// A node with a page.
pub(crate) struct Site {
    pub(crate) home: tempfile::TempDir,
    pub(crate) client: Client,
    /// `hexode-….localhost:PORT`.
    pub(crate) host: String,
    node: Node,
    served: JoinHandle<Ended>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Site {
    pub(crate) async fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap()).await
    }

    /// Starts the node anew in the same home, once it has stopped.
    async fn again(self) -> Self {
        self.served.await.unwrap();
        self.node.stop().await;
        Self::at(self.home).await
    }

    async fn at(home: tempfile::TempDir) -> Self {
        let door = Door::open(home.path()).unwrap();
        let web = WebDoor::open(home.path(), None).await.unwrap();
        let host = web.address().trim_start_matches("http://").trim_end_matches('/').to_owned();
        let door = door.with_web(web);
        let node = Node::start(Setup {
            home: home.path().to_owned(),
            bind: vec!["127.0.0.1:0".parse().unwrap()],
            fixed: Vec::new(),
            lan: false,
            tcp: true,
            mapping: false,
            willing: Default::default(),
            dht: node::Dht::Off,
            vault: Options {
                kdf: Some(Kdf::Argon2id { memory_kib: 64, passes: 1, lanes: 1 }),
                ..Options::default()
            },
        })
        .unwrap();
        let client = Client::new(home.path());
        let served = tokio::spawn(door.serve(node.clone(), std::future::pending()));
        Self { home, client, host, node, served }
    }

    pub(crate) async fn open() -> Self {
        let site = Self::new().await;
        site.client.create(PASSPHRASE.into()).await.unwrap();
        site
    }

    pub(crate) fn port(&self) -> &str {
        self.host.rsplit_once(':').unwrap().1
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(format!("127.0.0.1:{}", self.port())).await.unwrap()
    }

    /// Sends a request with these headers and takes the answer apart.
    pub(crate) async fn say(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = self.connect().await;
        let mut request = format!("{line} HTTP/1.1\r\ncontent-length: {}\r\n", body.len());
        headers.iter().for_each(|(name, value)| request += &format!("{name}: {value}\r\n"));
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    /// Asks as the page itself would.
    pub(crate) async fn page(&self, line: &str, cookie: &str, body: &str) -> Answer {
        let origin = format!("http://{}", self.host);
        let headers = [
            ("host", &*self.host),
            ("origin", &*origin),
            ("sec-fetch-site", "same-origin"),
            ("cookie", cookie),
        ];
        self.say(line, &headers, body).await
    }

    async fn ticket(&self) -> String {
        let link = self.client.open_link().await.unwrap();
        assert!(link.url.starts_with(&format!("http://{}/#open=", self.host)), "{link:?}");
        link.url.split_once("#open=").unwrap().1.to_owned()
    }

    /// Opens the page by a link and returns the cookie.
    pub(crate) async fn enter(&self) -> String {
        let ticket = format!("{{\"ticket\":\"{}\"}}", self.ticket().await);
        let answer = self.page("POST /v1/web/session", "", &ticket).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        answer.cookie()
    }
}

impl Answer {
    fn mark(&self) -> String {
        self.head.lines().find(|line| line.starts_with("hexode-mark: ")).unwrap().to_owned()
    }

    pub(crate) fn cookie(&self) -> String {
        let line = self.head.lines().find(|line| line.starts_with("set-cookie: ")).unwrap();
        for word in ["httponly", "samesite=strict", "path=/v1"] {
            assert!(line.contains(word), "{line}");
        }
        line.trim_start_matches("set-cookie: ").split(';').next().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_link_opens_the_page_once_and_the_cookie_does_the_rest() {
    let site = Site::open().await;
    let ticket = format!("{{\"ticket\":\"{}\"}}", site.ticket().await);
    let first = site.page("POST /v1/web/session", "", &ticket).await;
    let cookie = first.cookie();
    assert_eq!(site.page("GET /v1/circles", &cookie, "").await.status, 200);
    assert_eq!(site.page("POST /v1/web/session", "", &ticket).await.status, 403, "a link is used once");
    for cookie in ["", "hexode=", "hexode=0", "other=1"] {
        assert_eq!(site.page("GET /v1/circles", cookie, "").await.status, 401, "{cookie}");
    }
    let sessions = site.client.tokens().await.unwrap();
    assert!(matches!(&sessions[..], [Token { browser: true, scope: Scope::Admin, .. }]), "{sessions:?}");
    assert_eq!(site.page("DELETE /v1/web/session", &cookie, "").await.status, 204);
    assert_eq!(site.page("GET /v1/circles", &cookie, "").await.status, 401, "signed out");
}

#[tokio::test]
async fn a_name_rebound_to_this_machine_gets_nothing() {
    let site = Site::open().await;
    let cookie = site.enter().await;
    let port = site.port();
    let hosts = [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("{}.evil.example", site.host),
        format!("hexode-000000000000.localhost:{port}"),
        format!("x.{}", site.host),
        site.host.replace(port, "1"),
        String::new(),
    ];
    for host in &hosts {
        for line in ["GET /", "GET /app.js", "GET /v1/vault", "GET /v1/circles", "POST /v1/unlock"] {
            let headers = [("host", &**host), ("sec-fetch-site", "same-origin"), ("cookie", &cookie)];
            let answer = site.say(line, &headers, "").await;
            assert!(matches!(answer.status, 421 | 400), "{line} at {host}: {answer:?}");
            assert!(!answer.body.contains("locked") && !answer.body.contains("script"), "{answer:?}");
        }
    }
    let twice = [("host", &*site.host), ("host", "evil.example"), ("sec-fetch-site", "same-origin")];
    assert!(matches!(site.say("GET /v1/vault", &twice, "").await.status, 421 | 400));
    // A whole address in the request's line counts for no more.
    let line = "GET http://evil.example/v1/vault";
    assert_eq!(site.say(line, &[("host", &site.host)], "").await.status, 421);
}

#[tokio::test]
async fn other_pages_can_ask_for_nothing_with_this_browsers_cookie() {
    let site = Site::open().await;
    let cookie = site.enter().await;
    let own = format!("http://{}", site.host);
    let elsewhere = format!("http://127.0.0.1:{}", site.port());
    let body = "{\"name\":\"x\",\"member\":\"x\",\"device\":\"x\"}";
    // From elsewhere: another site, another port of this machine, a sandboxed frame, and those who say nothing.
    for (origin, fetch) in [
        (Some("https://evil.example"), Some("cross-site")),
        (Some("http://localhost:1"), Some("same-site")),
        (Some(&*elsewhere), Some("same-site")),
        (Some("null"), Some("cross-site")),
        (Some("https://evil.example"), None),
        (Some("https://evil.example"), Some("same-origin")),
        (Some(&*own), Some("cross-site")),
        (Some(&*own), None),
        (None, None),
        (None, Some("none")),
        (None, Some("same-origin")),
    ] {
        let mut headers = vec![("host", &*site.host), ("cookie", &*cookie)];
        headers.extend(origin.map(|origin| ("origin", origin)));
        headers.extend(fetch.map(|fetch| ("sec-fetch-site", fetch)));
        let answer = site.say("POST /v1/circles", &headers, body).await;
        assert_eq!(answer.status, 403, "{origin:?} {fetch:?}");
        if fetch != Some("same-origin") || origin == Some("https://evil.example") {
            for line in ["GET /v1/events", "GET /v1/circles", "GET /v1/vault"] {
                assert_eq!(site.say(line, &headers, "").await.status, 403, "{line} {origin:?} {fetch:?}");
            }
        }
    }
    assert!(site.client.circles().await.unwrap().is_empty());
    // What another page may do is to be left for this one; embed it, or load its parts, it may not.
    for (destination, status) in [("document", 200), ("iframe", 403), ("script", 403), ("image", 403)] {
        let headers =
            [("host", &*site.host), ("sec-fetch-site", "cross-site"), ("sec-fetch-dest", destination)];
        assert_eq!(site.say("GET /", &headers, "").await.status, status, "{destination}");
    }
    // No answer says that another page may read it.
    let headers =
        [("host", &*site.host), ("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    let answer = site.say("OPTIONS /v1/circles", &headers, "").await;
    assert!(answer.status == 403 && !answer.head.contains("access-control"), "{answer:?}");
}

#[tokio::test]
async fn every_answer_says_what_a_browser_may_do_with_it() {
    let site = Site::open().await;
    let cookie = site.enter().await;
    let answers = [
        site.page("GET /", "", "").await,
        site.page("GET /app.js", "", "").await,
        site.page("GET /nothing", "", "").await,
        site.page("GET /v1/circles", &cookie, "").await,
        site.page("GET /v1/circles", "", "").await,
        site.say("GET /", &[("host", "evil.example")], "").await,
    ];
    for answer in answers {
        for header in [
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "referrer-policy: no-referrer",
            "cross-origin-resource-policy: same-origin",
            "cross-origin-opener-policy: same-origin",
            "cache-control: no-",
        ] {
            assert!(answer.head.contains(header), "{header}: {answer:?}");
        }
        assert!(!answer.head.contains("unsafe"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_locked_node_shows_its_banner_and_takes_a_passphrase() {
    let site = Site::open().await;
    let cookie = site.enter().await;
    site.client.lock().await.unwrap();
    let banner = site.page("GET /v1/vault", "", "").await;
    assert_eq!((banner.status, &*banner.body), (200, "{\"exists\":true,\"locked\":true}"));
    for line in ["GET /v1/status", "GET /v1/circles", "GET /v1/events", "POST /v1/stop", "POST /v1/vault"] {
        assert_eq!(site.page(line, "", "{\"passphrase\":\"x\"}").await.status, 401, "{line}");
    }
    // A browser that was known goes on being known, and still sees nothing.
    assert_eq!(site.page("GET /v1/status", &cookie, "").await.status, 200);
    assert_eq!(site.page("GET /v1/circles", &cookie, "").await.status, 423);

    let wrong = site.page("POST /v1/unlock", "", "{\"passphrase\":\"not the passphrase\"}").await;
    assert_eq!(wrong.status, 400);
    assert!(!wrong.head.contains("set-cookie"), "{wrong:?}");
    let right = site.page("POST /v1/unlock", "", &format!("{{\"passphrase\":\"{PASSPHRASE}\"}}")).await;
    assert_eq!(right.status, 204);
    assert_eq!(site.page("GET /v1/circles", &right.cookie(), "").await.status, 200);
    assert_eq!(site.page("GET /v1/circles", &cookie, "").await.status, 200);
}

#[tokio::test]
async fn an_open_node_gives_nobody_a_session_for_a_wrong_passphrase() {
    let site = Site::open().await;
    for passphrase in ["not the passphrase", PASSPHRASE] {
        let answer = site.page("POST /v1/unlock", "", &format!("{{\"passphrase\":\"{passphrase}\"}}")).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(!answer.head.contains("set-cookie"), "{answer:?}");
    }
}

#[tokio::test]
async fn who_was_let_in_before_there_was_a_vault_makes_it_and_stays() {
    let site = Site::new().await;
    assert_eq!(
        site.page("POST /v1/vault", "", &format!("{{\"passphrase\":\"{PASSPHRASE}\"}}")).await.status,
        401
    );
    let cookie = site.enter().await;
    let made = site.page("POST /v1/vault", &cookie, &format!("{{\"passphrase\":\"{PASSPHRASE}\"}}")).await;
    assert_eq!(made.status, 204, "{made:?}");
    assert_eq!(site.page("GET /v1/circles", &cookie, "").await.status, 200);
    assert_eq!(site.client.tokens().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_token_reaches_as_far_as_its_scope_until_it_is_revoked() {
    let site = Site::open().await;
    let found = Found { name: "Friends".into(), member: "Ann".into(), device: "laptop".into() };
    let circle = site.client.found(&found).await.unwrap().id;
    let mut issued = Vec::new();
    for (name, scope) in [("reader", Scope::Read), ("writer", Scope::Write), ("admin", Scope::Admin)] {
        issued.push(site.client.issue_token(&NewToken { name: name.into(), scope }).await.unwrap());
    }
    let host = format!("127.0.0.1:{}", site.port());
    let send = "{\"to\":\"everyone\",\"text\":\"hello\"}";
    let invite = "{\"role\":\"member\",\"valid_s\":60}";
    for (at, IssuedToken { secret, .. }) in issued.iter().enumerate() {
        let bearer = format!("Bearer {secret}");
        let headers = [("host", &*host), ("authorization", &*bearer)];
        let expected = [
            ("GET /v1/circles".to_owned(), "", true),
            (format!("POST /v1/circles/{circle}/messages"), send, at >= 1),
            (format!("GET /v1/circles/{circle}/invitations"), "", at >= 2),
            (format!("POST /v1/circles/{circle}/invitations"), invite, at >= 2),
            ("GET /v1/tokens".into(), "", at >= 2),
        ];
        for (line, body, allowed) in expected {
            let answer = site.say(&line, &headers, body).await;
            assert_eq!(answer.status, if allowed { 200 } else { 403 }, "{line} as {at}: {answer:?}");
        }
        // A token is no session: what a browser says of itself is wrong here.
        let from_page = [headers[0], headers[1], ("sec-fetch-site", "cross-site")];
        assert_eq!(site.say("GET /v1/circles", &from_page, "").await.status, 403);
    }
    let reader = &issued[0];
    let files = std::fs::read_dir(site.home.path().join("vault")).unwrap();
    for file in files.map(|file| std::fs::read(file.unwrap().path()).unwrap()) {
        assert!(!file.windows(reader.secret.len()).any(|part| part == reader.secret.as_bytes()));
    }

    // Whoever listens when his token is revoked hears nothing more.
    let mut listener = site.connect().await;
    let request =
        format!("GET /v1/events HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\n\r\n", reader.secret);
    listener.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    listener.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    site.client.revoke_token(&reader.token.id).await.unwrap();
    let mut rest = String::new();
    listener.read_to_string(&mut rest).await.unwrap();
    assert!(!rest.contains("data:"), "{rest}");
    let bearer = format!("Bearer {}", reader.secret);
    let answer = site.say("GET /v1/circles", &[("host", &host), ("authorization", &bearer)], "").await;
    assert_eq!(answer.status, 401);
    let error: ApiError = serde_json::from_str(&answer.body).unwrap();
    assert!(error.hint.is_some(), "{error:?}");
}

#[tokio::test]
async fn the_page_keeps_its_port_and_takes_a_new_name_at_each_start() {
    let home = tempfile::tempdir().unwrap();
    let parts = |door: &WebDoor| {
        let address = door.address();
        let (name, port) = address.split_once(".localhost:").unwrap();
        (name.to_owned(), port.to_owned())
    };
    let first = WebDoor::open(home.path(), None).await.unwrap();
    // Its port is taken: another one.
    let second = WebDoor::open(home.path(), None).await.unwrap();
    assert_ne!(parts(&second).1, parts(&first).1);
    let (name, port) = parts(&second);
    drop((first, second));
    let again = WebDoor::open(home.path(), None).await.unwrap();
    assert_eq!(parts(&again).1, port);
    assert_ne!(parts(&again).0, name, "what a browser gave at the old name, to whomever, is worth nothing");
    assert!(!std::fs::read_to_string(home.path().join("web.json")).unwrap().contains("hexode-"));
}

#[tokio::test]
async fn nobody_else_answers_at_the_pages_port() {
    let site = Site::open().await;
    for taken in [
        format!("[::1]:{}", site.port()),
        format!("[::]:{}", site.port()),
        format!("0.0.0.0:{}", site.port()),
    ] {
        let error = std::net::TcpListener::bind(&taken).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse, "{taken}");
    }
    // Both are the same door, with the same gate.
    let mut stream = TcpStream::connect(format!("[::1]:{}", site.port())).await.unwrap();
    stream
        .write_all(format!("GET /v1/circles HTTP/1.1\r\nhost: {}\r\n\r\n", site.host).as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");

    // Where somebody has one half of the port already, it is another port.
    let home = tempfile::tempdir().unwrap();
    let squatter = std::net::TcpListener::bind("[::1]:0").unwrap();
    let port = squatter.local_addr().unwrap().port();
    std::fs::write(home.path().join("web.json"), format!("{{\"port\":{port}}}")).unwrap();
    let door = WebDoor::open(home.path(), None).await.unwrap();
    assert!(!door.address().ends_with(&format!(":{port}/")), "{}", door.address());
    assert!(WebDoor::open(home.path(), Some(port)).await.is_err());
}

#[tokio::test]
async fn a_session_ends_with_the_start_it_was_made_at() {
    let site = Site::open().await;
    let cookie = site.enter().await;
    let mark = site.page("GET /v1/vault", "", "").await.mark();
    assert_eq!(site.page("GET /v1/circles", &cookie, "").await.mark(), mark);
    site.client.stop().await.unwrap();
    let site = site.again().await;
    site.client.unlock(PASSPHRASE.into()).await.unwrap();
    assert_ne!(site.page("GET /v1/vault", "", "").await.mark(), mark, "the page knows its node by it");
    // Whoever got hold of it while the node was down, under the old name or the new one.
    assert_eq!(site.page("GET /v1/circles", &cookie, "").await.status, 401);
    site.enter().await;
    assert_eq!(site.client.tokens().await.unwrap().len(), 1, "the old one made room");
}
