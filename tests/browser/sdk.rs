//! Anam's SDK, in the version that `dev` serves.

use std::sync::OnceLock;

use persona_gateway::anam_sdk;

use crate::npm::Package;

pub(crate) const SDK: Package = Package {
    name: anam_sdk::PACKAGE,
    file: anam_sdk::TARBALL,
    integrity: anam_sdk::INTEGRITY,
};

/// The UMD build, which sets `window.anam`.
pub(crate) fn umd() -> &'static [u8] {
    static SCRIPT: OnceLock<Vec<u8>> = OnceLock::new();
    SCRIPT.get_or_init(|| SDK.member(anam_sdk::UMD))
}
