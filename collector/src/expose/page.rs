//! The web page, embedded in the binary by `build.rs`: one document for every address of the page, and its
//! hashed assets. Files are looked up by their exact name in a table made at build time, so no path of a
//! request ever reaches a file system.

use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// The addresses of the page's views: the same document, which looks at its own address.
const VIEWS: [&str; 5] = ["/", "/p/{name}", "/t/{id}", "/incidents", "/unmapped"];

/// Nothing but our own files runs, loads or connects; no inline script or style; and the page's code cannot
/// make markup out of text (trusted types), which is what keeps names and log lines from the network inert.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// The name of an asset holds a hash of its content, so it may be kept for ever; the document that names them
/// may not.
const FOREVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

struct EmbeddedFile {
    folder: &'static str,
    name: &'static str,
    bytes: &'static [u8],
    gzip: &'static [u8],
}

static FILES: &[EmbeddedFile] = include!(concat!(env!("OUT_DIR"), "/page_files.rs"));

/// The routes of the page and its assets; they need no state, so they merge into any router.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    VIEWS.iter().fold(Router::new().route("/assets/{name}", get(asset)), |router, view| {
        router.route(view, get(document))
    })
}

async fn document(headers: HeaderMap) -> Response {
    serve("", "index.html", ASK_AGAIN, &headers)
}

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    serve("assets", &name, FOREVER, &headers)
}

