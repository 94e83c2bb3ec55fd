//! The program `stance`: parses the command line, calls the library, prints errors, returns the status.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
