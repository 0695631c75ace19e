//! Addresses of operations, with their parameters: as the table has them, the router wants them, people write them, and requests have them.

use crate::web::path::decode;

/// The pattern of a path for the router: parameters hold neither slashes nor colons unless they say otherwise.
pub(super) fn pattern(path: &str) -> String {
    with_parameters(path, |parameter| match parameter.split_once(':') {
        Some(_) => parameter.to_owned(),
        None => format!("{parameter}:[^/:]+"),
    })
}

/// The path as people write it, and the names of its parameters.
pub(super) fn in_words(path: &str) -> (String, Vec<String>) {
    let mut names = Vec::new();
    let path = with_parameters(path, |parameter| {
        let name = parameter.split(':').next().unwrap_or_default();
        names.push(name.to_owned());
        name.to_owned()
    });
    (path, names)
}

/// The path with each parameter replaced.
fn with_parameters(path: &str, mut write: impl FnMut(&str) -> String) -> String {
    let (first, parts) = path.split_once('{').unwrap_or((path, ""));
    let mut written = first.to_owned();
    for part in parts.split('{').filter(|part| !part.is_empty()) {
        let (parameter, rest) = part.split_once('}').unwrap_or((part, ""));
        written.push('{');
        written.push_str(&write(parameter));
        written.push('}');
        written.push_str(rest);
    }
    written
}

/// The value of a path's parameter, counted from 0. It is read from the address as it was sent, since the router decodes in part.
pub(super) fn value(path: &str, sent: &str, index: usize) -> Option<String> {
    // Without the patterns of parameters, which may hold slashes.
    let (path, _) = in_words(path);
    let of_parameter = |segment: &&str| segment.contains('{');
    let at = path
        .split('/')
        .enumerate()
        .filter(|(_, segment)| of_parameter(segment))
        .nth(index)?;
    let (position, segment) = at;
    let (before, rest) = segment.split_once('{')?;
    let (_, after) = rest.rsplit_once('}')?;
    let raw = sent.split('/').nth(position)?;
    decode(raw.strip_prefix(before)?.strip_suffix(after)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_hold_no_colon_unless_they_say_so() {
        assert_eq!(
            pattern("/v1/a/{kind}/{key}:seal"),
            "/v1/a/{kind:[^/:]+}/{key:[^/:]+}:seal"
        );
        assert_eq!(
            pattern("/v1/u/{subject:[^/]+}/x"),
            "/v1/u/{subject:[^/]+}/x"
        );
        assert_eq!(
            in_words("/v1/u/{subject:[^/]+}/x"),
            ("/v1/u/{subject}/x".to_owned(), vec!["subject".to_owned()])
        );
    }

    #[test]
    fn a_parameter_is_decoded_once_and_without_the_verb_behind_it() {
        let path = "/v1/a/{kind}/{key}:seal";
        let sent = "/v1/a/snippet/a%2541%2Fb:seal";
        assert_eq!(value(path, sent, 0).as_deref(), Some("snippet"));
        assert_eq!(value(path, sent, 1).as_deref(), Some("a%41/b"));
        assert_eq!(value(path, sent, 2), None);
        assert_eq!(value(path, "/v1/a/snippet/%FF:seal", 1), None);
        let path = "/v1/u/{subject:[^/]+}:export";
        let sent = "/v1/u/a%2Fb:c:export";
        assert_eq!(value(path, sent, 0).as_deref(), Some("a/b:c"));
        let path = "/v1/t/{tenant:[^/]+}/start";
        assert_eq!(value(path, "/v1/t/acme/start", 0).as_deref(), Some("acme"));
    }
}
