//! Passwords of people who administer: argon2id, at the strength that OWASP's Password Storage Cheat Sheet asks for.
//!
//! A hash takes 19 MiB and tens of milliseconds, so it runs on a thread that stands back behind those that answer users, and only a
//! few run at once. `limits/sign_in.rs` says whose turn it is.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, oneshot};

use super::guessable;
use crate::domain::email::Email;
use crate::domain::text;
use crate::domain::wrong::{Words, Wrong};
use crate::threads::stand_back;

pub const MIN_CHARS: usize = 12;
pub const MAX_CHARS: usize = 128;

/// OWASP's second choice of equal strength: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// How long a sign-in may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(5);
/// How far hashing stands back behind what answers users.
const NICENESS: i32 = 10;

/// A password must withstand this many guesses, as a power of ten: zxcvbn's score 3, "safely unguessable" where tries are
/// limited.
const MIN_GUESSES_LOG10: f64 = 8.0;
/// Tried first though no dictionary has it.
const FAMOUS: &str = "correcthorsebatterystaple";

/// A password that may be set. Debug shows nothing of it.
#[derive(Debug, Clone)]
pub struct Password(SecretString);

/// Why a password may not be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    #[error("must have 12 to 128 characters")]
    Length,
    /// It holds characters that nobody can type.
    #[error("must not hold control characters")]
    Control,
    /// The e-mail address itself.
    #[error("must not be the e-mail address")]
    IsEmail,
    /// Among those tried first.
    #[error(
        "is guessed too quickly: use a few words that don't belong together, or a password manager"
    )]
    Common,
}

impl BadPassword {
    /// What it says, with its code.
    pub fn to_words(self) -> Words {
        let wrong = match self {
            Self::Length => Wrong::Length {
                least: MIN_CHARS,
                most: MAX_CHARS,
            },
            Self::Control => Wrong::Control,
            Self::IsEmail => Wrong::IsEmail,
            Self::Common => Wrong::Guessable,
        };
        wrong.worded(self.to_string())
    }
}

impl Password {
    /// Judges a new password for the person with this address. Nothing is trimmed or normalised.
    pub fn parse(secret: SecretString, email: &Email) -> Result<Self, BadPassword> {
        let password = secret.expose_secret();
        if !(MIN_CHARS..=MAX_CHARS).contains(&password.chars().count()) {
            return Err(BadPassword::Length);
        }
        if text::forbidden(password).is_some() || password.contains(['\n', '\r', '\t']) {
            return Err(BadPassword::Control);
        }
        if password.eq_ignore_ascii_case(email.as_str()) {
            return Err(BadPassword::IsEmail);
        }
        let mut words: Vec<&str> = email.as_str().split(['@', '.', '+', '-', '_']).collect();
        words.push(FAMOUS);
        if guessable::guesses_log10(password, &words) < MIN_GUESSES_LOG10 {
            return Err(BadPassword::Common);
        }
        Ok(Self(secret))
    }
}

/// No answer about a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Too many wait for the same.
    #[error("too many passwords are being checked")]
    Busy,
    /// No random bytes, no memory, or the process is stopping.
    #[error("a password could not be hashed")]
    Failed,
}

/// What a check of a password showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// Another one, or the account has none.
    Wrong,
    Right {
        /// Its hash was made with other parameters than today's: hash it again.
        outdated: bool,
    },
}

/// Hashes passwords and checks them, a few at a time. Cheap to clone; clones wait in one line.
#[derive(Debug, Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    /// Of nobody's password: what unknown accounts are checked against, so that they take as long as known ones.
    nobodys: Arc<str>,
}

/// Passwords that are hashed at the same time: a quarter of the processors, and at least one.
pub fn at_once() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (processors / 4).max(1)
}

impl Passwords {
    /// At most [`at_once`] are hashed at the same time, whoever calls.
    pub fn new() -> Result<Self, HashError> {
        Ok(Self {
            turns: Arc::new(Semaphore::new(at_once())),
            nobodys: nobodys()?.into(),
        })
    }

    /// The hash to store, a PHC string. Salted: the same password has another each time.
    pub async fn hash(&self, password: &Password) -> Result<String, HashError> {
        let secret = password.0.clone();
        self.in_turn(move || hash_now(secret.expose_secret().as_bytes()))
            .await
    }

    /// Whether `attempt` is the password with this hash. `None` takes as long as a wrong password.
    pub async fn check(
        &self,
        attempt: &SecretString,
        hash: Option<&str>,
    ) -> Result<Checked, HashError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or(&self.nobodys).to_owned();
        // A longer one can't have been set, and hashing is no service for long texts.
        let fits = attempt.expose_secret().chars().count() <= MAX_CHARS;
        let attempt = if fits {
            attempt.clone()
        } else {
            SecretString::from("")
        };
        self.in_turn(move || {
            let stored = PasswordHash::new(&hash).map_err(|error| {
                tracing::error!(%error, "a stored password hash can't be read");
                HashError::Failed
            })?;
            let right = argon2()?
                .verify_password(attempt.expose_secret().as_bytes(), &stored)
                .is_ok();
            Ok(if right && known && fits {
                Checked::Right {
                    outdated: is_outdated(&stored),
                }
            } else {
                Checked::Wrong
            })
        })
        .await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let turn = tokio::time::timeout(PATIENCE, self.turns.clone().acquire_owned())
            .await
            .map_err(|_elapsed| HashError::Busy)?
            .map_err(|_closed| HashError::Failed)?;
        let (answer, answered) = oneshot::channel();
        std::thread::Builder::new()
            .name("password".into())
            .spawn(move || {
                stand_back(NICENESS);
                let done = work();
                drop(turn);
                // Nobody may be waiting any more.
                _ = answer.send(done);
            })
            .map_err(|error| {
                tracing::error!(%error, "no thread for a password");
                HashError::Busy
            })?;
        answered.await.map_err(|_gone| HashError::Failed)?
    }
}

