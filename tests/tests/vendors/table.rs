//! What is expected of every vendor's client, cell by cell: for each thing a vendor can say, what comes of the call.

use lifesign_core::{
    http::ErrorKind,
    verdict::{AttackKind, CheckState, Inconclusive, QualityFault, VendorOutcome},
};
use lifesign_e2e::vendors::Says;

use CheckState::{Failed, NotRun, Passed};
use Expected::{Absent, Answer, Fault};
use VendorOutcome::{Attack, Live, Quality};

/// What comes of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected {
    /// An answer, with its state on the axes of presentation attacks and of deepfakes; after so many uploads.
    Answer(VendorOutcome, CheckState, CheckState, u32),
    /// An error: the stage, its kind, after so many uploads. It says that something was sent where there was an upload.
    Fault(&'static str, ErrorKind, u32),
    /// The vendor cannot say this, and why.
    Absent(&'static str),
}

/// Every column of the table. A vendor that answers now and then only is one of the line's concerns, tested beside the table.
pub(crate) const COLUMNS: [Says; 16] = [
    Says::Live,
    Says::Spoof,
    Says::Deepfake,
    Says::NoFace,
    Says::BadMedia,
    Says::RefusedKey,
    Says::ExpiredToken,
    Says::TooMany(None),
    Says::TooMany(Some(FAR)),
    Says::Broken,
    Says::Hang,
    Says::Garbage,
    Says::Noise,
    Says::SlowBody,
    Says::Reset,
    Says::Cut,
];

/// Seconds in a `Retry-After` that no call here can wait for.
pub(crate) const FAR: u32 = 30;

const NO_TOKEN: Expected = Absent("its credentials are on every request, so that there is no token to expire");

const DEEPVUE: [(Says, Expected); 7] = [
    (Says::Live, Answer(Live, Passed, NotRun, 1)),
    (Says::Spoof, Answer(Attack(AttackKind::Unspecified), Failed, NotRun, 1)),
    (Says::Deepfake, Absent("its page speaks of photos, screens and masks, and has no word for a deepfake")),
    (Says::NoFace, Answer(Quality(QualityFault::NoFace), NotRun, NotRun, 1)),
    (Says::BadMedia, Fault("upload", ErrorKind::Refused, 1)),
    (Says::RefusedKey, Fault("token", ErrorKind::Credentials, 0)),
    // Turned away at the door with the old token, let in with the new one.
    (Says::ExpiredToken, Answer(Live, Passed, NotRun, 2)),
];

const FACIA: [(Says, Expected); 7] = [
    (Says::Live, Answer(Live, Passed, Passed, 1)),
    (Says::Spoof, Answer(Attack(AttackKind::Replay), Failed, NotRun, 1)),
    (Says::Deepfake, Answer(Attack(AttackKind::Deepfake), NotRun, Failed, 1)),
    (Says::NoFace, Answer(Quality(QualityFault::NoFace), NotRun, NotRun, 1)),
    (Says::BadMedia, Fault("upload", ErrorKind::Refused, 1)),
    (Says::RefusedKey, Fault("token", ErrorKind::Credentials, 0)),
    (Says::ExpiredToken, Answer(Live, Passed, Passed, 2)),
];

const FPT: [(Says, Expected); 7] = [
    (Says::Live, Answer(Live, Passed, Passed, 1)),
    // The sample of an attack says nothing of deepfakes.
    (Says::Spoof, Answer(Attack(AttackKind::Unspecified), Failed, NotRun, 1)),
    (Says::Deepfake, Answer(Attack(AttackKind::Deepfake), Passed, Failed, 1)),
    (Says::NoFace, Answer(Quality(QualityFault::NoFace), NotRun, NotRun, 1)),
    (Says::BadMedia, Answer(VendorOutcome::Inconclusive(Inconclusive::MediaRefused), NotRun, NotRun, 1)),
    // A code in a reply of HTTP 200, to an upload: there is no other request that could be refused.
    (Says::RefusedKey, Fault("upload", ErrorKind::Credentials, 1)),
    (Says::ExpiredToken, NO_TOKEN),
];

const GLAIR: [(Says, Expected); 7] = [
    (Says::Live, Answer(Live, NotRun, Passed, 1)),
    (Says::Spoof, Absent("it looks at deepfakes alone: a face on a screen is none")),
    (Says::Deepfake, Answer(Attack(AttackKind::Deepfake), NotRun, Failed, 1)),
    (Says::NoFace, Absent("its page knows no reply for a video without a face")),
    (Says::BadMedia, Fault("upload", ErrorKind::Refused, 1)),
    (Says::RefusedKey, Fault("upload", ErrorKind::Credentials, 1)),
    (Says::ExpiredToken, NO_TOKEN),
];

/// What is the same for all: only 429 has an upload repeated, as every vendor's `paid_statuses` say, and a pause that does
/// not fit the deadline ends that too.
const LINE: [(Says, Expected); 9] = [
    (Says::TooMany(None), Fault("upload", ErrorKind::RateLimited, 3)),
    (Says::TooMany(Some(FAR)), Fault("upload", ErrorKind::RateLimited, 1)),
    (Says::Broken, Fault("upload", ErrorKind::Server, 1)),
    (Says::Hang, Fault("upload", ErrorKind::Timeout, 1)),
    (Says::Garbage, Fault("upload", ErrorKind::Unreadable, 1)),
    (Says::Noise, Fault("upload", ErrorKind::Unreadable, 1)),
    (Says::SlowBody, Fault("upload", ErrorKind::Timeout, 1)),
    (Says::Reset, Fault("upload", ErrorKind::Broken, 1)),
    (Says::Cut, Fault("upload", ErrorKind::Broken, 1)),
];

/// The vendors of the table.
pub(crate) const ROWS: [(&str, &[(Says, Expected)]); 4] =
    [("deepvue", &DEEPVUE), ("facia", &FACIA), ("fpt", &FPT), ("glair", &GLAIR)];

/// The cells of a vendor's row in this column: one, or the table is at fault.
pub(crate) fn cells(vendor: &str, column: Says) -> Vec<Expected> {
    let rows = ROWS.iter().filter(|(id, _)| *id == vendor).flat_map(|(_, cells)| cells.iter().chain(&LINE));
    rows.filter(|(says, _)| *says == column).map(|(_, expected)| *expected).collect()
}
