use node::api::ErrorKind;

use crate::{failure::Failure, session::Session, text};

/// Let the node check itself
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let checks = session.client.selfcheck().await?;
        session.answer(&checks, || {
            let shown = checks.iter().map(|check| {
                let mark = if check.holds { "holds" } else { "FAILS" };
                format!("{mark}  {}: {}\n", text::line(&check.what), text::line(&check.found))
            });
            shown.collect()
        })?;
        match checks.iter().filter(|check| !check.holds).count() {
            0 => Ok(()),
            broken => {
                let message = format!("{broken} of {} checks do not hold", checks.len());
                Err(Failure::new(ErrorKind::Internal, message))
            }
        }
    }
}
