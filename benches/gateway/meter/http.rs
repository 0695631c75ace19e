//! As much of HTTP/1.1 as a benchmark speaks on loopback: one message at a time on a connection, with a `Content-Length`.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A message in the buffer that it was read into.
#[derive(Debug)]
pub(super) struct Message<'b> {
    /// Up to the empty line, with it.
    pub(super) head: &'b [u8],
    pub(super) body: &'b [u8],
}

impl Message<'_> {
    /// Of an answer.
    pub(super) fn status(&self) -> u16 {
        let digits = self.head.get(9..12).unwrap_or_default();
        digits.iter().fold(0, |status, digit| {
            status * 10 + u16::from(digit.wrapping_sub(b'0') % 10)
        })
    }

    /// Of a request, such as `POST /path`.
    pub(super) fn asks(&self, method_and_path: &str) -> bool {
        let rest = self.head.strip_prefix(method_and_path.as_bytes());
        rest.is_some_and(|rest| rest.starts_with(b" "))
    }
}

/// Reads the next message; none if the other side closed the connection before it.
pub(super) async fn read<'b>(
    from: &mut (impl AsyncRead + Unpin),
    buffer: &'b mut Vec<u8>,
) -> io::Result<Option<Message<'b>>> {
    buffer.clear();
    let mut ends = None;
    loop {
        if ends.is_none()
            && let Some(head) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n")
        {
            let head = head + 4;
            let length = content_length(buffer.get(..head).unwrap_or_default())?;
            ends = Some((head, head + length));
        }
        if let Some((head, end)) = ends
            && buffer.len() >= end
        {
            let (head, rest) = buffer.split_at(head);
            return Ok(Some(Message { head, body: rest }));
        }
        if from.read_buf(buffer).await? == 0 {
            return if buffer.is_empty() {
                Ok(None)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
    }
}

fn content_length(head: &[u8]) -> io::Result<usize> {
    const NAME: &[u8] = b"content-length:";
    for line in head.split(|byte| *byte == b'\n') {
        if let Some((name, value)) = line.split_at_checked(NAME.len())
            && name.eq_ignore_ascii_case(NAME)
        {
            let value = std::str::from_utf8(value.trim_ascii()).map_err(io::Error::other)?;
            return value.parse().map_err(io::Error::other);
        }
    }
    if head.starts_with(b"GET ") {
        return Ok(0);
    }
    Err(io::Error::other("a message without Content-Length"))
}
