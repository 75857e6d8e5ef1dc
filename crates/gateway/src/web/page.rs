//! The page's files, as the build of `web/` left them in `web/dist`; they are part of the program.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

/// One file of the page.
struct File {
    path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

macro_rules! files {
    ($($path:literal => $kind:literal,)*) => {
        &[$(File {
            path: $path,
            kind: $kind,
            bytes: include_bytes!(concat!("../../../../web/dist", $path)),
        },)*]
    };
}

/// The first stands for `/`, too: the page finds its way by what is behind `#`.
const FILES: &[File] = files! {
    "/index.html" => "text/html; charset=utf-8",
    "/app.js" => "text/javascript; charset=utf-8",
    "/app.css" => "text/css; charset=utf-8",
    "/icon.svg" => "image/svg+xml",
    "/manifest.webmanifest" => "application/manifest+json",
};

/// Answers with a file of the page.
pub(super) fn file(path: &str, asked: &HeaderMap) -> Response {
    let path = if path == "/" { "/index.html" } else { path };
    let Some(file) = FILES.iter().find(|file| file.path == path) else {
        return (StatusCode::NOT_FOUND, "there is no such file\n").into_response();
    };
    let tag = tag(file.bytes);
    if asked.get(header::IF_NONE_MATCH) == Some(&tag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    let head = [
        (header::CONTENT_TYPE, HeaderValue::from_static(file.kind)),
        // Another version of the program has another page: the browser asks each time, which costs nothing here.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::ETAG, tag),
    ];
    (head, file.bytes).into_response()
}

fn tag(bytes: &[u8]) -> HeaderValue {
    let hash = crypto::hash("hexode/gateway/page/1", &[bytes]);
    let text: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::try_from(format!("\"{text}\"")).expect("hexadecimal digits stand in a header")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_brings_no_script_and_no_style_inside_its_html() {
        let page = std::str::from_utf8(FILES[0].bytes).unwrap();
        assert!(page.contains("<script type=\"module\"") && page.contains("src=\"/app.js\""), "{page}");
        assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" on"), "{page}");
    }

    #[test]
    fn a_file_that_the_browser_has_is_not_sent_again() {
        let first = file("/app.js", &HeaderMap::new());
        let mut asked = HeaderMap::new();
        asked.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        assert_eq!(file("/app.js", &asked).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(file("/", &asked).status(), StatusCode::OK);
        assert_eq!(file("/../Cargo.toml", &asked).status(), StatusCode::NOT_FOUND);
    }
}
