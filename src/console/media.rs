//! Pictures of avatars and samples of voices, which are at addresses that the tenant's catalogue has. A page may load them from exactly the origins of
//! the entries that it shows.

use std::collections::BTreeSet;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use askama::Template;
use serde_json::{Map, Value};
use url::Url;

use super::frame::page_with;
use super::guard::POLICY;

/// Most origins that a page names: a header has its limits.
const MOST: usize = 30;

const PICTURES: [&str; 3] = ["imageUrl", "portraitImageUrl", "landscapeImageUrl"];
const SOUNDS: [&str; 2] = ["sampleUrl", "previewSampleUrl"];

/// The picture of an entry with these attributes.
pub fn picture(attributes: &Map<String, Value>) -> Option<&str> {
    first(attributes, &PICTURES)
}

/// A sample of how it sounds.
pub fn sound(attributes: &Map<String, Value>) -> Option<&str> {
    first(attributes, &SOUNDS)
}

fn first<'a>(attributes: &'a Map<String, Value>, names: &[&str]) -> Option<&'a str> {
    let urls = names
        .iter()
        .filter_map(|name| attributes.get(*name)?.as_str());
    urls.into_iter().find(|url| origin(url).is_some())
}

/// The origin of an address, if it is one of https whose name can stand in a policy.
fn origin(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    let fits = url.scheme() == "https"
        && url.username().is_empty()
        && url.password().is_none()
        && host.bytes().all(is_plain);
    fits.then(|| url.origin().ascii_serialization())
}

/// A page that shows pictures and plays samples of these entries.
pub fn page<'a>(
    status: StatusCode,
    template: &impl Template,
    entries: impl Iterator<Item = &'a Map<String, Value>>,
) -> HttpResponse {
    let mut page = page_with(status, template);
    if let Ok(policy) = HeaderValue::try_from(policy(entries)) {
        page.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    page
}

fn policy<'a>(entries: impl Iterator<Item = &'a Map<String, Value>>) -> String {
    let (mut pictures, mut sounds) = (BTreeSet::new(), BTreeSet::new());
    for attributes in entries {
        pictures.extend(picture(attributes).and_then(origin));
        sounds.extend(sound(attributes).and_then(origin));
    }
    let listed = |origins: BTreeSet<String>| -> String {
        let origins = origins.into_iter().take(MOST);
        origins.fold(String::new(), |list, origin| list + " " + &origin)
    };
    let own = "img-src 'self' data:";
    let pictures = POLICY.replace(own, &format!("{own}{}", listed(pictures)));
    match listed(sounds) {
        none if none.is_empty() => pictures,
        sounds => format!("{pictures}; media-src{sounds}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(entries: &[Value]) -> String {
        policy(entries.iter().filter_map(Value::as_object))
    }

    #[test]
    fn a_page_may_load_from_the_origins_of_its_entries_and_from_nowhere_else() {
        assert_eq!(of(&[]), POLICY);
        let policy = of(&[
            json!({ "imageUrl": "https://a.example/one.webp" }),
            json!({ "imageUrl": "https://a.example:8443/two.webp", "sampleUrl": "https://b.example/x.mp3?y=z" }),
        ]);
        assert!(
            policy.contains("; img-src 'self' data: https://a.example https://a.example:8443; "),
            "{policy}"
        );
        assert!(
            policy.ends_with("; media-src https://b.example"),
            "{policy}"
        );
    }

    #[test]
    fn what_is_no_plain_address_of_https_is_not_loaded() {
        for url in [
            "http://a.example/x.png",
            "https://a;script-src *.example/x.png",
            "https://a.example;b/x.png",
            "https://u:p@a.example/x.png",
            "https://*.example/x.png",
            "data:image/png,x",
            "javascript:alert(1)",
            "//a.example/x.png",
        ] {
            assert_eq!(
                of(&[json!({ "imageUrl": url, "sampleUrl": url })]),
                POLICY,
                "{url}"
            );
        }
    }
}
