//! Buffers that the connections of a thread lend each other: an idle connection holds none.

use std::cell::RefCell;

/// Bytes that are written at a time, about.
pub(super) const WRITE_SIZE: usize = 64 << 10;
/// Bytes that are read at a time.
const READ_SIZE: usize = 16 << 10;

thread_local! {
    static WRITE: Pool<Vec<u8>> = const { Pool::new() };
    static READ: Pool<Box<[u8]>> = const { Pool::new() };
}

/// Returns an empty buffer to gather frames in.
pub(super) fn take_write_buffer() -> Vec<u8> {
    WRITE.with(Pool::take).unwrap_or_default()
}

/// Takes back a buffer, unless it has grown too large to keep.
pub(super) fn return_write_buffer(mut buffer: Vec<u8>) {
    if buffer.capacity() <= 2 * WRITE_SIZE {
        buffer.clear();
        WRITE.with(|pool| pool.give_back(buffer));
    }
}

/// Returns a buffer to read into.
pub(super) fn take_read_buffer() -> Box<[u8]> {
    READ.with(Pool::take).unwrap_or_else(|| vec![0; READ_SIZE].into())
}

/// Takes back a buffer, unless it is the shorter copy that a connection kept of one.
pub(super) fn return_read_buffer(buffer: Box<[u8]>) {
    if buffer.len() == READ_SIZE {
        READ.with(|pool| pool.give_back(buffer));
    }
}

/// Limit for the buffers that a thread keeps, of each kind.
const MAX_SPARE: usize = 4;

struct Pool<T>(RefCell<Vec<T>>);

impl<T> Pool<T> {
    const fn new() -> Self {
        Self(RefCell::new(Vec::new()))
    }

    fn take(&self) -> Option<T> {
        self.0.borrow_mut().pop()
    }

    fn give_back(&self, buffer: T) {
        let mut kept = self.0.borrow_mut();
        if kept.len() < MAX_SPARE {
            kept.push(buffer);
        }
    }
}