fn argon2() -> Result<Argon2<'static>, HashError> {
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_fixed| HashError::Failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &[u8]) -> Result<String, HashError> {
    let mut salt = [0; SALT_BYTES];
    rand::fill(&mut salt).map_err(|_unspecified| HashError::Failed)?;
    let hash = argon2()?
        .hash_password_with_salt(password, &salt)
        .map_err(|_no_memory| HashError::Failed)?;
    Ok(hash.to_string())
}

/// What looks like the hash of a password, made today, and is none. To hash one would take 19 MiB, which the allocator keeps for a while.
fn nobodys() -> Result<String, HashError> {
    let mut bytes = [0; SALT_BYTES + HASH_BYTES];
    rand::fill(&mut bytes).map_err(|_unspecified| HashError::Failed)?;
    let (salt, hash) = bytes.split_at(SALT_BYTES);
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    Ok(format!(
        "$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${hash}"
    ))
}

/// Whether the hash was made otherwise than hashes are made today.
fn is_outdated(hash: &PasswordHash) -> bool {
    let params = Params::try_from(hash).map(|params| {
        (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES)
    });
    let version = hash.version == Some(Version::V0x13.into());
    hash.algorithm.as_str() != Algorithm::Argon2id.as_str() || !version || params != Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email() -> Email {
        Email::parse("ann.of.the.long.name@example.com").unwrap()
    }

    fn judge(password: &str) -> Result<Password, BadPassword> {
        Password::parse(SecretString::from(password), &email())
    }

    #[test]
    fn bad_passwords_are_refused_with_their_reason() {
        let long = "x".repeat(129);
        for (password, reason) in [
            ("elevenchars", BadPassword::Length),
            (long.as_str(), BadPassword::Length),
            ("with a\nbreak in it", BadPassword::Control),
            ("Ann.of.the.long.name@EXAMPLE.com", BadPassword::IsEmail),
            ("PasswordPassword", BadPassword::Common),
            ("1qaz2wsx3edc4rfv", BadPassword::Common),
            ("Passw0rd!Passw0rd!", BadPassword::Common),
            ("correcthorsebatterystaple", BadPassword::Common),
        ] {
            assert_eq!(judge(password).unwrap_err(), reason, "{password}");
        }
        let mixed: String = (0..128_u8)
            .map(|at| char::from(b'!' + at.wrapping_mul(37) % 90))
            .collect();
        for good in ["twelve chars", "päßwörter sind lang", mixed.as_str()] {
            judge(good).unwrap_or_else(|bad| panic!("{good:?} {bad}"));
        }
    }

    #[test]
    fn what_unknown_accounts_are_checked_against_looks_like_any_hash_of_today() {
        let (nobodys, somebodys) = (nobodys().unwrap(), hash_now(b"a password").unwrap());
        assert_eq!(nobodys.len(), somebodys.len());
        let nobodys = PasswordHash::new(&nobodys).unwrap();
        assert!(!is_outdated(&nobodys));
    }

    #[tokio::test]
    async fn only_the_right_password_passes_and_nobodys_never_does() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords
            .hash(&judge("a good long password").unwrap())
            .await
            .unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        let check = async |attempt: &str, hash: Option<&str>| {
            passwords
                .check(&SecretString::from(attempt), hash)
                .await
                .unwrap()
        };
        let right = Checked::Right { outdated: false };
        assert_eq!(check("a good long password", Some(&hash)).await, right);
        assert_eq!(
            check("a good long passwore", Some(&hash)).await,
            Checked::Wrong
        );
        assert_eq!(check("", Some(&hash)).await, Checked::Wrong);
        assert_eq!(
            check(&"x".repeat(1 << 20), Some(&hash)).await,
            Checked::Wrong
        );
        assert_eq!(check("nobody's password", None).await, Checked::Wrong);
    }

    #[tokio::test]
    async fn a_hash_of_weaker_parameters_is_told_to_be_outdated() {
        let weak = Argon2::new(
            Algorithm::Argon2id,
            Version::V0x13,
            Params::new(8 * 1024, 1, 1, None).unwrap(),
        );
        let hash = weak
            .hash_password_with_salt(b"a good long password", &[7; SALT_BYTES])
            .unwrap()
            .to_string();
        let checked = Passwords::new()
            .unwrap()
            .check(&SecretString::from("a good long password"), Some(&hash))
            .await;
        assert_eq!(checked, Ok(Checked::Right { outdated: true }));
    }
}
