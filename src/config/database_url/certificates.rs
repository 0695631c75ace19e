//! Certificates in files: whether they are there and what they should be, before anybody connects.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::part::fault;
use super::{DatabaseUrl, DatabaseUrlFault};

pub(super) fn check(url: &DatabaseUrl) -> Result<(), DatabaseUrlFault> {
    if let Some(file) = url.root_certificates() {
        look_into(file, "sslrootcert", "CERTIFICATE")?;
    }
    if let Some((certificate, key)) = url.client_certificate() {
        look_into(certificate, "sslcert", "CERTIFICATE")?;
        look_into(key, "sslkey", "PRIVATE KEY")?;
    }
    Ok(())
}

/// Whether the file holds at least one whole block of that kind. A reader of PEM passes over everything else, and would then
/// trust nobody, or everybody, without a word.
fn look_into(file: &Path, parameter: &str, kind: &str) -> Result<(), DatabaseUrlFault> {
    let shown = file.display();
    let text = match std::fs::read(file) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => {
            return fault(format!(
                "the file of {parameter}, {shown}, can't be read: {error}"
            ));
        }
    };
    let mut found = 0;
    let mut block: Option<String> = None;
    for line in text.lines().map(str::trim) {
        let is_border = line.ends_with("-----");
        if is_border && line.starts_with("-----BEGIN ") && line.contains(kind) {
            block = Some(String::new());
        } else if is_border && line.starts_with("-----END ") {
            let body = block.take();
            if body.is_some_and(|body| STANDARD.decode(body).is_ok_and(|der| der.len() > 32)) {
                found += 1;
            }
        } else if let Some(body) = &mut block {
            body.push_str(line);
        }
    }
    if found > 0 {
        return Ok(());
    }
    let kind = kind.to_lowercase();
    fault(format!(
        "the file of {parameter}, {shown}, holds no {kind} as PEM (a block that begins with -----BEGIN)"
    ))
}
