//! Requests that nobody sends by mistake: each is a complaint of the vendor's, none breaks anything, none is told back.

use axum::{body::Body, http::Request};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use tower::ServiceExt as _;

use crate::rig::{ID, OTHER_SECRET, Rig, SECRET, photo};

const FACIA: (&str, &str) = ("client-secret", SECRET);
const FORM: &str = "multipart/form-data; boundary=B";
const MARK: &str = "marked-6f1d";

/// A token of Deepvue's.
async fn deepvue(rig: &Rig) -> String {
    let body = json!({"client_id": ID, "client_secret": SECRET}).to_string();
    let reply = rig.post("/v1/authorize", &[], &body).await;
    format!("Bearer {}", reply.json()["access_token"].as_str().unwrap())
}

fn upload(file: &str) -> String {
    json!({"type": "liveness", "file": file, "detect_deepfake": 1, "offsite_liveness": 1}).to_string()
}

fn part(name: &str, value: &str) -> String {
    format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_with_the_limit_before_it_is_read() {
    let rig = Rig::start().await;
    let token = deepvue(&rig).await;
    for (path, head, limit, status) in [
        ("/request-access-token", String::new(), 65_536_u64, 400),
        ("/liveness", format!("client-secret: {SECRET}\r\n"), (32_u64 << 20).div_ceil(3) * 4 + 65_536, 400),
        ("/result", format!("client-secret: {SECRET}\r\n"), 65_536, 400),
        ("/v1/authorize", String::new(), 65_536, 422),
        (
            "/v1/liveness-check",
            format!("Authorization: {token}\r\nx-api-key: {SECRET}\r\n"),
            (10_u64 << 20).div_ceil(3) * 4 + 65_536,
            422,
        ),
    ] {
        for claimed in [limit + 1, 1 << 40] {
            let request = format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n{head}Content-Length: {claimed}\r\n\r\n"
            );
            let reply = rig.raw(request.as_bytes()).await;
            assert_eq!(reply.status, status, "{path}: {reply:?}");
            assert!(reply.json().to_string().contains(&format!("limit of {limit} bytes")), "{path}: {reply:?}");
        }
    }
    // Chunks say nothing of their sum.
    let mut chunked = "POST /result HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n".to_owned();
    chunked += &format!("client-secret: {SECRET}\r\n\r\n");
    for _ in 0..33 {
        chunked += &format!("800\r\n{}\r\n", " ".repeat(2048));
    }
    let reply = rig.raw((chunked + "0\r\n\r\n").as_bytes()).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text.contains("limit of 65536 bytes"), "{reply:?}");
}

#[tokio::test]
async fn hostile_bodies_are_bad_requests() {
    let rig = Rig::start().await;
    let token = deepvue(&rig).await;
    let deep = format!("{{\"image\": {0}1{1}, \"type\": {0}1{1}}}", "[".repeat(500), "]".repeat(500));
    let unclosed = format!("{{\"image\": {}", "[".repeat(200_000));
    let many: String = (0..20_000).map(|number| format!("\"k{number}\": 0,")).collect();
    let json = [
        deep,
        unclosed,
        format!("{{{many} \"z\": 0}}"),
        r#"{"type": "liveness", "type": "liveness"}"#.to_owned(),
        r#"{"image": "\ud800"}"#.to_owned(),
        "{\"image\": \"\u{0}\"}".to_owned(),
        format!("{{\"image\": {}}}", "9".repeat(5000)),
        "\u{feff}{}".to_owned(),
        "{}{}".to_owned(),
        "NaN".to_owned(),
    ];
    for body in &json {
        let reply = rig.post("/liveness", &[FACIA], body).await;
        assert_eq!((reply.status, &reply.json()["status"]), (400, &json!(false)), "{body:.60}");
        let reply = rig.post("/v1/liveness-check", &[("Authorization", &token), ("x-api-key", SECRET)], body).await;
        assert_eq!(reply.status, 422, "{body:.60}");
        assert!(reply.json()["detail"].is_array(), "{body:.60}");
    }
    let thousands: String = (0..3000).map(|number| part(&number.to_string(), "1")).collect();
    let headers = format!("--B\r\n{}\r\n1\r\n--B--", "X-Y: z\r\n".repeat(3000));
    let endless = format!("--B\r\nX: {}", "y".repeat(200_000));
    let inside = part("type", "--B") + &part("type", "x") + "--B--";
    let forms = [
        (FORM, String::new()),
        (FORM, "--B".to_owned()),
        (FORM, "--B\r\n".to_owned()),
        (FORM, part("type", "liveness")),
        (FORM, thousands.clone() + "--B--"),
        (FORM, thousands),
        (FORM, headers),
        (FORM, endless),
        (FORM, inside),
        (FORM, "--B\r\nContent-Disposition: form-data\r\n\r\n1\r\n--B--".to_owned()),
        ("multipart/form-data", part("type", "liveness") + "--B--"),
        ("multipart/form-data; boundary=", part("type", "liveness") + "--B--"),
        ("multipart/mixed; boundary=B", part("type", "liveness") + "--B--"),
        ("application/x-www-form-urlencoded", "type=liveness".to_owned()),
        ("text/html", "<html>".to_owned()),
    ];
    for (kind, body) in &forms {
        let reply = rig.send("POST", "/liveness", &[FACIA, ("Content-Type", kind)], body.as_bytes()).await;
        assert_eq!((reply.status, &reply.json()["status"]), (400, &json!(false)), "{kind}: {body:.60}");
    }
    assert!(rig.desk.asks().is_empty());
}

