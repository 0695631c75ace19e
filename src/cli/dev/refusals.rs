//! Why somebody was refused, in a line at the terminal: in production only the tenant's admins learn it.

use tokio::sync::mpsc::Receiver;

use crate::refusals::Refused;

/// Tells refusals until there are no more.
pub(super) async fn print_refusals(mut seen: Receiver<Refused>) {
    while let Some(refused) = seen.recv().await {
        // A terminal that is gone wants no lines.
        _ = crate::cli::say(line(&refused));
    }
}

fn line(refused: &Refused) -> String {
    let what = if refused.origin.is_empty() {
        "token"
    } else {
        "page"
    };
    let claimed = &refused.claimed;
    let details = [
        ("issuer", &claimed.issuer),
        ("audience", &claimed.audience),
        ("kid", &claimed.kid),
        ("origin", &refused.origin),
    ];
    let details = details.iter().filter(|(_, text)| !text.is_empty());
    let details: Vec<String> = details
        .map(|(name, text)| format!("{name} {text}"))
        .collect();
    let details = if details.is_empty() {
        String::new()
    } else {
        format!(" [{}]", details.join(", "))
    };
    let why = refused.why;
    format!(
        "Refused a {what}: {} ({}){details}. {}",
        why.meaning(),
        why.as_label(),
        why.advice()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Claimed, Refusal};
    use crate::refusals::RefusalReason;

    #[test]
    fn a_line_says_what_was_seen_and_what_to_do() {
        let claimed = Claimed {
            tenant: None,
            issuer: "http://127.0.0.1:8082".into(),
            audience: "another-app".into(),
            kid: String::new(),
        };
        let text = line(&Refused::token(
            RefusalReason::Token(Refusal::Audience),
            claimed,
            None,
        ));
        assert_eq!(
            text,
            "Refused a token: aud names none of this issuer's audiences (wrong_audience) \
             [issuer http://127.0.0.1:8082, audience another-app]. Add the token's aud to the issuer's audiences if these \
             users are yours; else let the page ask for a token with the audience that is registered."
        );
        let text = line(&Refused::origin(None, "http://localhost:3000", None));
        assert!(
            text.starts_with("Refused a page: the page's origin is not in"),
            "{text}"
        );
    }
}
