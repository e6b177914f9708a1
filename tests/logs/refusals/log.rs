//! What is logged on this thread, as the tests look into it.

use std::{cell::RefCell, io, rc::Rc, sync::Once};

use super::common::Refusal;

thread_local! {
    static CURRENT: RefCell<Log> = RefCell::default();
}

/// What has been logged on this thread since it was captured.
#[derive(Clone, Default)]
pub struct Log(Rc<RefCell<Vec<u8>>>);

impl Log {
    /// Must come before any app. One subscriber serves all the tests, as tracing keeps for all threads whether anyone
    /// listens at a place in the code: where another thread came first, a subscriber of this thread's own may miss it.
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

    /// The log's line under the id that a refusal names.
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

/// Writes into the log of the thread that it is on.
struct Writer;

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        CURRENT.with_borrow(|log| log.0.borrow_mut().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
