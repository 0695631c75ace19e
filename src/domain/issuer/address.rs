//! Addresses that the gateway fetches something from.

use url::Url;

use crate::domain::web_url::{self, WebUrlFault};
use crate::domain::wrong::{Words, Wrong};

/// An address that can be fetched at all. Whether it may be is for the outbound guard to say, which
/// knows the installation's allow list.
pub(super) fn fetchable(text: &str) -> Result<Url, Words> {
    const MOST: usize = 2_048;
    if text.len() > MOST {
        return Err(Wrong::LongUrl { most: MOST }.into());
    }
    let url = web_url::parse(text).map_err(WebUrlFault::to_words)?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(Wrong::UrlParts.into());
    }
    Ok(url)
}
