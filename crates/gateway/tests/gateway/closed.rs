//! The loopback port while the vault is closed: who is still known there, who may try a passphrase, and how often.

use node::api::SetGuard;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{house::PASSPHRASE, web::Site};

const DURESS: &str = "what I say when I am forced";

fn body(passphrase: &str) -> String {
    format!("{{\"passphrase\":\"{passphrase}\"}}")
}

async fn guard(site: &Site, tries: Option<u32>, duress: Option<&str>) {
    let duress = duress.map(str::to_owned);
    let guard = SetGuard { passphrase: PASSPHRASE.into(), lock_after_s: None, tries, duress };
    site.client.set_guard(&guard).await.unwrap();
}

#[tokio::test]
async fn a_session_that_was_revoked_gets_nothing_back_by_a_lock() {
    let site = Site::open().await;
    let cookie = site.enter().await;
    assert_eq!(site.page("GET /v1/circles", &cookie, "").await.status, 200);
    let session = site.client.tokens().await.unwrap().remove(0);
    site.client.revoke_token(&session.id).await.unwrap();
    site.client.lock().await.unwrap();
    for line in ["GET /v1/status", "GET /v1/events", "POST /v1/stop", "POST /v1/wipe", "POST /v1/web/link"] {
        assert_eq!(site.page(line, &cookie, "").await.status, 401, "{line}");
    }
    site.client.unlock(PASSPHRASE.into()).await.unwrap();
    assert_eq!(site.page("GET /v1/circles", &cookie, "").await.status, 401);
}

#[tokio::test]
async fn while_the_vault_cannot_be_asked_a_session_lets_nobody_in_and_ends_nothing() {
    let site = Site::open().await;
    let cookie = site.enter().await;
    site.client.lock().await.unwrap();
    for line in ["POST /v1/web/link", "POST /v1/stop", "POST /v1/wipe", "POST /v1/tokens", "GET /v1/circles"]
    {
        let answer = site.page(line, &cookie, "{}").await;
        assert_eq!(answer.status, 423, "{line}: {answer:?}");
    }
    assert_eq!(site.page("GET /v1/status", &cookie, "").await.status, 200);
    assert!(site.client.vault().await.unwrap().exists);
}

#[tokio::test]
async fn in_the_page_nobody_sees_which_passphrase_it_was() {
    let mut seen = Vec::new();
    for passphrase in [PASSPHRASE, DURESS] {
        let site = Site::open().await;
        guard(&site, None, Some(DURESS)).await;
        let cookie = site.enter().await;
        site.client.lock().await.unwrap();
        let opened = site.page("POST /v1/unlock", &cookie, &body(passphrase)).await;
        let after = site.page("GET /v1/circles", &cookie, "").await;
        // What differs between any two nodes.
        let own = |line: &&str| line.starts_with("date: ") || line.starts_with("hexode-mark: ");
        let undated = |head: &str| head.lines().filter(|line| !own(line)).collect::<String>();
        seen.push((opened.status, undated(&opened.head), after.status, undated(&after.head), after.body));
    }
    assert_eq!(seen[0].0, 204);
    assert_eq!(seen[0].2, 200, "{seen:?}");
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_wrong_passphrase_makes_no_session_last_longer_than_its_vault() {
    let site = Site::open().await;
    guard(&site, None, Some(DURESS)).await;
    let cookie = site.enter().await;
    site.client.lock().await.unwrap();
    let answer = site.page("POST /v1/unlock", &cookie, &body("not the passphrase")).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(site.page("GET /v1/status", &cookie, "").await.status, 200, "it is still known");
    // Another one opens it, and it is another vault.
    site.client.unlock(DURESS.into()).await.unwrap();
    assert_eq!(site.page("GET /v1/circles", &cookie, "").await.status, 401);
}

#[tokio::test]
async fn who_is_not_let_in_never_uses_up_the_last_try() {
    let site = Site::open().await;
    guard(&site, Some(3), None).await;
    let cookie = site.enter().await;
    site.client.lock().await.unwrap();
    // Under an address nothing is tried at all.
    let host = format!("127.0.0.1:{}", site.port());
    for passphrase in ["not the passphrase", PASSPHRASE] {
        let answer = site.say("POST /v1/unlock", &[("host", &host)], &body(passphrase)).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    for left in [2, 1] {
        let answer = site.page("POST /v1/unlock", "", &body("not the passphrase")).await;
        assert_eq!(answer.status, 400, "{left}: {answer:?}");
    }
    for passphrase in ["not the passphrase", PASSPHRASE] {
        let answer = site.page("POST /v1/unlock", "", &body(passphrase)).await;
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(answer.body.contains("one try is left"), "{answer:?}");
    }
    assert!(site.client.vault().await.unwrap().exists);
    // A browser that was let in has them all.
    assert_eq!(site.page("POST /v1/unlock", &cookie, &body(PASSPHRASE)).await.status, 204);
}

#[tokio::test]
async fn who_hangs_up_does_not_guess_any_faster() {
    let site = Site::open().await;
    guard(&site, Some(100), None).await;
    site.client.lock().await.unwrap();
    let counted = site.home.path().join("vault/vault.guard");
    let before = std::fs::read(&counted).unwrap();
    let mut stream = site.connect().await;
    let guess = body("not the passphrase");
    let head = format!(
        "POST /v1/unlock HTTP/1.1\r\nhost: {host}\r\norigin: http://{host}\r\nsec-fetch-site: same-origin\r\n",
        host = site.host
    );
    let request = format!("{head}content-length: {}\r\n\r\n{guess}", guess.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    while std::fs::read(&counted).unwrap() == before {
        tokio::task::yield_now().await;
    }
    drop(stream);
    let answer = site.page("POST /v1/unlock", "", &guess).await;
    assert_eq!(answer.status, 503, "the first guess has its second: {answer:?}");
}

#[tokio::test]
async fn a_listener_leaves_when_his_session_ends_by_itself() {
    let site = Site::open().await;
    let cookie = site.enter().await;
    let mut stream = site.connect().await;
    let request = format!(
        "GET /v1/events HTTP/1.1\r\nhost: {}\r\nsec-fetch-site: same-origin\r\ncookie: {cookie}\r\n\r\n",
        site.host
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    let days = begun.elapsed().as_secs_f64() / 86_400.0;
    assert!((29.9..30.01).contains(&days), "{days}");
}
