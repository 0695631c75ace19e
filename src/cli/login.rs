//! `login` and `logout`: a person's session, begun through their tenant's identity provider with the browser of this machine or of another.

use std::io::{IsTerminal, Write};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::credentials::{self, Credential};
use super::say;
use crate::client::{Client, ClientError, SignIn};
use crate::clock::Clock;

/// How long a browser may take.
const PATIENCE: Duration = Duration::from_mins(10);
/// How long one request of a browser may take.
const REQUEST: Duration = Duration::from_secs(5);
/// Most bytes of a request's head that are looked at.
const MOST: usize = 8 * 1024;

/// Signs you in through your tenant's identity provider, for the commands that take --server.
///
/// It opens a browser, or prints the address to open. The last page there leads back to this command; where the browser is on
/// another machine, paste the code that the page shows: it is worth nothing to any other command. The token is kept for --server until
/// the session ends (twelve hours, half an hour without a command, or `persona-gateway logout`), in a file that only you may read:
/// persona-gateway/credentials.json in `XDG_CONFIG_HOME`, else ~/.config.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  persona-gateway login --server https://gateway.acme.example --tenant acme\n  \
                  persona-gateway export --server https://gateway.acme.example > acme.yaml\n  \
                  TOKEN=$(persona-gateway login --server https://gateway.acme.example --tenant acme --print)"
)]
pub struct LoginArgs {
    /// The gateway's address: https, or http on this machine.
    #[arg(long, value_name = "URL")]
    server: String,
    /// The tenant, by its name in URLs.
    #[arg(long)]
    tenant: String,
    /// Prints the token instead of keeping it.
    #[arg(long)]
    print: bool,
    /// Opens no browser: the address is only printed.
    #[arg(long)]
    no_browser: bool,
}

/// Signs you out: ends the session of `login` at the gateway, and forgets its token here.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  persona-gateway logout --server https://gateway.acme.example")]
pub struct LogoutArgs {
    /// The gateway's address, as at `login`.
    #[arg(long, value_name = "URL")]
    server: String,
}

/// Signs out. The token is forgotten first: whatever the gateway says, nothing here uses it any more.
pub async fn out(args: LogoutArgs) -> anyhow::Result<ExitCode> {
    let base = Client::address(&args.server)?;
    let now = Clock::system().now();
    let Some(kept) = credentials::forget(&base, now)? else {
        say(format_args!("Nobody was signed in at {base}."))?;
        return Ok(ExitCode::SUCCESS);
    };
    if kept.expires_at > now {
        let client = Client::new(&base, kept.token)?;
        match client.sign_out().await {
            Ok(()) => {}
            // It has ended already.
            Err(ClientError::Problem(problem)) if problem.status == 401 => {}
            Err(error) => bail!(
                "the token is forgotten here, but {base} could not be told, so the session ends there by itself, {} at the latest: {error}",
                kept.expires_at.format("%Y-%m-%d %H:%M UTC")
            ),
        }
    }
    say(format_args!("Signed out of {} at {base}.", kept.tenant))?;
    Ok(ExitCode::SUCCESS)
}

/// Signs in.
pub async fn run(args: LoginArgs) -> anyhow::Result<ExitCode> {
    let sign_in = SignIn::begin(&args.server, &args.tenant)?;
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .context("no port of this machine can be listened on")?;
    let address = sign_in.address(listener.local_addr()?.port())?;
    print_notice(&format!(
        "Open this address in a browser, within ten minutes:\n\n  {address}\n\nIf the browser is on another machine, paste the code of its last page here: "
    ))?;
    if !args.no_browser && std::io::stderr().is_terminal() {
        open(address.as_str());
    }
    let code = tokio::time::timeout(PATIENCE, async {
        tokio::select! {
            code = brought(&listener, &sign_in) => code,
            code = pasted() => code,
        }
    })
    .await
    .context("no sign-in within ten minutes")??;
    let signed_in = sign_in.exchange(&code).await?;
    if args.print {
        say(signed_in.token.expose_secret())?;
        return Ok(ExitCode::SUCCESS);
    }
    let until = signed_in.expires_at;
    let (tenant, role) = (signed_in.tenant.clone(), signed_in.role);
    let credential = Credential {
        token: signed_in.token,
        tenant: signed_in.tenant,
        expires_at: until,
    };
    let place = credentials::keep(sign_in.server(), credential, Clock::system().now())?;
    print_notice("\n")?;
    say(format_args!(
        "Signed in to {tenant} as {role}, until {} at the latest. Kept in {}.",
        until.format("%Y-%m-%d %H:%M UTC"),
        place.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// For whoever looks: standard output is for the token.
fn print_notice(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stderr().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Opens a browser, where there is one: the address is on the screen too.
fn open(address: &str) {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let opened = std::process::Command::new(program)
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if let Err(error) = opened {
        tracing::debug!(%error, "no browser");
    }
}

/// The code that a browser of this machine brings, or why it brings none.
async fn brought(listener: &TcpListener, sign_in: &SignIn) -> anyhow::Result<SecretString> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        let asked = tokio::time::timeout(REQUEST, target(&mut stream)).await;
        let brought = asked
            .ok()
            .flatten()
            .and_then(|target| sign_in.brought(&target));
        let (status, said) = match &brought {
            Some(Ok(_)) => (
                "200 OK",
                "The command line has the code: it says how it went. You can close this page.",
            ),
            Some(Err(_)) => (
                "200 OK",
                "The command line knows, and says what to do. You can close this page.",
            ),
            None => (
                "404 Not Found",
                "This is not the sign-in that the command line began.",
            ),
        };
        let page = format!(
            "<!doctype html><meta charset=\"utf-8\"><title>persona-gateway</title><p>{said}</p>\n"
        );
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
             content-security-policy: default-src 'none'\r\nreferrer-policy: no-referrer\r\nconnection: close\r\n\r\n{page}",
            page.len()
        );
        // Whether the browser shows it does not matter.
        _ = tokio::time::timeout(REQUEST, stream.write_all(answer.as_bytes())).await;
        if let Some(brought) = brought {
            return brought.map_err(|words| anyhow!("the sign-in failed: {words}"));
        }
    }
}

/// What a `GET` asks for.
async fn target(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut limited = stream.take(u64::try_from(MOST).ok()?);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if limited.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let line = std::str::from_utf8(head.split(|byte| *byte == b'\r').next()?).ok()?;
    let mut words = line.split(' ');
    (words.next()? == "GET").then_some(())?;
    words.next().map(ToOwned::to_owned)
}

/// The code that somebody pastes; where nobody can, this never comes.
async fn pasted() -> anyhow::Result<SecretString> {
    let (paste, pasted) = oneshot::channel();
    // A thread of its own: nothing else can wait for a terminal. It ends with the process.
    std::thread::Builder::new()
        .name("paste".into())
        .spawn(move || {
            let line = std::io::stdin()
                .lines()
                .map_while(Result::ok)
                .map(|line| line.trim().to_owned())
                .filter(|line| !line.is_empty())
                .find(|line| {
                    let is_code = SignIn::is_code(line);
                    if !is_code {
                        // Whoever reads none of it finds out when the code is refused.
                        _ = print_notice(
                            "That is no code: it begins with pgc_ and has 47 characters. Again: ",
                        );
                    }
                    is_code
                });
            if let Some(line) = line {
                // Nobody may be waiting any more.
                _ = paste.send(line);
            }
        })?;
    match pasted.await {
        Ok(code) => Ok(SecretString::from(code)),
        Err(_nobody) => std::future::pending().await,
    }
}
