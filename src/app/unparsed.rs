//! Requests that are refused before they can be read: what is no HTTP, a head that is too large, a head that does not arrive, a body that
//! is too large to be sent.
//!
//! actix-http answers those itself, below everything of ours, with a status and nothing more, and has no hook for it. So the
//! connection is wrapped: the one form of those answers is recognised as it is written, and a problem goes out in its place. Nobody has read
//! which origin asks, so pages of all may read it: nothing in it hangs on who asks or what for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_http::{Request, Response};
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::{HttpMessage, ResponseError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock::Clock;
use crate::telemetry::metrics::Metrics;
use crate::web::Problem;
use crate::web::body::announced;
use crate::web::codes::Code;
use crate::web::path::is_for_admins;

/// Longest bare answer: a status line, a length, a date, `connection: close`.
const MAX_BARE: usize = 256;

/// What a refusal is judged, counted and named with.
#[derive(Debug)]
pub(super) struct RefusalContext {
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    /// Longest body of the user API, in bytes.
    pub(super) max_body: usize,
    /// Longest body of the admin API, in bytes.
    pub(super) max_admin_body: usize,
}

/// A body that a client announces, and waits to be let send (`Expect: 100-continue`), is too large.
#[derive(Debug)]
pub(super) struct TooLarge;

impl From<TooLarge> for Response<BoxBody> {
    fn from(TooLarge: TooLarge) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE)
    }
}

/// A connection whose bare refusals become problems.
#[derive(Debug)]
pub(super) struct Connection<T> {
    io: T,
    desk: Arc<RefusalContext>,
    /// A problem that is being written.
    problem: Vec<u8>,
    written: usize,
    is_heard: bool,
}

impl<T> Connection<T> {
    pub(super) fn new(io: T, desk: Arc<RefusalContext>) -> Self {
        Self {
            io,
            desk,
            problem: Vec::new(),
            written: 0,
            is_heard: false,
        }
    }
}

impl RefusalContext {
    /// Lets a client send the body that it announces, or not.
    pub(super) fn admit_body(&self, request: Request) -> Result<Request, TooLarge> {
        let most = if is_for_admins(request.path()) {
            self.max_admin_body
        } else {
            self.max_body
        };
        if announced(request.headers()).is_some_and(|bytes| bytes > most) {
            return Err(TooLarge);
        }
        Ok(request)
    }

    /// The whole answer in the place of a bare one.
    fn answer(&self, bare: &BareResponse<'_>) -> Vec<u8> {
        let id = self.clock.new_id();
        let problem = self.problem(bare.code);
        let status = problem.status_code();
        self.metrics.http_request("none", status.as_u16());
        tracing::info!(
            request.id = %id, http.status = status.as_u16(), code = bare.code.as_str(), "refused before it was read"
        );
        let body = serde_json::to_vec(&problem.body()).unwrap_or_default();
        let date = bare
            .date
            .map_or_else(String::new, |date| format!("{date}\r\n"));
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\ncontent-type: application/problem+json\r\n\
             cache-control: no-store\r\nx-content-type-options: nosniff\r\naccess-control-allow-origin: *\r\n\
             access-control-expose-headers: x-request-id\r\nx-request-id: {id}\r\n{date}\r\n",
            body.len()
        );
        [head.into_bytes(), body].concat()
    }

    fn problem(&self, code: Code) -> Problem {
        let detail = match code {
            Code::HeadersTimeout => "The request's line and headers did not arrive in time.",
            Code::HeadersTooLarge => {
                "The request's line and headers are too large, or there are more than 96 headers."
            }
            Code::BodyTooLarge => {
                let (most, of_admins) = (self.max_body, self.max_admin_body);
                return Problem::new(code).detail(format!(
                    "A body may have {most} bytes at most, and {of_admins} in the admin API."
                ));
            }
            _ => {
                "The request is no HTTP/1.1 as it is taken here: look at its line, its headers and the framing of its body."
            }
        };
        Problem::new(code).detail(detail)
    }
}

/// An answer of actix-http itself.
#[derive(Debug, PartialEq)]
struct BareResponse<'b> {
    /// Where it begins.
    at: usize,
    code: Code,
    /// Its header line.
    date: Option<&'b str>,
}

