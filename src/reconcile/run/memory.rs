//! Giving memory back.

/// Gives back to the system what a large configuration left behind, now that nobody waits. Else the allocator keeps it, and puts its
/// hundred thousand pieces together only when somebody asks for a larger one: in the midst of the next pass.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "the allocator is C's")]
    // SAFETY: it may be called at any time, by any thread, malloc_trim(3).
    unsafe {
        libc::malloc_trim(0);
    }
}
