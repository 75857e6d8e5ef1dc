//! What the door promises to whoever knocks: only right requests are carried out, every other gets an error
//! that a program can read, and nobody can keep the others out.

use std::time::Duration;

use crate::house::House;
use hexode_gateway::{Ended, client::ClientError, socket_path};
use node::api::{ApiError, ErrorKind};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

/// Sends one request by hand and takes the answer apart.
async fn refused(house: &House, head: &str, body: &str) -> (u16, ApiError) {
    let request = format!("{head} HTTP/1.1\r\nhost: node\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let answer = house.raw(&request).await;
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
}

#[tokio::test]
async fn what_is_not_right_is_refused_in_words() {
    let house = House::open().await;
    let id = "a".repeat(52);
    let long = format!("{{\"to\":\"everyone\",\"text\":\"{}\"}}", "x".repeat(600 << 10));
    let cases = [
        ("GET /v1/nothing", "", 404, "there is no such address"),
        ("DELETE /v1/status", "", 404, "there is no such method"),
        ("GET /v1/circles/abc", "", 400, "not an id"),
        ("GET /v1/circles/%2e%2e%2f", "", 400, "not an id"),
        (
            &*format!("GET /v1/circles/{id}/conversations/{id}/messages?limit=x"),
            "",
            400,
            "the query is wrong",
        ),
        (&*format!("GET /v1/circles/{id}/conversations/{id}/messages?lim=5"), "", 400, "the query is wrong"),
        ("POST /v1/circles", "", 400, "the request's body does not fit"),
        ("POST /v1/circles", "{\"name\":", 400, "the request's body does not fit"),
        (
            "POST /v1/circles",
            "{\"name\":\"a\",\"member\":\"b\",\"device\":\"c\",\"colour\":\"d\"}",
            400,
            "unknown field `colour`",
        ),
        (&*format!("POST /v1/circles/{id}/messages"), &*long, 400, "larger than 512 KiB"),
        (&*format!("GET /v1/circles/{id}/members"), "", 404, "circle"),
    ];
    for (head, body, status, message) in cases {
        let (found, error) = refused(&house, head, body).await;
        assert_eq!(found, status, "{head}: {error:?}");
        assert!(error.message.contains(message), "{head}: {error:?}");
    }
    assert!(!house.client.status().await.unwrap().locked);
}

#[tokio::test]
async fn what_is_not_http_is_let_go() {
    let house = House::new().await;
    for noise in ["\r\n\r\n\r\n", "\u{0}\u{1}\u{2}\r\n", "GET", &"x".repeat(1 << 20)] {
        let mut stream = house.connect().await;
        // The door may close before all is written: that is its right.
        let _ = stream.write_all(noise.as_bytes()).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{noise:.10?}: {answer:?}");
    }
    house.client.status().await.unwrap();
}

#[tokio::test]
async fn ten_thousand_who_say_nothing_keep_nobody_out() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();

    let house = House::new().await;
    let mut silent = Vec::new();
    while silent.len() < 10_000 {
        let mut stream = house.connect().await;
        // Half of them begin a request and never end it.
        if silent.len() % 2 == 0 {
            stream.write_all(b"GET /v1/status HTTP/1.1\r\nhost:").await.unwrap();
        }
        silent.push(stream);
        if silent.len() % 1000 == 0 {
            let status = timeout(Duration::from_secs(5), house.client.status()).await;
            status.expect("the door is blocked").unwrap();
        }
    }
    let mut first = silent.swap_remove(0);
    assert_eq!(first.read(&mut [0]).await.unwrap_or(0), 0, "the first made room");
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_for_long_is_let_go() {
    let house = House::new().await;
    let mut stream = house.connect().await;
    let begun = tokio::time::Instant::now();
    assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
    assert_eq!(begun.elapsed().as_secs(), 10);

    // The same for a body that does not come.
    stream = house.connect().await;
    stream.write_all(b"POST /v1/unlock HTTP/1.1\r\nhost: node\r\ncontent-length: 9\r\n\r\n{").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("did not arrive in time"), "{answer}");
}

#[tokio::test]
async fn listeners_are_counted_and_forgotten_when_they_leave() {
    let house = House::new().await;
    let mut listening = Vec::new();
    for _ in 0..64 {
        listening.push(house.client.events().await.unwrap());
    }
    let refused = house.client.events().await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused(ApiError { kind: ErrorKind::Config, .. })), "{refused:?}");
    house.client.status().await.unwrap();

    listening.clear();
    // Seen by the door when the kernel tells it, which is soon and not at once.
    let again = async {
        while house.client.events().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), again).await.expect("a place comes free");
}

#[tokio::test]
async fn stop_answers_ends_the_listeners_and_removes_the_socket() {
    let house = House::new().await;
    let mut events = house.client.events().await.unwrap();
    house.client.stop().await.unwrap();
    assert_eq!(events.next().await.unwrap(), None);
    assert_eq!(house.served.await.unwrap(), Ended::ByRequest);
    assert!(!socket_path(house.home.path()).exists());
    let error = house.client.status().await.unwrap_err();
    assert!(matches!(error, ClientError::NoNode { .. }), "{error:?}");
}
