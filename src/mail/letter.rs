//! What letters say. Plain text: nothing of what tenants and people call themselves can become markup.

use std::fmt;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use fluent_bundle::FluentArgs;
use secrecy::{ExposeSecret, SecretString};

use super::Mail;
use crate::domain::email::Email;
use crate::domain::ids::{InvitationId, TenantId};
use crate::domain::language::Language;
use crate::domain::quota::Left;
use crate::domain::role::Role;
use crate::domain::text::clean_line;
use crate::wording::Wording;

static WORDING: LazyLock<Wording> = LazyLock::new(|| Wording::new(&LANGUAGES));
const LANGUAGES: [(&str, &str); 2] = [
    ("en", include_str!("texts/en.ftl")),
    ("de", include_str!("texts/de.ftl")),
];

/// Most characters of a name in a letter.
const MAX_NAME: usize = 80;

/// A letter. It may hold a link that opens an account, so Debug shows only whom it is for.
pub struct Letter {
    pub(super) to: Email,
    pub(super) subject: String,
    pub(super) text: SecretString,
    /// Where it is told how the delivery went.
    pub(super) invitation: Option<InvitationLetter>,
}

/// The invitation that a letter carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvitationLetter {
    pub tenant: TenantId,
    pub invitation: InvitationId,
}

/// What a letter is about.
#[derive(Debug)]
pub enum Words<'a> {
    /// Somebody is invited.
    Invitation {
        /// The tenant's display name.
        tenant: &'a str,
        /// The address or name of whoever invites.
        by: &'a str,
        role: Role,
        token: &'a SecretString,
        until: DateTime<Utc>,
    },
    /// Somebody asked for a new password.
    PasswordReset {
        token: &'a SecretString,
        /// How long the link can be used.
        minutes: i64,
    },
    /// The password was changed by such a link.
    PasswordChanged,
    /// Four fifths of a tenant's quota are used.
    QuotaLow {
        /// The tenant's display name.
        tenant: &'a str,
        left: Left,
    },
}

impl Letter {
    /// Writes a letter; its links lead to the console of this gateway.
    pub fn write(mail: &Mail, to: &Email, language: Language, words: &Words<'_>) -> Self {
        let (name, values) = words.say(mail, language);
        let part =
            |part: &str| WORDING.say(language.as_str(), &format!("{name}-{part}"), Some(&values));
        Self {
            to: to.clone(),
            subject: clean_line(&part("subject"), 200).into_owned(),
            text: SecretString::from(part("text")),
            invitation: None,
        }
    }

    /// Notes at the invitation how the delivery goes.
    #[must_use]
    pub fn about(self, invitation: InvitationLetter) -> Self {
        Self {
            invitation: Some(invitation),
            ..self
        }
    }
}

impl Words<'_> {
    fn say(&self, mail: &Mail, language: Language) -> (&'static str, FluentArgs<'static>) {
        let mut values = FluentArgs::new();
        let console = mail.links_to();
        // Behind a `#`, a token reaches no server's log.
        let link = |page: &str, token: &SecretString| {
            format!("{console}/console/{page}#{}", token.expose_secret())
        };
        let name = match self {
            Self::Invitation {
                tenant,
                by,
                role,
                token,
                until,
            } => {
                let role = format!("role-{role}");
                values.set("tenant", clean_line(tenant, MAX_NAME).into_owned());
                values.set("by", clean_line(by, MAX_NAME).into_owned());
                values.set("role", WORDING.say(language.as_str(), &role, None));
                values.set("link", link("join", token));
                values.set("until", until.format("%Y-%m-%d %H:%M UTC").to_string());
                "invitation"
            }
            Self::PasswordReset { token, minutes } => {
                values.set("link", link("new-password", token));
                values.set("minutes", *minutes);
                "password-reset"
            }
            Self::PasswordChanged => "password-changed",
            Self::QuotaLow { tenant, left } => {
                let measure = format!("measure-{}", left.measure.as_str());
                values.set("tenant", clean_line(tenant, MAX_NAME).into_owned());
                values.set("quota", WORDING.say(language.as_str(), &measure, None));
                values.set("left", left.left.to_string());
                values.set("most", left.most.to_string());
                let until = left.resets_at.format("%Y-%m-%d %H:%M UTC");
                values.set("until", until.to_string());
                "quota-low"
            }
        };
        values.set("gateway", console.to_owned());
        (name, values)
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter")
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_language_says_everything() {
        let names = |source: &str| -> BTreeSet<String> {
            let starts = source.lines().filter_map(|line| line.split_once(" ="));
            let names = starts.map(|(name, _)| name.to_owned());
            names.filter(|name| !name.contains(' ')).collect()
        };
        let english = names(LANGUAGES[0].1);
        assert!(english.len() >= 10, "{english:?}");
        for (tag, source) in LANGUAGES {
            assert_eq!(names(source), english, "{tag}");
        }
        let tags = Language::ALL.map(Language::as_str);
        assert_eq!(tags, LANGUAGES.map(|(tag, _)| tag));
    }
}
