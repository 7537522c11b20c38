//! What is kept of a reference image, as bytes sealed under the session's token: who has the store and its key cannot read
//! it, since the store has the token's hash only.
//!
//! The plain form: the form's number; 0 and the vector's length (u32), or 1 and a code's length (u32) and the code; the vector;
//! 0 or 1, and after 1 the print's cells. Numbers are little-endian.

use std::sync::Arc;

use lifesign_core::{
    analysis::{MOTION_SIDE, MotionPrint},
    matching::Reference,
    verdict::Detail,
};
use uuid::Uuid;

use super::StoreError;
use crate::keys::{KeyError, SealKey};

/// The number of this form.
const FORM: u8 = 1;

/// What the key is derived for.
const PURPOSE: &str = "session reference";

/// Seals a reference for one session. Nothing is sealed as nothing.
pub(super) fn seal(token: &str, id: Uuid, reference: Option<&Reference>) -> Result<Vec<u8>, KeyError> {
    match reference {
        Some(reference) => SealKey::derived(token.as_bytes(), PURPOSE).seal(id.as_bytes(), &encode(reference)),
        None => Ok(Vec::new()),
    }
}

/// Opens what [`seal`] sealed.
pub(super) fn open(token: &str, id: Uuid, sealed: &[u8]) -> Result<Option<Arc<Reference>>, StoreError> {
    const UNREADABLE: StoreError = StoreError::Unreadable("sessions.reference");
    if sealed.is_empty() {
        return Ok(None);
    }
    let plain = SealKey::derived(token.as_bytes(), PURPOSE).open(id.as_bytes(), sealed).map_err(|_| UNREADABLE)?;
    Ok(Some(Arc::new(decode(&plain).ok_or(UNREADABLE)?)))
}

fn encode(reference: &Reference) -> Vec<u8> {
    let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = vec![FORM];
    match &reference.embedding {
        Ok(vector) => {
            out.push(0);
            out.extend(length(vector.len()));
            out.extend(vector.iter().flat_map(|value| value.to_le_bytes()));
        }
        Err(detail) => {
            out.push(1);
            out.extend(length(detail.code().len()));
            out.extend(detail.code().as_bytes());
        }
    }
    match &reference.print {
        Some(print) => {
            out.push(1);
            out.extend(print.cells.iter().flat_map(|value| value.to_le_bytes()));
        }
        None => out.push(0),
    }
    out
}

fn decode(mut plain: &[u8]) -> Option<Reference> {
    let [FORM, kind] = *take(&mut plain, 2)? else { return None };
    let length = usize::try_from(u32::from_le_bytes(take(&mut plain, 4)?.try_into().ok()?)).ok()?;
    let embedding = match kind {
        0 => Ok(floats(take(&mut plain, length.checked_mul(4)?)?)),
        1 => Err(Detail::of_code(std::str::from_utf8(take(&mut plain, length)?).ok()?)?),
        _ => return None,
    };
    let print = match *take(&mut plain, 1)? {
        [0] => None,
        [1] => {
            let cells = floats(take(&mut plain, MOTION_SIDE * MOTION_SIDE * 4)?);
            Some(MotionPrint { cells: cells.into_boxed_slice().try_into().ok()? })
        }
        _ => return None,
    };
    plain.is_empty().then_some(Reference { embedding, print })
}

fn take<'a>(plain: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, rest) = plain.split_at_checked(count)?;
    *plain = rest;
    Some(head)
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references() -> Vec<Reference> {
        let cells: Vec<f32> = (0..MOTION_SIDE * MOTION_SIDE).map(|cell| cell as f32 / 7.0).collect();
        let print = MotionPrint { cells: cells.into_boxed_slice().try_into().unwrap() };
        let vector = (0..512).map(|index| (index as f32).sin() / 3.0).collect();
        vec![
            Reference { embedding: Ok(vector), print: Some(print.clone()) },
            Reference { embedding: Ok(vec![]), print: None },
            Reference { embedding: Err(Detail::ReferenceBlurry), print: Some(print) },
            Reference { embedding: Err(Detail::ModelFault), print: None },
        ]
    }

    #[test]
    fn a_reference_comes_back_to_the_bit() {
        for reference in references() {
            assert_eq!(decode(&encode(&reference)), Some(reference));
        }
    }

    #[test]
    fn what_is_cut_or_from_a_later_version_is_refused() {
        for reference in references() {
            let whole = encode(&reference);
            for length in 0..whole.len() {
                assert_eq!(decode(&whole[..length]), None, "cut at {length}");
            }
            assert_eq!(decode(&[whole.as_slice(), &[0]].concat()), None);
            assert_eq!(decode(&[&[FORM + 1], &whole[1..]].concat()), None);
        }
        assert_eq!(decode(&[FORM, 0, 255, 255, 255, 255, 0]), None);
        assert_eq!(decode(b"\x01\x01\x05\0\0\0KNOWN\0"), None);
    }

    #[test]
    fn only_the_token_and_the_session_open_it() {
        let reference = references().remove(0);
        let (id, other) = (Uuid::new_v4(), Uuid::new_v4());
        let sealed = seal("token", id, Some(&reference)).unwrap();
        assert_eq!(open("token", id, &sealed).unwrap().as_deref(), Some(&reference));
        assert!(open("other", id, &sealed).is_err() && open("token", other, &sealed).is_err());
        assert!(seal("token", id, None).unwrap().is_empty() && open("token", id, &[]).unwrap().is_none());
    }
}
