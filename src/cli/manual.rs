//! Shell completions and the manual page, made from the command line's own definition.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, ExitStatus};

/// Print shell completions.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub fn run(&self) -> anyhow::Result<ExitStatus> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "stance", &mut script);
        super::write_text(None, &String::from_utf8(script)?)?;
        Ok(ExitStatus::Done)
    }
}

/// Prints the manual page: the program and every command.
pub fn man() -> anyhow::Result<ExitStatus> {
    let mut page = Vec::new();
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for subcommand in command.get_subcommands().filter(|c| c.get_name() != "help") {
        clap_mangen::Man::new(subcommand.clone()).render(&mut page)?;
    }
    super::write_text(None, &String::from_utf8(page)?)?;
    Ok(ExitStatus::Done)
}
