//! The program `stance`: parses the command line, calls the library, prints errors, returns the status.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    give_memory_back();
    cli::main()
}

/// Fixes the size from which a buffer is a mapping of its own, which goes back to the system when it is dropped: glibc raises it by itself, and keeps what is below.
/// Training drops hundreds of megabytes of rows in pieces of some 500 KB, before the solver's matrix has its size.
#[allow(unsafe_code)]
fn give_memory_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: sets a number of the allocator, before there is a second thread.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 384 << 10);
    }
}
