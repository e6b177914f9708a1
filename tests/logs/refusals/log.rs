//! Captures the log of the test's thread.

use std::{cell::RefCell, io, rc::Rc, sync::Once};

use super::common::Refusal;

thread_local! {
    static CURRENT: RefCell<Log> = RefCell::default();
}

/// Lines logged on this thread since the capture began.
#[derive(Clone, Default)]
pub struct Log(Rc<RefCell<Vec<u8>>>);

impl Log {
    /// Begins the capture. Call it before building an app: one subscriber serves all tests, as tracing caches per
    /// callsite, for all threads, if a subscriber is interested. A per-thread subscriber could miss callsites that
    /// another thread reached first.
    pub fn keep() {
        static KEPT: Once = Once::new();
        KEPT.call_once(|| {
            let subscriber = tracing_subscriber::fmt()
                .with_ansi(false)
                .with_writer(|| Writer)
                .finish();
            tracing::subscriber::set_global_default(subscriber).unwrap();
        });
    }

    pub fn capture() -> Self {
        let log = Self::default();
        CURRENT.set(log.clone());
        log
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }

    /// Returns the log line with the id of a refusal.
    pub fn line(&self, refusal: &Refusal) -> String {
        let id = refusal.message().strip_prefix("internal error ").unwrap();
        assert_eq!(id.len(), 36, "{id}");
        let of_detail = |line: &&str| line.contains(id) && line.contains("ERROR");
        self.text()
            .lines()
            .find(of_detail)
            .expect("the log knows the id")
            .to_owned()
    }
}

/// Writes to the log of the current thread.
struct Writer;

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        CURRENT.with_borrow(|log| log.0.borrow_mut().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
