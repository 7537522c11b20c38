//! The flat and the nested reply, read into one form: booleans and numbers may be written as such or as texts.

use serde_json::{Number, Value};

use super::wire::{Answer, FaceMatch, Liveness};

/// Longest code that is carried on; the documented ones have three digits.
const MAX_CODE: usize = 64;

/// A value as it was told.
#[derive(Debug, Clone, PartialEq, Eq, Copy)]
pub(super) enum Told<T> {
    /// It is missing, or null.
    Absent,
    /// It is something that is documented nowhere, or it is told twice and differently.
    Unknown,
    /// It is this.
    Known(T),
}

impl<T: PartialEq> Told<T> {
    /// The value, where it is known.
    pub(super) fn known(self) -> Option<T> {
        match self {
            Told::Known(value) => Some(value),
            Told::Absent | Told::Unknown => None,
        }
    }

    /// One value out of the two places where it may stand.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Told::Absent, told) | (told, Told::Absent) => told,
            (Told::Known(one), Told::Known(other)) if one == other => Told::Known(one),
            _ => Told::Unknown,
        }
    }
}

/// What a reply says, whichever form it has.
pub(super) struct Form {
    /// What came of the request.
    pub(super) code: Told<String>,
    /// Whether the face is live.
    pub(super) is_live: Told<bool>,
    /// The probability of an attack.
    pub(super) prob: Told<f64>,
    /// Whether a person should look.
    pub(super) need_to_review: Told<bool>,
    /// Whether it is a deepfake.
    pub(super) is_deepfake: Told<bool>,
    /// The probability of a deepfake.
    pub(super) deepfake_prob: Told<f64>,
    /// The comparison; `Unknown` where it failed, too.
    pub(super) face_match: Told<Comparison>,
}

/// What a comparison came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Comparison {
    /// Whether the faces are one person's.
    pub(super) is_match: bool,
    /// How alike they are, 0..=100 as documented; not looked at here.
    pub(super) similarity: Option<f64>,
}

impl From<Answer> for Form {
    fn from(answer: Answer) -> Self {
        let nested = match &answer.liveness {
            Value::Null => Some(Liveness::default()),
            Value::Object(_) => serde_json::from_value(answer.liveness).ok(),
            _ => None,
        };
        // What is in the place of the nested part and is none may say anything.
        let garbled = nested.is_none();
        let nested = nested.unwrap_or_default();
        let flag = |flat, nested| if garbled { Told::Unknown } else { boolean(flat).or(boolean(nested)) };
        Self {
            code: both(code(&answer.code), code(&nested.code)),
            is_live: flag(&answer.is_live, &nested.is_live),
            prob: number(&answer.prob).or(number(&nested.spoof_prob)),
            need_to_review: flag(&answer.need_to_review, &nested.need_to_review),
            is_deepfake: flag(&answer.is_deepfake, &nested.is_deepfake),
            deepfake_prob: number(&answer.deepfake_prob).or(number(&nested.deepfake_prob)),
            face_match: comparison(answer.face_match, &answer.face_match_error),
        }
    }
}

/// The code of a whole reply and that of its nested part: 200 says that nothing went wrong in one place, and the other code what
/// went wrong in the other.
fn both(whole: Told<String>, nested: Told<String>) -> Told<String> {
    match (&whole, &nested) {
        (Told::Known(code), Told::Known(_)) if code == "200" => nested,
        (Told::Known(_), Told::Known(code)) if code == "200" => whole,
        _ => whole.or(nested),
    }
}

fn code(value: &Value) -> Told<String> {
    match value {
        Value::Null => Told::Absent,
        Value::String(text) if !text.is_empty() && text.len() <= MAX_CODE => Told::Known(text.clone()),
        Value::Number(number) if number.is_u64() => Told::Known(number.to_string()),
        _ => Told::Unknown,
    }
}

fn boolean(value: &Value) -> Told<bool> {
    match value {
        Value::Null => Told::Absent,
        Value::Bool(flag) => Told::Known(*flag),
        Value::String(text) if text == "true" => Told::Known(true),
        Value::String(text) if text == "false" => Told::Known(false),
        _ => Told::Unknown,
    }
}

