//! Log lines: one line an event, on standard error, in UTC, with no control character in it.

use std::{fmt::Write as _, io, panic, sync::OnceLock, thread, time::Duration};

use tracing::{Level, Metadata, Subscriber};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{ParseError, filter_fn},
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    util::{SubscriberInitExt, TryInitError},
};

use crate::config::{LogFormat, LogSettings};

#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    #[error("log.filter: {0}")]
    Filter(#[from] ParseError),
    #[error("logging was set up before: {0}")]
    Twice(#[from] TryInitError),
}

/// Lines that wait to be written at most; the next ones are dropped, and counted.
const WAITING: usize = 8_192;

/// Bytes of lines that are written at once at most.
const TOGETHER: usize = 64 * 1024;

/// How long lines wait for others, after some were written.
const MOMENT: Duration = Duration::from_millis(5);

/// Lines that were dropped by the writer of [`init_in_background`].
static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// The same as [`init`], but for a thread of its own that writes: whoever logs never waits for the reader of standard error. While the returned
/// guard lives, lines are written; when it is dropped, those that wait are.
pub fn init_in_background(settings: &LogSettings) -> Result<WorkerGuard, LoggingError> {
    let (writer, guard) = background(io::stderr());
    _ = DROPPED.set(writer.error_counter());
    init_with(settings, writer)?;
    Ok(guard)
}

fn background(writer: impl io::Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    let writer = Together(io::BufWriter::with_capacity(TOGETHER, writer));
    NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING)
        .thread_name("log")
        .finish(writer)
}

/// Writes lines that come within a moment at once: to wake a thread and to ask the kernel for each of them costs more than the line.
struct Together<W: io::Write>(io::BufWriter<W>);

impl<W: io::Write> io::Write for Together<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write(line)
    }

    /// Called when no more lines wait.
    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.0.flush();
        thread::sleep(MOMENT);
        flushed
    }
}

/// How many lines were dropped, since nobody read them fast enough.
pub fn dropped_lines() -> usize {
    DROPPED.get().map_or(0, ErrorCounter::dropped_lines)
}

/// Sets up logging for the whole process; panics are logged as well. To be called once.
pub fn init(settings: &LogSettings) -> Result<(), LoggingError> {
    init_with(settings, io::stderr)
}

fn init_with<W>(settings: &LogSettings, writer: W) -> Result<(), LoggingError>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    subscriber(settings, writer)?.try_init()?;
    panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let location = panic.location().map(ToString::to_string);
        tracing::error!(panic.location = location, "panic: {message}");
    }));
    Ok(())
}

/// The subscriber that [`init`] installs, writing to `writer`.
pub fn subscriber<W>(
    settings: &LogSettings,
    writer: W,
) -> Result<impl Subscriber + Send + Sync + use<W>, LoggingError>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let lines = fmt::layer::<Registry>()
        .with_writer(OneLine(writer))
        .with_ansi(false)
        // A full disk must not end the program: the library would report it by eprintln!.
        .log_internal_errors(false);
    let lines = match settings.format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text => lines.boxed(),
    };
    let filter = EnvFilter::try_new(&settings.filter)?;
    Ok(Registry::default()
        .with(lines)
        .with(filter)
        .with(filter_fn(|event| !is_a_clients_fault(event))))
}

/// What the HTTP library calls an error: a client that sends what is no HTTP, or goes away. Anybody could fill the log with it.
/// Refusals have lines of their own (`app/unparsed.rs`).
fn is_a_clients_fault(event: &Metadata<'_>) -> bool {
    *event.level() == Level::ERROR && event.target().starts_with("actix_http")
}

/// Wraps a writer so that no event can fake a second line or move a terminal's cursor. The form
/// `\u001b` is also right inside a JSON string, where alone such characters can stand.
#[derive(Debug)]
struct OneLine<W>(W);

impl<'writer, W: MakeWriter<'writer>> MakeWriter<'writer> for OneLine<W> {
    type Writer = OneLineWriter<W::Writer>;

    fn make_writer(&'writer self) -> Self::Writer {
        OneLineWriter(self.0.make_writer())
    }
}

#[derive(Debug)]
struct OneLineWriter<W>(W);

impl<W: io::Write> io::Write for OneLineWriter<W> {
    /// One call is one event, which ends with a line break.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = event.strip_suffix(b"\n").unwrap_or(event);
        if line.iter().all(|byte| (0x20..0x7f).contains(byte)) {
            self.0.write_all(event)?;
        } else {
            self.0
                .write_all(escape(&String::from_utf8_lossy(line)).as_bytes())?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The line with its controls escaped, and its end.
fn escape(line: &str) -> String {
    let mut escaped = String::with_capacity(line.len() + 16);
    for c in line.chars() {
        // U+2028 and U+2029 end a line for some readers.
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            // Writing to a String cannot fail.
            write!(escaped, "\\u{:04x}", u32::from(c)).unwrap_or_default();
        } else {
            escaped.push(c);
        }
    }
    escaped.push('\n');
    escaped
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures_util::FutureExt;
    use serde_json::Value;

    use super::*;

    #[derive(Debug, Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, filter: &str, act: impl FnOnce()) -> String {
        let memory = Memory::default();
        let writer = memory.clone();
        let settings = LogSettings {
            format,
            filter: filter.to_owned(),
        };
        let subscriber = subscriber(&settings, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, act);
        let bytes = memory.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    /// Line breaks, colours, bells, C1 controls, and what JSON needs escaped.
    const NAUGHTY: &str = "a\nb\r\u{1b}[31m\u{7}\u{9b}31m\u{7f}\u{2028}\"\\{}";

    #[test]
    fn json_lines_parse_and_give_back_what_was_logged() {
        let log = logged(LogFormat::Json, "info", || {
            let span = tracing::info_span!("sessions.mint", tenant.id = NAUGHTY);
            let _entered = span.enter();
            tracing::info!(context = NAUGHTY, "{NAUGHTY}");
        });
        assert_eq!(log.lines().count(), 1, "{log}");
        let line: Value = serde_json::from_str(&log).unwrap();
        assert_eq!(line["context"], NAUGHTY);
        assert_eq!(line["message"], NAUGHTY);
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["span"]["tenant.id"], NAUGHTY);
        let at = line["timestamp"].as_str().unwrap();
        assert!(
            at.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(at).is_ok(),
            "{at}"
        );
    }

