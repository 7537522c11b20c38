//! THE table of vendors. Adding one is a folder beside this file and its name in the table; nothing else knows them.
//!
//! Every vendor folder has the same files: `mod.rs` (what the vendor is, and its client), `config.rs` (settings and their
//! sources), `auth.rs` (credentials on a request, where that takes more than a header), `wire.rs` (the vendor's JSON as
//! documented, no logic), `convert.rs` (wire to answer or error, with the tests over the literal samples), `fixtures/`.

mod base64;
mod error;
mod evidence;
mod keeper;
mod ledger;
mod limits;
mod panel;
mod picture;
mod select;
mod settings;
mod token;
mod vendor;

pub use error::{ConnectError, VendorError};
pub use evidence::{Clip, Evidence, Needs};
pub use keeper::{Keeper, Material};
pub use limits::MediaLimits;
pub use panel::{Gather, Member, Panel, Phase, Question};
pub use picture::{Picture, Shot};
pub use select::{Selected, needs, select};
pub use vendor::{BoxFuture, Case, Probe, Spec, Submitted, Takes, Vendor};

macro_rules! vendors {
    ($($vendor:ident),+ $(,)?) => {
        $(pub mod $vendor;)+

        /// Every vendor that this build knows, by id.
        pub const VENDORS: &[&Spec] = &[$(&$vendor::SPEC),+];
    };
}

vendors! {
    deepvue,
    facia,
    fpt,
    glair,
}

/// The vendor of this id.
pub fn find(id: &str) -> Option<&'static Spec> {
    VENDORS.iter().copied().find(|spec| spec.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_agrees_with_itself() {
        for (place, spec) in VENDORS.iter().enumerate() {
            assert!(spec.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{}", spec.id);
            assert!(VENDORS.iter().take(place).all(|earlier| earlier.id != spec.id), "{} is there twice", spec.id);
            assert!(!spec.takes.is_empty() && !spec.secrets.is_empty(), "{}", spec.id);
            let settings = (spec.settings)();
            for common in ["base_url", "price_micros", "media", "http"] {
                assert!(settings.get(common).is_some(), "{} has no setting {common}", spec.id);
            }
            for secret in spec.secrets {
                assert!(settings[*secret].is_null(), "{}.{secret} has a default", spec.id);
                assert!(
                    settings.get(format!("{secret}_file")).is_some(),
                    "{}.{secret} cannot come from a file",
                    spec.id
                );
            }
        }
    }

    #[test]
    fn limits_on_media_that_let_nothing_through_are_refused_by_every_vendor() {
        for spec in VENDORS {
            let mut settings = (spec.settings)();
            settings["media"]["max_frames"] = 0.into();
            let error = (spec.connect)(settings).unwrap_err().to_string();
            assert!(error.starts_with("media.max_frames"), "{}: {error}", spec.id);
        }
    }

    #[test]
    fn a_vendor_without_credentials_is_refused_by_the_settings_name() {
        for spec in VENDORS {
            let error = (spec.connect)((spec.settings)()).unwrap_err().to_string();
            let named = spec.secrets.iter().any(|secret| error.contains(secret)) || error.contains("client_id");
            assert!(named, "{}: {error}", spec.id);
        }
    }
}