fn serve(folder: &str, name: &str, cache: &'static str, request: &HeaderMap) -> Response {
    let protection = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    let Some(file) = FILES.iter().find(|file| file.folder == folder && file.name == name) else {
        let text = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store")];
        return (StatusCode::NOT_FOUND, protection, text, "no such file in this build of the page\n")
            .into_response();
    };
    let description = [(CONTENT_TYPE, content_type(name)), (CACHE_CONTROL, cache), (VARY, "accept-encoding")];
    if accepts_gzip(request) {
        return (protection, description, [(CONTENT_ENCODING, "gzip")], file.gzip).into_response();
    }
    (protection, description, file.bytes).into_response()
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// Browsers all send a plain `gzip`; whoever refuses it with `q=0` gets the bytes as they are.
fn accepts_gzip(request: &HeaderMap) -> bool {
    let accepted = request.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip")
            && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use flate2::read::GzDecoder;
    use std::io::Read;
    use tower::ServiceExt;

    use super::*;

    async fn send(method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        let request =
            headers.iter().fold(Request::builder().method(method).uri(path), |request, (name, value)| {
                request.header(*name, *value)
            });
        routes::<()>().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn fetch(path: &str) -> Response {
        send("GET", path, &[]).await
    }

    async fn body(response: Response) -> Vec<u8> {
        to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()
    }

    fn header(response: &Response, name: &str) -> String {
        response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    fn asset_path(extension: &str) -> String {
        let file =
            FILES.iter().find(|file| file.folder == "assets" && file.name.ends_with(extension)).unwrap();
        format!("/assets/{}", file.name)
    }

    #[tokio::test]
    async fn every_view_gives_the_document() {
        for path in [
            "/",
            "/p/sberbank",
            "/p/name%40staging",
            "/t/0af7651916cd43dd8448eb211c80319c",
            "/incidents",
            "/unmapped",
        ] {
            let response = fetch(path).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8", "{path}");
            assert_eq!(header(&response, "cache-control"), "no-cache", "{path}");
            assert!(body(response).await.starts_with(b"<!doctype html>"), "{path}");
        }
    }

    #[tokio::test]
    async fn everything_the_document_names_is_embedded_with_its_type_and_may_be_kept() {
        let document = String::from_utf8(body(fetch("/").await).await).unwrap();
        let named: Vec<&str> = document.split('"').filter(|text| text.starts_with("/assets/")).collect();
        assert!(named.len() >= 3, "script, style and icon, found {named:?}");
        for path in named {
            let response = fetch(path).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(header(&response, "cache-control"), FOREVER, "{path}");
        }
        for (extension, want) in [
            (".js", "text/javascript; charset=utf-8"),
            (".css", "text/css; charset=utf-8"),
            (".svg", "image/svg+xml"),
        ] {
            assert_eq!(header(&fetch(&asset_path(extension)).await, "content-type"), want);
        }
    }

    #[tokio::test]
    async fn the_document_has_no_inline_script_or_style_and_asks_nobody_else() {
        let document = String::from_utf8(body(fetch("/").await).await).unwrap();
        assert!(!document.contains("style="), "an inline style");
        assert!(!document.contains("<style"), "an inline style sheet");
        assert!(!document.contains("://"), "a request to somebody else");
        let scripts: Vec<&str> = document.split("<script").skip(1).collect();
        assert!(scripts.iter().all(|script| script.contains("src=\"/assets/")), "{scripts:?}");
    }

    #[tokio::test]
    async fn every_answer_carries_the_protective_headers() {
        for path in ["/", &asset_path(".js"), "/assets/none.js"] {
            let response = fetch(path).await;
            assert_eq!(header(&response, "content-security-policy"), POLICY, "{path}");
            assert_eq!(header(&response, "x-content-type-options"), "nosniff", "{path}");
            assert_eq!(header(&response, "referrer-policy"), "no-referrer", "{path}");
        }
        assert!(!POLICY.contains("unsafe"));
    }

    #[tokio::test]
    async fn paths_out_of_the_page_find_nothing() {
        for path in [
            "/assets/..%2findex.html",
            "/assets/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
            "/assets/../index.html",
            "/assets/..%5c..%5cCargo.toml",
            "/assets/",
            "/assets/%00",
            "/assets/index.html",
            "/p/a/../../assets",
            "/index.html",
        ] {
            let response = fetch(path).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
            assert!(!String::from_utf8_lossy(&body(response).await).contains("doctype"), "{path}");
        }
        assert_eq!(fetch("/assets/%ff").await.status(), StatusCode::BAD_REQUEST);
    }

    #[tokio::test]
    async fn gzip_is_sent_to_those_who_take_it_and_holds_the_same_bytes() {
        for path in ["/", &asset_path(".js")] {
            let plain = body(fetch(path).await).await;
            for refused in ["identity", "br", "gzip;q=0", "gzip; q=0.000"] {
                let response = send("GET", path, &[("accept-encoding", refused)]).await;
                assert_eq!(header(&response, "content-encoding"), "", "{refused}");
            }
            let response = send("GET", path, &[("accept-encoding", "br, GZIP;q=0.8")]).await;
            assert_eq!(header(&response, "content-encoding"), "gzip");
            assert_eq!(header(&response, "vary"), "accept-encoding");
            let mut inflated = Vec::new();
            GzDecoder::new(&body(response).await[..]).read_to_end(&mut inflated).unwrap();
            assert_eq!(inflated, plain, "{path}");
        }
    }

    #[tokio::test]
    async fn head_has_the_headers_of_get_and_no_body() {
        for path in ["/", &asset_path(".css")] {
            let got = fetch(path).await;
            let kind = header(&got, "content-type");
            let size = body(got).await.len();
            let head = send("HEAD", path, &[]).await;
            assert_eq!(head.status(), StatusCode::OK);
            assert_eq!(header(&head, "content-length"), size.to_string());
            assert_eq!(header(&head, "content-type"), kind);
            assert!(body(head).await.is_empty());
        }
    }

    #[tokio::test]
    async fn other_methods_are_refused() {
        assert_eq!(send("POST", "/", &[]).await.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(send("DELETE", &asset_path(".js"), &[]).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[test]
    fn the_whole_page_stays_within_its_budget() {
        let total: usize = FILES.iter().map(|file| file.gzip.len()).sum();
        assert!(total <= 80_000, "{total} bytes gzip");
    }
}
