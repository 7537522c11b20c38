//! Why a check did not run, or how it broke: the list of reasons, here and at vendors.

macro_rules! details {
    ($($(#[$doc:meta])+ $name:ident = $code:literal,)+) => {
        /// Why a check did not run, or how it broke.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Detail {
            $($(#[$doc])+ $name,)+
        }

        impl Detail {
            /// All of them.
            pub const ALL: &'static [Detail] = &[$(Detail::$name,)+];

            /// The stable code on the wire.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Detail::$name => $code,)+
                }
            }

            /// The one with this code.
            pub fn of_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|detail| detail.code() == code)
            }
        }
    };
}

details! {
    /// The pack has no model for it.
    NoModel = "NO_MODEL",
    /// A precheck stopped it: the capture was not good enough.
    QualityGate = "QUALITY_GATE",
    /// There was no face to look at.
    NoFace = "NO_FACE",
    /// It needs several frames and there was one.
    SingleFrame = "SINGLE_FRAME",
    /// There were fewer good frames than the policy needs.
    TooFewFrames = "TOO_FEW_FRAMES",
    /// There was no reference image.
    NoReference = "NO_REFERENCE",
    /// The policy does not ask for it.
    NotRequested = "NOT_REQUESTED",
    /// A model broke while it ran.
    ModelFault = "MODEL_FAULT",
    /// No frame could be decoded.
    NoFrame = "NO_FRAME",
    /// The reference image shows no face.
    ReferenceNoFace = "REFERENCE_NO_FACE",
    /// The reference image shows several faces, none of which is clearly the one.
    ReferenceMultipleFaces = "REFERENCE_MULTIPLE_FACES",
    /// The face of the reference image is too small to compare.
    ReferenceTooSmall = "REFERENCE_TOO_SMALL",
    /// The face of the reference image is too blurry to compare.
    ReferenceBlurry = "REFERENCE_BLURRY",
    /// The face of the reference image cannot be compared for another reason: turned away, cut off, too dark or too bright.
    ReferenceQuality = "REFERENCE_QUALITY",
    /// A frame is the reference image itself, not another picture of the person.
    IdenticalImage = "IDENTICAL_IMAGE",
    /// A vendor was not asked: the local checks had decided already.
    Precheck = "PRECHECK",
    /// A vendor was not asked: another vendor, or the local checks, had answered.
    NotNeeded = "NOT_NEEDED",
    /// A vendor was not asked: the policy's budget does not allow it.
    Budget = "BUDGET",
    /// A vendor was not asked: it takes other media than came, and none could be made of it.
    VendorMedia = "VENDOR_MEDIA",
    /// The vendor does not look at this.
    VendorScope = "VENDOR_SCOPE",
    /// The vendor could not judge this capture; another may do.
    VendorQuality = "VENDOR_QUALITY",
    /// The vendor says that a person should look.
    VendorReview = "VENDOR_REVIEW",
    /// The vendor answered and did not say, or said what its documentation does not know.
    VendorInconclusive = "VENDOR_INCONCLUSIVE",
    /// The vendor did not answer in time.
    VendorTimeout = "VENDOR_TIMEOUT",
    /// The vendor could not be reached, or the connection broke.
    VendorUnreachable = "VENDOR_UNREACHABLE",
    /// The vendor refused the call because there were too many.
    VendorRateLimited = "VENDOR_RATE_LIMITED",
    /// The vendor refused the credentials, or the service is not open to them.
    VendorCredentials = "VENDOR_CREDENTIALS",
    /// The vendor refused the request.
    VendorRefused = "VENDOR_REFUSED",
    /// The vendor failed (HTTP 5xx).
    VendorFault = "VENDOR_FAULT",
    /// The vendor's reply could not be read.
    VendorUnreadable = "VENDOR_UNREADABLE",
    /// The vendor was not asked: it failed too often lately (its circuit breaker is open).
    VendorSuspended = "VENDOR_SUSPENDED",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_detail_has_a_code_of_its_own() {
        for detail in Detail::ALL {
            assert_eq!(Detail::of_code(detail.code()), Some(*detail));
        }
        assert_eq!(Detail::of_code("UNHEARD_OF"), None);
    }
}
