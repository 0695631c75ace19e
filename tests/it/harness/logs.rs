//! What the service logs, of all tests together: whoever looks for something must log something that is theirs alone.

use std::io;
use std::sync::{Mutex, Once, PoisonError};

use persona_gateway::config::{LogFormat, LogSettings};
use persona_gateway::telemetry::logging;

static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static ONCE: Once = Once::new();

struct Memory;

impl io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Logs as production does, but much more, and into memory.
pub(crate) fn capture() {
    ONCE.call_once(|| {
        let settings = LogSettings {
            format: LogFormat::Json,
            filter: "debug,persona_gateway=trace,reqwest=trace,hyper_util=trace".into(),
        };
        let subscriber = logging::subscriber(&settings, || Memory).unwrap();
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

/// Everything logged so far.
pub(crate) fn logged() -> String {
    let bytes = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&bytes).into_owned()
}
