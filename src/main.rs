//! The binary: everything is in the library.

use std::process::ExitCode;

/// An answer is made of hundreds of small texts; the system's allocator took a quarter of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tandem::cli::main()
}
