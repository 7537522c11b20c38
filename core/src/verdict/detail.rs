//! Why a check did not run, or how it broke: the list of reasons, here and at vendors.

/// Why a check did not run, or how it broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Detail {
    /// The pack has no model for it.
    NoModel,
    /// A precheck stopped it: the capture was not good enough.
    QualityGate,
    /// There was no face to look at.
    NoFace,
    /// It needs several frames and there was one.
    SingleFrame,
    /// There were fewer good frames than the policy needs.
    TooFewFrames,
    /// There was no reference image.
    NoReference,
    /// The policy does not ask for it.
    NotRequested,
    /// A model broke while it ran.
    ModelFault,
    /// No frame could be decoded.
    NoFrame,
    /// The reference image shows no face.
    ReferenceNoFace,
    /// The reference image shows several faces, none of which is clearly the one.
    ReferenceMultipleFaces,
    /// The face of the reference image is too small to compare.
    ReferenceTooSmall,
    /// The face of the reference image is too blurry to compare.
    ReferenceBlurry,
    /// The face of the reference image cannot be compared for another reason: turned away, cut off, too dark or too bright.
    ReferenceQuality,
    /// A frame is the reference image itself, not another picture of the person.
    IdenticalImage,
    /// A vendor was not asked: the local checks had decided already.
    Precheck,
    /// A vendor was not asked: another vendor, or the local checks, had answered.
    NotNeeded,
    /// A vendor was not asked: the policy's budget does not allow it.
    Budget,
    /// A vendor was not asked: it takes other media than came, and none could be made of it.
    VendorMedia,
    /// The vendor does not look at this.
    VendorScope,
    /// The vendor could not judge this capture; another may do.
    VendorQuality,
    /// The vendor says that a person should look.
    VendorReview,
    /// The vendor answered and did not say, or said what its documentation does not know.
    VendorInconclusive,
    /// The vendor did not answer in time.
    VendorTimeout,
    /// The vendor could not be reached, or the connection broke.
    VendorUnreachable,
    /// The vendor refused the call because there were too many.
    VendorRateLimited,
    /// The vendor refused the credentials, or the service is not open to them.
    VendorCredentials,
    /// The vendor refused the request.
    VendorRefused,
    /// The vendor failed (HTTP 5xx).
    VendorFault,
    /// The vendor's reply could not be read.
    VendorUnreadable,
    /// The vendor was not asked: it failed too often lately (its circuit breaker is open).
    VendorSuspended,
}

impl Detail {
    /// The stable code on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Detail::NoModel => "NO_MODEL",
            Detail::QualityGate => "QUALITY_GATE",
            Detail::NoFace => "NO_FACE",
            Detail::SingleFrame => "SINGLE_FRAME",
            Detail::TooFewFrames => "TOO_FEW_FRAMES",
            Detail::NoReference => "NO_REFERENCE",
            Detail::NotRequested => "NOT_REQUESTED",
            Detail::ModelFault => "MODEL_FAULT",
            Detail::NoFrame => "NO_FRAME",
            Detail::ReferenceNoFace => "REFERENCE_NO_FACE",
            Detail::ReferenceMultipleFaces => "REFERENCE_MULTIPLE_FACES",
            Detail::ReferenceTooSmall => "REFERENCE_TOO_SMALL",
            Detail::ReferenceBlurry => "REFERENCE_BLURRY",
            Detail::ReferenceQuality => "REFERENCE_QUALITY",
            Detail::IdenticalImage => "IDENTICAL_IMAGE",
            Detail::Precheck => "PRECHECK",
            Detail::NotNeeded => "NOT_NEEDED",
            Detail::Budget => "BUDGET",
            Detail::VendorMedia => "VENDOR_MEDIA",
            Detail::VendorScope => "VENDOR_SCOPE",
            Detail::VendorQuality => "VENDOR_QUALITY",
            Detail::VendorReview => "VENDOR_REVIEW",
            Detail::VendorInconclusive => "VENDOR_INCONCLUSIVE",
            Detail::VendorTimeout => "VENDOR_TIMEOUT",
            Detail::VendorUnreachable => "VENDOR_UNREACHABLE",
            Detail::VendorRateLimited => "VENDOR_RATE_LIMITED",
            Detail::VendorCredentials => "VENDOR_CREDENTIALS",
            Detail::VendorRefused => "VENDOR_REFUSED",
            Detail::VendorFault => "VENDOR_FAULT",
            Detail::VendorUnreadable => "VENDOR_UNREADABLE",
            Detail::VendorSuspended => "VENDOR_SUSPENDED",
        }
    }
}