    #[test]
    fn no_line_of_either_format_holds_a_control_character() {
        for format in [LogFormat::Json, LogFormat::Text] {
            let log = logged(format, "info", || {
                tracing::info!(field = NAUGHTY, debug = ?NAUGHTY, "{NAUGHTY}");
            });
            let line = log.strip_suffix('\n').unwrap();
            assert!(!line.contains(char::is_control), "{line:?}");
            assert!(!line.contains('\u{2028}'), "{line:?}");
        }
    }

    #[test]
    fn a_line_of_text_names_the_tenant_once_however_often_it_is_noted() {
        let log = logged(LogFormat::Text, "info", || {
            let span = tracing::info_span!("http.request", tenant.id = tracing::field::Empty);
            let _entered = span.enter();
            let answer = crate::telemetry::of_one_tenant(async {
                for _ in 0..3 {
                    crate::telemetry::note_tenant("acme");
                }
                tracing::info!("answered");
            });
            answer.now_or_never().unwrap();
        });
        assert_eq!(log.matches("acme").count(), 1, "{log}");
    }

    #[test]
    fn letters_of_all_languages_stay_readable() {
        let log = logged(LogFormat::Text, "info", || tracing::info!("Grüße, 世界\n"));
        assert!(log.contains("Grüße, 世界"), "{log}");
        assert_eq!(log.lines().count(), 1);
    }

    #[test]
    fn the_filter_decides_by_level_and_module() {
        let log = logged(LogFormat::Text, "warn,chatty=off", || {
            tracing::info!("too quiet");
            tracing::error!(target: "chatty", "too loud");
            tracing::warn!("just right");
        });
        assert!(log.contains("just right"));
        assert_eq!(log.lines().count(), 1, "{log}");
    }

    #[test]
    fn what_clients_do_to_a_connection_is_no_error() {
        let log = logged(LogFormat::Text, "trace", || {
            tracing::error!(target: "actix_http", "stream error: request parse error");
            tracing::error!(target: "actix_server::worker", "a worker failed");
        });
        assert_eq!(log.lines().count(), 1, "{log}");
    }

    #[test]
    fn a_writer_that_fails_does_no_harm() {
        #[derive(Debug)]
        struct Full;
        impl io::Write for Full {
            fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::StorageFull.into())
            }
        }
        let settings = LogSettings {
            format: LogFormat::Json,
            filter: "info".to_owned(),
        };
        let subscriber = subscriber(&settings, || Full).unwrap();
        let after = tracing::subscriber::with_default(subscriber, || {
            tracing::info!("lost");
            "still running"
        });
        assert_eq!(after, "still running");
    }

    #[test]
    fn whoever_logs_does_not_wait_for_a_reader_and_what_is_dropped_is_counted() {
        /// Writes nothing before it is let.
        struct Slow(std::sync::mpsc::Receiver<()>, Memory);
        impl io::Write for Slow {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                // Once the sender is gone, it does not wait any more.
                _ = self.0.recv();
                self.1.write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let memory = Memory::default();
        let (go, wait) = std::sync::mpsc::channel();
        let (writer, guard) = background(Slow(wait, memory.clone()));
        let dropped = writer.error_counter();
        let settings = LogSettings {
            format: LogFormat::Json,
            filter: "info".to_owned(),
        };
        let subscriber = subscriber(&settings, writer).unwrap();
        let lines = 2 * WAITING;
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..lines {
                tracing::info!(number, "a line");
            }
        });
        let dropped = dropped.dropped_lines();
        // The queue is full, and the thread that writes holds what goes out at once.
        assert!((1..=WAITING).contains(&dropped), "{dropped}");
        drop(go);
        drop(guard);
        let written = memory.0.lock().unwrap().clone();
        let written = String::from_utf8(written).unwrap().lines().count();
        assert_eq!(
            written,
            lines - dropped,
            "the others are written in the end"
        );
    }

    #[test]
    fn a_broken_filter_is_an_error() {
        let settings = LogSettings {
            format: LogFormat::Text,
            filter: "sqlx=loud".to_owned(),
        };
        assert!(matches!(
            subscriber(&settings, io::stderr),
            Err(LoggingError::Filter(_))
        ));
    }
}
