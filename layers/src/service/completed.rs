/// Panics because a future was polled after completion, as tower's futures do. Separate from the futures, so that their
/// code stays small.
///
/// # Panics
/// Always.
#[cold]
#[inline(never)]
#[track_caller]
pub fn polled_after_completion(future: &'static str) -> ! {
    panic!("`{future}` polled after completion")
}
