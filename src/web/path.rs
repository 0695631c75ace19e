//! Paths are percent-encoded UTF-8 without control characters: anything else matches no route. Members of a path that
//! hold any text at all, such as a user's subject, are decoded here once and strictly, since a lenient reader would take two
//! addresses for one.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};

use super::Problem;
use super::codes::Code;

/// Turns away paths that no route means, before any handler decodes them.
pub async fn readable<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    // The request's own path: the router's has been decoded in part.
    let path = decode(request.uri().path());
    if path.is_some_and(|path| !path.contains(char::is_control)) {
        Ok(next.call(request).await?.map_into_left_body())
    } else {
        let problem = Problem::new(Code::NotFound);
        Ok(request
            .into_response(problem.error_response())
            .map_into_right_body())
    }
}

/// Whether a path belongs to the admin API, the operators' or the console: no page of another origin has any business there, and bodies may be long.
pub fn is_for_admins(path: &str) -> bool {
    ["/v1/admin", "/v1/operator", "/console"]
        .iter()
        .any(|start| {
            path.strip_prefix(start)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
}

/// `None` where a percent sign is not followed by two hex digits, or the bytes are no UTF-8.
pub(super) fn decode(raw: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_decoded_once_and_strictly() {
        for (raw, text) in [
            ("auth0%7C123", Some("auth0|123")),
            ("auth0|123", Some("auth0|123")),
            (
                "https%3A%2F%2Fidp.example%2Fu%2F1",
                Some("https://idp.example/u/1"),
            ),
            ("a+b%2Bc", Some("a+b+c")),
            ("100%2541", Some("100%41")),
            ("J%C3%BCrgen", Some("Jürgen")),
            ("%", None),
            ("%4", None),
            ("%zz", None),
            ("%+1", None),
            ("%FF", None),
        ] {
            assert_eq!(decode(raw).as_deref(), text, "{raw}");
        }
    }
}
