//! Certificates for a server of a test's own.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::cli::Folder;

/// Writes a certificate of `localhost` with its key (`own.pem`, `own.key`), and that of the authority that signed it (`ca.pem`).
pub(super) fn write(folder: &Folder) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = own.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    folder.write("ca.pem", ca_certificate.pem());
    folder.write("own.pem", certificate.pem());
    folder.write("own.key", key.serialize_pem());
}
