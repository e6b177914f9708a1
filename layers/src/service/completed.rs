/// Panics because a future was polled after it had finished, as tower's futures do. A function of its own, so that the
/// futures stay small.
///
/// # Panics
/// Always.
#[cold]
#[inline(never)]
#[track_caller]
pub fn polled_after_completion(future: &'static str) -> ! {
    panic!("`{future}` polled after completion")
}