/// A number, or a text that is one by JSON's grammar, which knows no NaN and no infinity.
fn number(value: &Value) -> Told<f64> {
    let number = match value {
        Value::Null => return Told::Absent,
        Value::Number(number) => number.as_f64(),
        // The parser would skip spaces around it.
        Value::String(text) if text.trim() == text => {
            serde_json::from_str::<Number>(text).ok().and_then(|number| number.as_f64())
        }
        _ => None,
    };
    number.filter(|number| number.is_finite()).map_or(Told::Unknown, Told::Known)
}

/// The first sample has an empty object where there is no error.
fn comparison(value: Value, error: &Value) -> Told<Comparison> {
    let failed = match error {
        Value::Null => false,
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    };
    let is_blank = value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
    match (failed, is_blank) {
        (true, _) => return Told::Unknown,
        (false, true) => return Told::Absent,
        (false, false) => {}
    }
    // A list would be read as the fields in their order.
    let found: Option<FaceMatch> = value.is_object().then(|| serde_json::from_value(value).ok()).flatten();
    let Some(found) = found else { return Told::Unknown };
    let went_well = match code(&found.code) {
        Told::Absent => true,
        Told::Known(code) => code == "200",
        Told::Unknown => false,
    };
    match (boolean(&found.is_match), number(&found.similarity)) {
        (Told::Known(is_match), similarity @ (Told::Known(_) | Told::Absent)) if went_well => {
            Told::Known(Comparison { is_match, similarity: similarity.known() })
        }
        _ => Told::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn booleans_and_numbers_may_be_texts_and_nothing_else() {
        for (value, expected) in [
            (json!(true), Told::Known(true)),
            (json!("true"), Told::Known(true)),
            (json!(false), Told::Known(false)),
            (json!("false"), Told::Known(false)),
            (json!(null), Told::Absent),
        ] {
            assert_eq!(boolean(&value), expected, "{value}");
        }
        for value in
            [json!("True"), json!(" true"), json!(""), json!("N/A"), json!(1), json!("1"), json!([true]), json!({})]
        {
            assert_eq!(boolean(&value), Told::Unknown, "{value}");
        }
        for (value, expected) in [
            (json!(0.5), Told::Known(0.5)),
            (json!("0.5"), Told::Known(0.5)),
            (json!("1e-3"), Told::Known(0.001)),
            (json!(1), Told::Known(1.0)),
            (json!("-7"), Told::Known(-7.0)),
            (json!(null), Told::Absent),
        ] {
            assert_eq!(number(&value), expected, "{value}");
        }
        for text in [
            "NaN", "nan", "inf", "-inf", "Infinity", "1e400", "", " 0.5", "0.5\n", "+0.5", ".5", "0,5", "0x1", "N/A",
            "50%",
        ] {
            assert_eq!(number(&json!(text)), Told::Unknown, "{text:?}");
        }
        for value in [json!(true), json!([0.5]), json!({"value": 0.5})] {
            assert_eq!(number(&value), Told::Unknown, "{value}");
        }
    }

    #[test]
    fn codes_are_texts_or_whole_numbers() {
        assert_eq!(code(&json!("408")), Told::Known("408".to_owned()));
        assert_eq!(code(&json!(408)), Told::Known("408".to_owned()));
        assert_eq!(code(&json!(null)), Told::Absent);
        for value in [json!(408.0), json!(-408), json!(true), json!(""), json!(["408"]), json!("4".repeat(65))] {
            assert_eq!(code(&value), Told::Unknown, "{value}");
        }
    }

    #[test]
    fn what_went_wrong_in_one_place_is_what_counts() {
        let known = |code: &str| Told::Known(code.to_owned());
        for (whole, nested, expected) in [
            (known("200"), known("200"), known("200")),
            (known("200"), known("410"), known("410")),
            (known("409"), known("200"), known("409")),
            (known("410"), known("410"), known("410")),
            (known("409"), known("410"), Told::Unknown),
            (known("200"), Told::Absent, known("200")),
            (Told::Absent, known("200"), known("200")),
            (known("200"), Told::Unknown, Told::Unknown),
            (Told::Unknown, known("200"), Told::Unknown),
            (Told::Absent, Told::Absent, Told::Absent),
        ] {
            assert_eq!(both(whole.clone(), nested.clone()), expected, "{whole:?} {nested:?}");
        }
    }
}
