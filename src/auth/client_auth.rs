//! How the gateway says who it is at an endpoint of somebody's authorization server (RFC 6749, 2.3.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::outbound::OutboundError;
use crate::domain::issuer::ClientAuthentication;

/// A client that is registered at an authorization server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client<'a> {
    pub(super) id: &'a str,
    /// `None` of a public client, which only names itself.
    pub(super) secret: Option<&'a SecretString>,
    pub(super) authentication: ClientAuthentication,
}

impl Client<'_> {
    /// A request with these members as its form, from this client.
    pub(super) fn post(
        self,
        endpoint: &Url,
        members: &[(&str, &str)],
    ) -> Result<Request, OutboundError> {
        let mut request = Request::new(Method::POST, endpoint.clone());
        let mut form = Serializer::new(String::new());
        form.extend_pairs(members);
        let headers = request.headers_mut();
        match (self.authentication, self.secret) {
            (ClientAuthentication::ClientSecretBasic, Some(secret)) => {
                headers.insert(AUTHORIZATION, basic(self.id, secret)?);
            }
            (ClientAuthentication::ClientSecretPost, Some(secret)) => {
                form.append_pair("client_id", self.id);
                form.append_pair("client_secret", secret.expose_secret());
            }
            (_, None) => {
                form.append_pair("client_id", self.id);
            }
        }
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        *request.body_mut() = Some(form.finish().into());
        Ok(request)
    }
}

/// Both are form-encoded first, so that a colon in the id is none between them.
fn basic(id: &str, secret: &SecretString) -> Result<HeaderValue, OutboundError> {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let secret = Zeroizing::new(encoded(secret.expose_secret()));
    let pair = Zeroizing::new(format!("{}:{}", encoded(id), *secret));
    let header = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    // Base64 always fits into a header.
    let mut header =
        HeaderValue::from_str(&header).map_err(|_unwritable| OutboundError::NotAllowed)?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_and_the_secret_are_form_encoded_before_they_are_put_together() {
        let secret = SecretString::from("a:b c+ü%/");
        let header = basic("my:id and", &secret).unwrap();
        assert!(header.is_sensitive());
        let encoded = header.to_str().unwrap().strip_prefix("Basic ").unwrap();
        let pair = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
        assert_eq!(pair, "my%3Aid+and:a%3Ab+c%2B%C3%BC%25%2F");
    }
}