#[tokio::test]
async fn hostile_heads_break_nothing() {
    let rig = Rig::start().await;
    let body = upload(&STANDARD.encode(photo()));
    let many: String = (0..150).map(|number| format!("X-{number}: y\r\n")).collect();
    for head in [
        "client-secret: a\0b\r\n".to_owned(),
        "Authorization: Bearer a\r\n b\r\n".to_owned(),
        "X: \r\n\r\n".to_owned(),
        many,
        "Content-Length: 1\r\nContent-Length: 2\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\n".to_owned(),
        format!("Cookie: {}\r\n", "x".repeat(600_000)),
    ] {
        let length = body.len();
        let request = format!(
            "POST /liveness HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n{head}Content-Length: {length}\r\n\r\n"
        );
        let mut stream = tokio::net::TcpStream::connect(rig.address).await.unwrap();
        // The connection may end before all of it is written.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await;
        let mut reply = [0; 12];
        if tokio::io::AsyncReadExt::read_exact(&mut stream, &mut reply).await.is_ok() {
            assert!(reply.starts_with(b"HTTP/1.1 4"), "{head:.40}: {}", String::from_utf8_lossy(&reply));
        }
        assert!(rig.desk.asks().is_empty(), "{head:.40}");
    }
    assert_eq!(rig.post("/liveness", &[FACIA], &body).await.status, 200, "it serves on");
}

#[tokio::test]
async fn nothing_of_a_request_is_told_back() {
    let rig = Rig::start().await;
    let token = deepvue(&rig).await;
    let keys = [("Authorization", token.as_str()), ("x-api-key", SECRET)];
    let (mark, other) = (json!(MARK), json!(format!("{MARK}\u{0}")));
    let marked = [
        json!({"type": mark, "file": mark, "detect_deepfake": mark, "offsite_liveness": mark, MARK: mark}),
        json!({"type": "liveness", "file": mark, "detect_deepfake": 1, "offsite_liveness": 1}),
        json!({"type": "liveness", "file": mark, "detect_deepfake": mark, "offsite_liveness": 1}),
        json!({"type": "liveness", "file": "", "detect_deepfake": 1, "offsite_liveness": 1, "client_reference": other}),
        json!({"client_id": mark, "client_secret": OTHER_SECRET}),
        json!({"image": mark, "reference_id": mark}),
        json!({"image": format!("https://{MARK}.test/"), "reference_id": other}),
        json!({"image": format!("ftp://{MARK}"), MARK: mark}),
    ];
    for body in marked {
        let body = body.to_string();
        for (path, head) in [
            ("/liveness", &[FACIA][..]),
            ("/result", &[FACIA]),
            ("/request-access-token", &[]),
            ("/v1/authorize", &[]),
            ("/v1/liveness-check", &keys),
        ] {
            let reply = rig.post(path, head, &body).await;
            assert!((400..500).contains(&reply.status), "{path}: {reply:?}");
            let all = format!("{reply:?}");
            assert!(!all.contains(MARK) && !all.contains("secret-of"), "{path}: {all}");
        }
    }
    let head = [("Authorization", "Bearer marked-6f1d"), ("x-api-key", MARK), ("client-secret", MARK)];
    for path in ["/liveness?marked-6f1d", "/result", "/v1/liveness-check"] {
        let reply = rig.post(path, &head, "{}").await;
        assert!(!format!("{reply:?}").contains(MARK), "{reply:?}");
    }
}

/// Whatever single byte of a good request is another one, the reply is one of the documented ones and never a failure of the server's.
#[tokio::test]
async fn a_request_with_any_byte_changed_is_answered_as_documented() {
    let rig = Rig::start().await;
    let token = deepvue(&rig).await;
    let file = STANDARD.encode([0xFF, 0xD8, 0xFF, 0xE0, 0, 1, 2, 3]);
    let form = part("type", "liveness") + &part("offsite_liveness", "1") + &part("detect_deepfake", "1");
    let form = form + "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.jpg\"\r\n\r\n";
    let form = [form.as_bytes(), &[0xFF, 0xD8, 0xFF, 0xE0, 0, 1], b"\r\n--B--\r\n"].concat();
    let image = json!({"image": file}).to_string();
    let pair = format!("client_id={ID}&client_secret={SECRET}");
    let requests: [(&str, &str, &[u8], &[u16]); 5] = [
        ("/liveness", "application/json", &upload(&file).into_bytes(), &[200, 400, 402]),
        ("/liveness", FORM, &form, &[200, 400, 402]),
        ("/v1/liveness-check", "application/json", image.as_bytes(), &[200, 422]),
        ("/request-access-token", "application/x-www-form-urlencoded", pair.as_bytes(), &[200, 400, 401, 402]),
        ("/v1/authorize", "application/x-www-form-urlencoded", pair.as_bytes(), &[200, 400, 422]),
    ];
    let mut sent = 0;
    for (path, kind, body, expected) in requests {
        for place in 0..body.len() {
            for byte in [0, b'"', b'\\', b'\n', b'{', b'-', 0x80, 0xFF] {
                let mut changed = body.to_vec();
                changed[place] = byte;
                let request = Request::post(path)
                    .header("content-type", kind)
                    .header("client-secret", if path == "/liveness" { SECRET } else { "" })
                    .header("x-api-key", SECRET);
                let request = if path == "/liveness" { request } else { request.header("authorization", &token) };
                let reply = rig.router.clone().oneshot(request.body(Body::from(changed)).unwrap()).await.unwrap();
                let status = reply.status().as_u16();
                assert!(expected.contains(&status), "{path}, {kind}, byte {byte} at {place}: {status}");
                sent += 1;
            }
        }
    }
    assert!(sent > 3_000, "{sent} requests");
}
