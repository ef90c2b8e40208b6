use std::collections::BTreeSet;
use std::io::Read as _;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use axum::{Router, routing::get};
use data_encoding::BASE64;
use flate2::read::GzDecoder;
use sha2::{Digest as _, Sha256};
use tower_service::Service as _;

use super::{PREFIX, list, routes};
use crate::web::assets;

fn router() -> Router {
    let files: Router = routes().merge(assets::routes());
    files.route("/", get(|| async { "portal" }))
}

async fn ask(path: &str, headers: &[(&str, &str)]) -> Response {
    let request = headers
        .iter()
        .fold(Request::get(path), |request, (name, value)| {
            request.header(*name, *value)
        });
    let request = request.body(Body::empty()).unwrap();
    router().call(request).await.unwrap()
}

async fn bytes(response: Response) -> Bytes {
    to_bytes(response.into_body(), 1 << 22).await.unwrap()
}

async fn text(path: &str) -> String {
    let response = ask(path, &[]).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    String::from_utf8(bytes(response).await.to_vec()).unwrap()
}

/// The files that the service worker keeps, with their hashes.
fn kept() -> Vec<(String, String)> {
    let list = list();
    let rows = list.lines().filter_map(|line| {
        let row = line.trim().strip_suffix(',')?;
        serde_json::from_str(row).ok()
    });
    rows.collect()
}

#[tokio::test]
async fn everything_on_the_list_is_there_and_is_what_its_hash_says() {
    let kept = kept();
    assert!(kept.len() > 30, "{} files", kept.len());
    for (path, integrity) in kept {
        let response = ask(&path, &[]).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let hash = BASE64.encode(&Sha256::digest(bytes(response).await));
        assert_eq!(integrity, format!("sha256-{hash}"), "{path}");
    }
}

#[tokio::test]
async fn the_list_holds_whatever_the_app_loads_without_being_asked() {
    let kept: BTreeSet<String> = kept().into_iter().map(|(path, _)| path).collect();
    let page = text(PREFIX).await;
    for attribute in ["src=\"", "href=\""] {
        for rest in page.split(attribute).skip(1) {
            let path = rest.split('"').next().unwrap();
            assert!(path.starts_with('#') || kept.contains(path), "{path}");
        }
    }
    let scripts = kept
        .iter()
        .filter(|path| path.strip_suffix(".js").is_some() && path.starts_with(PREFIX));
    for script in scripts {
        let folder = script.rsplit_once('/').unwrap().0;
        for line in text(script).await.lines() {
            let Some((_, target)) = line.split_once(" from '").filter(|_| {
                let line = line.trim_start();
                line.starts_with("import ")
                    || line.starts_with("} from")
                    || line.starts_with("export ")
            }) else {
                continue;
            };
            let target = target.split('\'').next().unwrap();
            let path = match target.strip_prefix("./") {
                Some(beside) => format!("{folder}/{beside}"),
                None => match target.strip_prefix("../") {
                    Some(above) => format!("{}/{above}", folder.rsplit_once('/').unwrap().0),
                    None => target.to_owned(),
                },
            };
            assert!(kept.contains(&path), "{script} imports {path}");
        }
    }
}

#[tokio::test]
async fn files_come_packed_for_whoever_takes_that_and_are_the_same_then() {
    let plain = ask("/app/js/app.js", &[]).await;
    let packed = ask("/app/js/app.js", &[("accept-encoding", "deflate, gzip")]).await;
    let tag = |response: &Response| response.headers()[header::ETAG].clone();
    assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
    assert_eq!(packed.headers()[header::VARY], "accept-encoding");
    assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
    assert_ne!(tag(&plain), tag(&packed));

    let known = tag(&packed).to_str().unwrap().to_owned();
    let headers = [("accept-encoding", "gzip"), ("if-none-match", &known)];
    let again = ask("/app/js/app.js", &headers).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    let other = ask("/app/js/app.js", &[("if-none-match", &known)]).await;
    assert_eq!(other.status(), StatusCode::OK);

    let (plain, packed) = (bytes(plain).await, bytes(packed).await);
    assert!(packed.len() < plain.len() / 2);
    let mut unpacked = Vec::new();
    GzDecoder::new(packed.as_ref())
        .read_to_end(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, plain);
    let best = ask(
        "/app/js/app.js",
        &[("accept-encoding", "gzip, deflate, br")],
    )
    .await;
    assert_eq!(best.headers()[header::CONTENT_ENCODING], "br");
    let best = bytes(best).await;
    assert!(best.len() < packed.len());
    let mut unpacked = Vec::new();
    brotli::BrotliDecompress(&mut best.as_ref(), &mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
    for refused in ["gzip;q=0", "identity", "gzip; q=0.0, br;q=0"] {
        let response = ask("/app/js/app.js", &[("accept-encoding", refused)]).await;
        assert!(
            !response.headers().contains_key(header::CONTENT_ENCODING),
            "{refused}"
        );
    }
    let picture = ask("/app/img/icon-512.png", &[("accept-encoding", "gzip")]).await;
    assert!(!picture.headers().contains_key(header::CONTENT_ENCODING));
}

#[tokio::test]
async fn the_app_may_use_the_camera_and_the_devices_check_of_its_user_and_the_portals_files_may_not()
 {
    let app = ask(PREFIX, &[]).await;
    let policy = app.headers()["permissions-policy"].to_str().unwrap();
    for part in [
        "camera=(self)",
        "publickey-credentials-get=(self)",
        "microphone=()",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    let asset = ask("/assets/css/style.css", &[]).await;
    assert!(!asset.headers().contains_key("permissions-policy"));
}

#[tokio::test]
async fn the_page_runs_files_only() {
    let page = text(PREFIX).await;
    for piece in page.split("<script").skip(1) {
        let (tag, rest) = piece.split_once('>').unwrap();
        assert!(tag.contains("src="), "{tag}");
        assert!(rest.starts_with("</script>"));
    }
    assert!(!page.contains("style=") && !page.contains("<style") && !page.contains("onclick"));
}

#[tokio::test]
async fn what_is_none_of_the_apps_files_is_not_there() {
    for path in [
        "/app/nothing.js",
        "/app/text/fr.json",
        "/app/text/ja",
        "/app/../Cargo.toml",
        "/app/js/vendor/qr/decode.d.ts",
    ] {
        let response = ask(path, &[]).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let response = ask("/app", &[]).await;
    assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
    assert_eq!(response.headers()[header::LOCATION], PREFIX);
}
