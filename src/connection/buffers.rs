//! Buffers for reading and writing. The connections of a thread share them, so that an idle connection holds none of
//! them.

use std::cell::RefCell;

/// Size from which a write takes no further piece, in bytes.
pub(super) const WRITE_SIZE: usize = 64 << 10;
/// Size of one read, in bytes.
const READ_SIZE: usize = 16 << 10;

thread_local! {
    static WRITE: Pool<Vec<u8>> = const { Pool::new() };
    static READ: Pool<Box<[u8]>> = const { Pool::new() };
}

/// Takes an empty buffer from the pool, to gather frames in.
pub(super) fn take_write_buffer() -> Vec<u8> {
    WRITE.with(Pool::take).unwrap_or_default()
}

/// Puts a buffer back into the pool, unless it has grown too large to keep.
pub(super) fn return_write_buffer(mut buffer: Vec<u8>) {
    if buffer.capacity() <= 2 * WRITE_SIZE {
        buffer.clear();
        WRITE.with(|pool| pool.give_back(buffer));
    }
}

/// Takes a buffer from the pool, to read into.
pub(super) fn take_read_buffer() -> Box<[u8]> {
    READ.with(Pool::take).unwrap_or_else(|| vec![0; READ_SIZE].into())
}

/// Puts a buffer back into the pool, unless it is shorter: the copy that a connection kept of the unread rest.
pub(super) fn return_read_buffer(buffer: Box<[u8]>) {
    if buffer.len() == READ_SIZE {
        READ.with(|pool| pool.give_back(buffer));
    }
}

/// Limit for the buffers of each kind that a thread keeps.
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
