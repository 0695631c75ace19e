//! The bearer token of a request (RFC 6750): in the Authorization header, once, nowhere else.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;

use super::Problem;

/// The token of the request.
pub fn bearer(request: &HttpRequest) -> Result<&str, Problem> {
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let (Some(header), None) = (headers.next(), headers.next()) else {
        // None, or several: which of them would be meant?
        return Err(if request.headers().contains_key(AUTHORIZATION) {
            Problem::bad_token()
        } else {
            Problem::no_token()
        });
    };
    let text = header.to_str().map_err(|_not_ascii| Problem::bad_token())?;
    // RFC 9110: the scheme's case does not matter.
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() => {
            Ok(token)
        }
        _ => Err(Problem::bad_token()),
    }
}
