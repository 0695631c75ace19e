//! A stand-in for Anam that costs little: one thread, no parsing, an answer after a set delay. (The emulator of `dev` checks everything,
//! which takes longer than the gateway.) What a mint must have is looked for in each request, and one in 64 is read as JSON.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use super::http::{self, Message};

/// Where a session token is asked for.
pub(super) const MINT: &str = "/v1/auth/session-token";
/// Followed by milliseconds: sets the delay.
pub(super) const DELAY: &str = "/delay/";
/// `{"type":"ephemeral"}` between the header and the place of a signature.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0eXBlIjoiZXBoZW1lcmFsIn0";
/// How many requests one of which is read as JSON.
const LOOKED_INTO: u64 = 64;

struct StandIn {
    authorization: Vec<u8>,
    delay: Cell<Duration>,
    requests: Cell<u64>,
    late: mpsc::Sender<(Instant, oneshot::Sender<()>)>,
}

/// Serves until the process ends.
pub(super) fn serve(port: u16, api_key: &str) -> anyhow::Result<()> {
    let (late, waiting) = mpsc::channel();
    std::thread::spawn(move || wake_in_time(&waiting));
    let stand_in = Rc::new(StandIn {
        authorization: format!("Bearer {api_key}\r\n").into_bytes(),
        delay: Cell::new(Duration::ZERO),
        requests: Cell::new(0),
        late,
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            tokio::task::spawn_local(Rc::clone(&stand_in).converse(socket));
        }
    })
}

/// Wakes each waiter when it is due. All wait equally long, so that the first to come is the first to go. A thread sleeps to some ten
/// microseconds; tokio's timers turn once a millisecond, which would hide what a proxy adds.
fn wake_in_time(waiting: &mpsc::Receiver<(Instant, oneshot::Sender<()>)>) {
    let mut queue = VecDeque::new();
    while let Some((due, waiter)) = queue.pop_front().or_else(|| waiting.recv().ok()) {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        // Whose connection broke no longer waits.
        waiter.send(()).unwrap_or_default();
        queue.extend(waiting.try_iter());
    }
}

impl StandIn {
    /// Answers the requests of one connection. A connection that breaks is the client's matter.
    async fn converse(self: Rc<Self>, mut socket: TcpStream) {
        let mut buffer = Vec::with_capacity(16 * 1024);
        while let Ok(Some(request)) = http::read(&mut socket, &mut buffer).await {
            let answer = self.answer(&request).await;
            if socket.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    async fn answer(&self, request: &Message<'_>) -> String {
        if let Some(milliseconds) = delay_of(request) {
            self.delay.set(Duration::from_millis(milliseconds));
            return response("200 OK", "{}");
        }
        let number = self.requests.get();
        self.requests.set(number + 1);
        if let Err(why) = self.check(request, number) {
            return response("400 Bad Request", &format!("{{\"error\":\"{why:#}\"}}"));
        }
        let delay = self.delay.get();
        if !delay.is_zero() {
            let (waiter, woken) = oneshot::channel();
            if self.late.send((Instant::now() + delay, waiter)).is_ok() {
                drop(woken.await);
            }
        }
        response(
            "200 OK",
            &format!("{{\"sessionToken\":\"{TOKEN}.{number:043}\"}}"),
        )
    }

    fn check(&self, request: &Message<'_>, number: u64) -> anyhow::Result<()> {
        anyhow::ensure!(request.asks(&format!("POST {MINT}")), "no such path");
        anyhow::ensure!(
            contains(request.head, &self.authorization),
            "another API key"
        );
        anyhow::ensure!(contains(request.body, b"\"systemPrompt\""), "no prompt");
        if number.is_multiple_of(LOOKED_INTO) {
            let body: Value = serde_json::from_slice(request.body).context("no JSON")?;
            for member in [
                "name",
                "avatarId",
                "voiceId",
                "llmId",
                "languageCode",
                "systemPrompt",
            ] {
                let text = body
                    .pointer(&format!("/personaConfig/{member}"))
                    .and_then(Value::as_str);
                let text = text.with_context(|| format!("no {member}"))?;
                anyhow::ensure!(
                    !text.is_empty() && !text.contains("{{"),
                    "{member} is not rendered"
                );
            }
        }
        Ok(())
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    // The prompt comes first or last in a body, the key somewhere in some lines: a plain search is quick.
    text.windows(part.len()).any(|window| window == part)
}

fn delay_of(request: &Message<'_>) -> Option<u64> {
    let path = request
        .head
        .strip_prefix(b"GET ")?
        .strip_prefix(DELAY.as_bytes())?;
    let digits = path.split(|byte| *byte == b' ').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn response(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
