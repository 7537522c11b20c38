//! Who is at the other end of a connection: an address and, with mTLS, the names in a certificate that was verified.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
};

/// Who is at the other end of a connection. It is in the extensions of every request that comes by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerInfo {
    /// Its address: IPv4 where it came as an IPv4-mapped IPv6 address.
    pub ip: IpAddr,
    /// What its certificate, verified against `client_ca`, is known by: `dns:NAME` (in lower case) and `uri:URI` for each of its subject
    /// alternative names, and `sha256:HEX` of the certificate itself. Empty where it showed none.
    pub identities: Arc<[String]>,
}

impl PeerInfo {
    /// A peer of whom nothing is known: it did not come over a listener.
    pub(crate) fn nobody() -> Self {
        Self { ip: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), identities: Arc::from([]) }
    }

    /// A peer without a certificate.
    pub(super) fn plain(address: SocketAddr) -> Self {
        Self { ip: address.ip().to_canonical(), identities: Arc::from([]) }
    }

    /// A peer whose certificates, its own first, have been verified.
    pub(super) fn verified(address: SocketAddr, chain: Option<&[CertificateDer<'_>]>) -> Self {
        let identities = chain.and_then(|chain| chain.first()).map(|leaf| identities(leaf)).unwrap_or_default();
        Self { identities: identities.into(), ..Self::plain(address) }
    }
}

fn identities(leaf: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    // rustls has verified it by a parser of its own; where this one cannot read the names, it has none.
    if let Ok((_, certificate)) = X509Certificate::from_der(leaf)
        && let Ok(Some(names)) = certificate.subject_alternative_name()
    {
        found.extend(names.value.general_names.iter().filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(format!("dns:{}", name.to_ascii_lowercase())),
            GeneralName::URI(uri) => Some(format!("uri:{uri}")),
            GeneralName::OtherName(..)
            | GeneralName::RFC822Name(_)
            | GeneralName::X400Address(_)
            | GeneralName::DirectoryName(_)
            | GeneralName::EDIPartyName(_)
            | GeneralName::IPAddress(_)
            | GeneralName::RegisteredID(_)
            | GeneralName::Invalid(..) => None,
        }));
    }
    let digest: String = Sha256::digest(leaf).iter().map(|byte| format!("{byte:02x}")).collect();
    found.push(format!("sha256:{digest}"));
    found
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    #[test]
    fn names_are_those_that_the_certificate_says() {
        let mut params = CertificateParams::new(vec!["Backend.Example.ORG".to_owned(), "10.0.0.1".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI("spiffe://example.org/Backend".try_into().unwrap()));
        params.subject_alt_names.push(SanType::Rfc822Name("somebody@example.org".try_into().unwrap()));
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let address = "[::ffff:192.0.2.7]:99".parse().unwrap();
        let peer = PeerInfo::verified(address, Some(&[certificate.der().clone()]));
        let digest: String = Sha256::digest(certificate.der()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            peer.identities.as_ref(),
            ["dns:backend.example.org", "uri:spiffe://example.org/Backend", &format!("sha256:{digest}")]
        );
        assert_eq!(peer.ip, "192.0.2.7".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn without_a_certificate_there_are_none() {
        let address = "192.0.2.7:99".parse().unwrap();
        assert_eq!(PeerInfo::verified(address, None), PeerInfo::plain(address));
        assert_eq!(PeerInfo::verified(address, Some(&[])).identities.len(), 0);
        // Not a certificate, which rustls would never have let through: known by its digest alone.
        assert_eq!(PeerInfo::verified(address, Some(&[vec![1, 2, 3].into()])).identities.len(), 1);
    }
}
