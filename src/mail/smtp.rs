//! One delivery to the mail server.

use std::error::Error as _;
use std::time::Duration;

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::letter::Letter;
use crate::config::{MailSecurity, MailSettings};
use crate::domain::text::clean_line;

/// Most characters of the server's own words that are kept.
const MAX_WORDS: usize = 200;

/// Why mail can't be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    #[error("mail.from: {0}")]
    Sender(#[from] lettre::address::AddressError),
    #[error("mail.url or mail.root_certificates: {0}")]
    Transport(#[from] lettre::transport::smtp::Error),
}

/// Why a letter was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Undelivered {
    /// Trying again may help.
    pub(super) for_now: bool,
    /// Stable name for metrics.
    pub(super) label: &'static str,
    /// For the admin who caused it: without what the operator alone should know.
    pub(super) words: String,
    /// For the log.
    pub(super) reason: String,
}

/// The way to the mail server.
#[derive(Debug)]
pub(super) struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    timeout: Duration,
}

impl Smtp {
    pub(super) fn set_up(settings: &MailSettings) -> Result<Self, SetUpError> {
        let server = &settings.url;
        let address: Address = settings.from.address.as_str().parse()?;
        let tls = match server.security {
            MailSecurity::None => Tls::None,
            MailSecurity::StartTls => Tls::Required(tls_of(settings)?),
            MailSecurity::Tls => Tls::Wrapper(tls_of(settings)?),
        };
        // The machine's own name is nobody's matter; the sender's domain is known anyway.
        let hello = ClientId::Domain(settings.from.address.domain().to_owned());
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
            .port(server.port)
            .tls(tls)
            .hello_name(hello)
            .timeout(Some(settings.timeout));
        if let Some((user, password)) = &server.login {
            let password = password.expose_secret().to_owned();
            transport = transport.credentials(Credentials::new(user.clone(), password));
        }
        Ok(Self {
            transport: transport.build(),
            from: Mailbox::new(settings.from.name.clone(), address),
            timeout: settings.timeout,
        })
    }

    /// Hands a letter in. `id` is the same for each try, so that readers can tell copies.
    pub(super) async fn deliver(&self, letter: &Letter, id: Uuid) -> Result<(), Undelivered> {
        let message = self.message(letter, id)?;
        let sent = tokio::time::timeout(self.timeout, self.transport.send(message)).await;
        match sent {
            Ok(Ok(_taken)) => Ok(()),
            Ok(Err(error)) => Err(undelivered(&error)),
            Err(_elapsed) => Err(Undelivered {
                for_now: true,
                label: "timeout",
                words: "the mail server did not answer in time".to_owned(),
                reason: "no answer in time".to_owned(),
            }),
        }
    }

    fn message(&self, letter: &Letter, id: Uuid) -> Result<Message, Undelivered> {
        let refused = |reason: String| Undelivered {
            for_now: false,
            label: "bad_address",
            words: "no mail can be sent to this address".to_owned(),
            reason,
        };
        // Both readers must take an address, so nothing else gets into a header.
        let to: Address = letter
            .to
            .as_str()
            .parse()
            .map_err(|error: lettre::address::AddressError| refused(error.to_string()))?;
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject.clone())
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text.expose_secret().to_owned())
            .map_err(|error| refused(error.to_string()))
    }
}

fn tls_of(settings: &MailSettings) -> Result<TlsParameters, SetUpError> {
    let mut tls = TlsParameters::builder(settings.url.host.clone());
    if let Some(pem) = &settings.extra_roots {
        tls = tls.add_root_certificate(Certificate::from_pem(pem)?);
    }
    Ok(tls.build()?)
}

fn undelivered(error: &lettre::transport::smtp::Error) -> Undelivered {
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    let said = clean_line(&source, MAX_WORDS).into_owned();
    let (label, words) = match error.status() {
        Some(code) => (
            "refused",
            format!("the mail server refused it: {code} {said}"),
        ),
        None if error.is_timeout() => ("timeout", "the mail server did not answer in time".into()),
        None => ("unreachable", "the mail server could not be reached".into()),
    };
    Undelivered {
        for_now: !error.is_permanent(),
        label,
        words,
        reason: clean_line(&error.to_string(), MAX_WORDS).into_owned(),
    }
}

/// No answering machine should answer (RFC 3834).
#[derive(Debug, Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