impl<'b> BareResponse<'b> {
    /// The bare answer that ends `bytes`, which may have others before it. None of the service's own answers looks like one:
    /// they have an `x-request-id`, and no line break is in their bodies' texts.
    fn find(bytes: &'b [u8]) -> Option<Self> {
        if !bytes.ends_with(b"\r\n\r\n") {
            return None;
        }
        let tail = bytes.len().saturating_sub(MAX_BARE);
        let start = bytes
            .get(tail..)?
            .windows(7)
            .rposition(|window| window == b"HTTP/1.")?;
        let at = tail.saturating_add(start);
        let head = std::str::from_utf8(bytes.get(at..)?).ok()?;
        let mut lines = head.strip_suffix("\r\n\r\n")?.split("\r\n");
        let code = match lines.next()?.split(' ').nth(1)? {
            "400" => Code::MalformedRequest,
            "408" => Code::HeadersTimeout,
            "413" => Code::BodyTooLarge,
            "431" => Code::HeadersTooLarge,
            _ => return None,
        };
        let (mut date, mut is_empty) = (None, false);
        for line in lines {
            match line.split_once(": ")? {
                ("content-length", "0") => is_empty = true,
                ("connection", "close") => {}
                ("date", _) => date = Some(line),
                _ => return None,
            }
        }
        is_empty.then_some(Self { at, code, date })
    }
}

impl<T: AsyncWrite + Unpin> Connection<T> {
    fn poll_problem(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self
            .problem
            .get(self.written..)
            .filter(|rest| !rest.is_empty())
        {
            match ready!(Pin::new(&mut self.io).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.written = self.written.saturating_add(written),
            }
        }
        self.problem.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Connection<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        self.is_heard |= buffer.filled().len() > before;
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Connection<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_problem(cx))?;
        let before = match BareResponse::find(bytes) {
            None => bytes,
            Some(bare) if bare.at > 0 => bytes.get(..bare.at).unwrap_or(bytes),
            // A connection that was made ahead, and never used: an answer would be taken for that of the next request.
            Some(bare) if bare.code == Code::HeadersTimeout && !self.is_heard => {
                return Poll::Ready(Ok(bytes.len()));
            }
            Some(bare) => {
                self.problem = self.desk.answer(&bare);
                // What does not go out now does with the next flush.
                return match self.poll_problem(cx) {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    _ => Poll::Ready(Ok(bytes.len())),
                };
            }
        };
        Pin::new(&mut self.io).poll_write(cx, before)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_problem(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_problem(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const BARE: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\ndate: Sat, 28 Nov 2026 03:00:00 GMT\r\n\r\n";

    #[test]
    fn nothing_but_a_bare_refusal_at_the_end_is_one() {
        let found =
            |text: &str| BareResponse::find(text.as_bytes()).map(|bare| (bare.at, bare.code));
        assert_eq!(found(BARE), Some((0, Code::MalformedRequest)));
        assert_eq!(
            found(&format!("HTTP/1.1 200 OK\r\n\r\n{BARE}")),
            Some((19, Code::MalformedRequest))
        );
        assert_eq!(
            found("HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"),
            Some((0, Code::HeadersTimeout))
        );
        for other in [
            "",
            "\r\n\r\n",
            "HTTP/1.1 \r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nx-request-id: 1\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 10\r\n\r\n",
            BARE.strip_suffix('\n').unwrap(),
            &format!("{BARE}x"),
        ] {
            assert_eq!(found(other), None, "{other:?}");
        }
    }

    #[tokio::test]
    async fn a_problem_goes_out_whole_however_slowly_it_is_read() {
        let (ours, mut theirs) = duplex(7);
        let desk = RefusalContext {
            clock: Clock::system(),
            metrics: Metrics::new(),
            max_body: 1,
            max_admin_body: 2,
        };
        let writing = async move {
            let mut connection = Connection::new(ours, Arc::new(desk));
            let answers = format!("HTTP/1.1 204 No Content\r\n\r\n{BARE}");
            connection.write_all(answers.as_bytes()).await.unwrap();
            connection.shutdown().await.unwrap();
        };
        let mut got = String::new();
        let ((), read) = tokio::join!(writing, theirs.read_to_string(&mut got));
        read.unwrap();
        let got = got.strip_prefix("HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        let (head, body) = got.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())));
        assert!(
            head.contains("x-request-id: ") && head.contains("date: Sat, 28 Nov"),
            "{head}"
        );
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["code"], "malformed_request");
    }
}
