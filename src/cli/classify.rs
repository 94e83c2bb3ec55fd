use clap::Args;
use super::{Common, ExitStatus};
/// Say who stands where on what in articles.
#[derive(Debug, Args)]
pub struct Classify { path: Vec<std::path::PathBuf> }
impl Classify { pub fn run(&self, _c: &Common) -> anyhow::Result<ExitStatus> { let _ = &self.path; Ok(ExitStatus::Done) } }
