//! How far a thread stands back behind others.

/// Lets threads that answer users go before this one: 0 is not at all, 19 is furthest (Linux only). Where it is not possible, work is
/// only slower to give way.
pub fn stand_back(niceness: i32) {
    #[cfg(target_os = "linux")]
    {
        // Linux counts priority by thread.
        let thread = rustix::thread::gettid();
        if let Err(error) = rustix::process::setpriority_process(Some(thread), niceness) {
            tracing::debug!(%error, "a work thread keeps its priority");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = niceness;
}
