//! Bodies of every kind, most of them hostile.

use std::fmt::Write as _;

use lifesign_core::{frame::FrameLimits, video::VideoLimits};

use super::*;

const ALL: [Form; 3] = [Form::Json, Form::Urlencoded, Form::Multipart];

/// What the fields say, in a form that tests can compare.
fn told(fields: Fields<'_>) -> Vec<(String, String)> {
    let told = |field: Field<'_>| match field {
        Field::Text(text) => format!("text {text}"),
        Field::File(data) => format!("file {}", String::from_utf8_lossy(&data)),
        Field::Flag(flag) => format!("flag {flag}"),
        Field::Number(number) => format!("number {number}"),
        Field::Null => "null".to_owned(),
        Field::Other => "other".to_owned(),
    };
    fields.0.into_iter().map(|(name, field)| (name, told(field))).collect()
}

async fn ask(kind: &str, body: impl Into<Body>, limit: u64) -> Result<Vec<(String, String)>, BodyError> {
    let mut head = HeaderMap::new();
    head.insert(header::CONTENT_TYPE, kind.parse().unwrap());
    read(&head, body.into(), limit, &ALL, told).await
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_limits_hold_what_the_engine_takes() {
    assert_eq!(PICTURE, in_base64(FrameLimits::default().max_bytes) + REST);
    assert_eq!(MEDIA, in_base64(VideoLimits::default().max_bytes) + REST);
}

#[tokio::test]
async fn the_three_ways_of_writing_say_the_same() {
    let json = r#"{"a": "x\/y", "b": true, "c": 1, "d": null, "e": [1, {"f": 2}], "g": {"a": 1}, "h": -1, "i": 1.5}"#;
    let expected = [
        ("a", "text x/y"),
        ("b", "flag true"),
        ("c", "number 1"),
        ("d", "null"),
        ("e", "other"),
        ("g", "other"),
        ("h", "other"),
        ("i", "other"),
    ];
    assert_eq!(ask("Application/JSON ; charset=utf-8", json, WORDS).await, Ok(pairs(&expected)));
    let urlencoded = ask("application/x-www-form-urlencoded", "a=x%2Fy&b=true&c=1&d", WORDS).await;
    assert_eq!(urlencoded, Ok(pairs(&[("a", "text x/y"), ("b", "text true"), ("c", "text 1"), ("d", "text ")])));
    let form = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx/y\r\n--B\r\nContent-Disposition: form-data; \
                name=\"f\"; filename=\"../../etc/passwd\"\r\nContent-Type: text/html\r\n\r\n\u{0}JPEG\r\n--B--\r\n";
    let read = ask("multipart/form-data; boundary=B", form, WORDS).await;
    assert_eq!(read, Ok(pairs(&[("a", "text x/y"), ("f", "file \u{0}JPEG")])));
}

#[tokio::test]
async fn what_is_no_json_object_is_called_so() {
    let deep = format!("{{\"a\": {}1{}}}", "[".repeat(200), "]".repeat(200));
    let unclosed = format!("{{\"a\": {}", "[".repeat(1 << 20));
    for body in [
        "",
        "null",
        "[]",
        "[{\"a\": 1}]",
        "\"a\"",
        "{\"a\": 1",
        "{\"a\": 1} {}",
        "{\"a\": 1,}",
        "{a: 1}",
        "{\"a\": 1, // why\n \"b\": 2}",
        "{\"a\": \"\u{0}\"}",
        "{\"a\": \"\\ud800\"}",
        "{\"a\": 1e999}",
        "{\"a\": NaN}",
        "\u{feff}{}",
        unclosed.as_str(),
    ] {
        assert_eq!(ask("application/json", body.to_owned(), 2 << 20).await, Err(BodyError::Json), "{body:.40}");
    }
    assert_eq!(ask("application/json", b"{\"a\": \"\xff\"}".to_vec(), WORDS).await, Err(BodyError::Json));
    // Deep nesting costs no stack: it is read over.
    assert_eq!(ask("application/json", deep, WORDS).await, Ok(pairs(&[("a", "other")])));
    assert_eq!(ask("application/json", "{}", WORDS).await, Ok(vec![]));
}

#[tokio::test]
async fn a_field_comes_once_and_there_are_not_many() {
    let many = |count: usize| {
        let mut text = "{".to_owned();
        for number in 0..count {
            write!(text, "\"f{number}\": 0, ").unwrap();
        }
        text + "\"last\": 0}"
    };
    assert_eq!(ask("application/json", many(MAX_FIELDS - 1), WORDS).await.map(|fields| fields.len()), Ok(MAX_FIELDS));
    assert_eq!(ask("application/json", many(MAX_FIELDS), WORDS).await, Err(BodyError::TooManyFields));
    assert_eq!(ask("application/json", many(100_000), 8 << 20).await, Err(BodyError::TooManyFields));
    let cut = many(1000).replace("\"last\": 0}", "");
    assert_eq!(ask("application/json", cut, WORDS).await, Err(BodyError::Json));
    let urlencoded = "a&".repeat(2);
    assert_eq!(ask("application/x-www-form-urlencoded", urlencoded, WORDS).await, Err(BodyError::Repeated));
    assert_eq!(ask("application/json", r#"{"a": 1, "\u0061": 2}"#, WORDS).await, Err(BodyError::Repeated));
    let part = |name: &str| format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n1\r\n");
    let twice = part("a") + &part("a") + "--B--";
    assert_eq!(ask("multipart/form-data; boundary=B", twice, WORDS).await, Err(BodyError::Repeated));
    let many = (0..5000).map(|number| part(&number.to_string())).collect::<String>() + "--B--";
    assert_eq!(ask("multipart/form-data; boundary=B", many, 1 << 20).await, Err(BodyError::TooManyFields));
}

#[tokio::test]
async fn what_is_no_form_is_called_so() {
    let part = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n";
    let nameless = "--B\r\nContent-Disposition: form-data\r\n\r\n1\r\n--B--";
    let bare = "--B\r\n\r\n1\r\n--B--";
    let headers = format!("--B\r\n{}\r\n1\r\n--B--", "X-Y: z\r\n".repeat(5000));
    let long = format!("--B\r\nX: {}\r\n\r\n1\r\n--B--", "y".repeat(1 << 20));
    let endless = format!("--B\r\nX: {}", "y".repeat(1 << 20));
    for body in ["", "--B", "1", part, nameless, bare, &headers, &long, &endless, "--C\r\n\r\n--C--"] {
        let read = ask("multipart/form-data; boundary=B", body.to_owned(), 2 << 20).await;
        assert_eq!(read, Err(BodyError::Form), "{body:.60}");
    }
    let binary = [part.replace('1', "").as_bytes().trim_ascii_end(), b"\r\n\r\n\xff\xfe\r\n--B--"].concat();
    assert_eq!(ask("multipart/form-data; boundary=B", binary, WORDS).await, Err(BodyError::Form));
    for kind in ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"B"] {
        let read = ask(kind, part.to_owned() + "--B--", WORDS).await;
        assert_eq!(read, Err(BodyError::Form), "{kind}");
    }
    for kind in
        ["text/plain", "application/jsonp", "application/json,text/html", "json", "", "multipart/mixed; boundary=B"]
    {
        assert_eq!(ask(kind, "{}", WORDS).await, Err(BodyError::ContentType), "{kind}");
    }
    let mut head = HeaderMap::new();
    for kind in ["application/json", "multipart/form-data; boundary=B"] {
        head.append(header::CONTENT_TYPE, kind.parse().unwrap());
    }
    assert_eq!(read(&head, "{}".into(), WORDS, &ALL, told).await, Err(BodyError::ContentType));
    assert_eq!(read(&HeaderMap::new(), "{}".into(), WORDS, &ALL, told).await, Err(BodyError::ContentType));
    head.clear();
    head.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    assert_eq!(read(&head, "{}".into(), WORDS, &[Form::Multipart], told).await, Err(BodyError::ContentType));
}

#[tokio::test]
async fn a_body_that_is_too_long_is_given_up() {
    let body = r#"{"a": 1}"#;
    assert_eq!(ask("application/json", body, 8).await, Ok(pairs(&[("a", "number 1")])));
    assert_eq!(ask("application/json", body, 7).await, Err(BodyError::TooLarge { limit: 7 }));
    assert!(BodyError::TooLarge { limit: 7 }.to_string().contains("limit of 7 bytes"));
    // It ends by itself though the body does not, and begins with nothing where the head says how long it would be.
    let endless = Body::from_stream(futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(b"{"))));
    assert_eq!(ask("application/json", endless, 1 << 20).await, Err(BodyError::TooLarge { limit: 1 << 20 }));
    let mut head = HeaderMap::new();
    head.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    head.insert(header::CONTENT_LENGTH, "8".parse().unwrap());
    let never = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
    assert_eq!(read(&head, never, 7, &ALL, told).await, Err(BodyError::TooLarge { limit: 7 }));
    let broken = futures::stream::iter([Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("reset"))]);
    assert_eq!(ask("application/json", Body::from_stream(broken), WORDS).await, Err(BodyError::Broken));
}

#[test]
fn a_flag_is_one_in_each_of_its_spellings() {
    let fields = json(
        br#"{"a": true, "b": 1, "c": "1", "d": "true", "e": false, "f": 0, "g": "0", "h": "false",
        "i": "yes", "j": 2, "k": "", "l": [1], "m": null, "n": "TRUE", "o": 1.0}"#,
    )
    .unwrap_or_else(|error| panic!("{error}"));
    for name in ["a", "b", "c", "d"] {
        assert_eq!(fields.flag(name), Ok(Some(true)), "{name}");
    }
    for name in ["e", "f", "g", "h"] {
        assert_eq!(fields.flag(name), Ok(Some(false)), "{name}");
    }
    for name in ["i", "j", "k", "l", "n", "o"] {
        assert_eq!(fields.flag(name), Err(WrongType), "{name}");
    }
    assert_eq!((fields.flag("m"), fields.flag("z")), (Ok(None), Ok(None)));
    assert_eq!((fields.text("c"), fields.text("b"), fields.text("m")), (Ok(Some("1")), Err(WrongType), Ok(None)));
}
