use node::api::{Circle, CircleState};

use super::invite::role_name;
use crate::{
    failure::Failure,
    session::{self, Session},
    table::Table,
    text,
};

/// List the circles this device belongs to
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circles = session.circles().await?;
        session.answer(&circles, || {
            if circles.is_empty() {
                return "No circles. Found one with `hexode found`, or join one with `hexode join`.\n".into();
            }
            let mut table = Table::new(&["ID", "NAME", "STATE", "YOU", "MEMBERS", "CONNECTED", "UNREAD"]);
            for circle in &circles {
                table.row([
                    circle.id.short(),
                    session::name(circle),
                    state(circle).into(),
                    you(circle),
                    circle.members.to_string(),
                    format!("{} of {}", circle.connected, circle.devices.saturating_sub(1)),
                    circle.unread.to_string(),
                ]);
            }
            table.text("")
        })
    }
}

pub(super) fn state(circle: &Circle) -> &'static str {
    match circle.state {
        CircleState::Joining => "joining",
        CircleState::Member => "member",
        CircleState::Removed => "removed",
        CircleState::Refused => "refused",
    }
}

pub(super) fn you(circle: &Circle) -> String {
    let name = circle.member_name.as_deref().map(text::line).unwrap_or_default();
    match circle.role {
        Some(role) => format!("{name}, {}", role_name(role)),
        None => name,
    }
}
