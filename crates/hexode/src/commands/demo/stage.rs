//! The devices of the demo: child processes, each with a home of its own, told what to do over their sockets.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use gateway::client::{Client, ClientError};
use node::api::{
    Circle, CircleState, Found, InvitationState, Invite, Join, NewGroup, Page, PageQuery, Role, Send,
    TunnelState, Verify, VerifyMethod,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
    time::timeout,
};
use vault::Passphrase;
use wire::{DeviceId, MemberId};

use super::{Seen, failed, is_in, note};
use crate::failure::Failure;

/// The folder in which all devices live, and what they must not leave readable there.
pub(super) struct Stage {
    folder: Option<TempDir>,
    path: PathBuf,
    pub(super) passphrases: Vec<String>,
}

/// One device.
pub(super) struct Actor {
    name: &'static str,
    home: PathBuf,
    passphrase: String,
    process: Option<Child>,
    pub(super) client: Client,
}

impl Stage {
    pub(super) fn new(keep: bool) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("hexode-demo-").tempdir()?;
        let path = folder.path().to_owned();
        if keep {
            note(&format!("The devices live in {}", path.display()));
            return Ok(Self { folder: None, path: folder.keep(), passphrases: Vec::new() });
        }
        Ok(Self { folder: Some(folder), path, passphrases: Vec::new() })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.path
    }

    /// Switches the devices on, all at the same time.
    pub(super) async fn cast<const N: usize>(
        &mut self,
        names: [&'static str; N],
    ) -> Result<[Actor; N], Failure> {
        let mut actors = names.map(|name| {
            let passphrase = Passphrase::generate(&mut crypto::OsEntropy).danger_text().to_owned();
            self.passphrases.push(passphrase.clone());
            let home = self.path.join(name);
            Actor { name, client: Client::new(&home), home, passphrase, process: None }
        });
        for actor in &mut actors {
            actor.spawn().await?;
        }
        for actor in &mut actors {
            actor.ready().await?;
        }
        Ok(actors)
    }

    /// Removes the folder, unless it is to be kept.
    pub(super) async fn end(self) -> Result<(), Failure> {
        match self.folder {
            Some(folder) => {
                Ok(tokio::task::spawn_blocking(|| folder.close()).await.map_err(|_| failed("clean-up"))??)
            }
            None => Ok(()),
        }
    }
}

impl Actor {
    async fn spawn(&mut self) -> Result<(), Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--home")
            .arg(&self.home)
            .args(["--json", "up", "--bind", "127.0.0.1:0", "--no-lan", "--passphrase-file", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(format!("{}\n", self.passphrase).as_bytes()).await?;
        }
        self.process = Some(child);
        Ok(())
    }

    /// Waits until the device says that it is ready.
    async fn ready(&mut self) -> Result<(), Failure> {
        let output = self.process.as_mut().and_then(|child| child.stdout.take());
        let mut lines = BufReader::new(output.ok_or_else(|| self.stuck("has not been started"))?).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.map_err(|_| self.stuck("does not start"))??;
        match line {
            Some(line) if line.contains("\"ready\":true") => Ok(()),
            _ => Err(self.stuck("did not start")),
        }
    }

    /// Switches the device on.
    pub(super) async fn start(&mut self) -> Result<(), Failure> {
        self.spawn().await?;
        self.ready().await
    }

    /// Switches the device off in order.
    pub(super) async fn stop(&mut self) -> Result<(), Failure> {
        self.client.stop().await?;
        self.wait_for_end().await
    }

    /// Kills the device's process.
    pub(super) async fn kill(&mut self) -> Result<(), Failure> {
        if let Some(child) = &mut self.process {
            child.start_kill()?;
        }
        self.wait_for_end().await
    }

    async fn wait_for_end(&mut self) -> Result<(), Failure> {
        if let Some(mut child) = self.process.take() {
            timeout(PATIENCE, child.wait()).await.map_err(|_| self.stuck("does not end"))??;
        }
        Ok(())
    }

    pub(super) async fn end(mut self) -> Result<(), Failure> {
        self.stop().await
    }

    pub(super) async fn found(&self, name: &str, member: &str, device: &str) -> Result<Circle, Failure> {
        let found = Found { name: name.into(), member: member.into(), device: device.into() };
        let circle = self.client.found(&found).await?;
        // An invitation has to name an address, so the tunnel must have one.
        self.wait(&circle, |seen| !seen.circle.addresses.is_empty()).await?;
        Ok(circle)
    }

    pub(super) async fn invite(&self, circle: &Circle, own_device: bool) -> Result<String, Failure> {
        let invite = Invite { role: Role::Member, valid_s: 600, own_device };
        let invitation = self.client.invite(circle.id, &invite).await?;
        invitation.link.ok_or_else(|| self.stuck("issued an invitation without a link"))
    }

    pub(super) async fn join(&self, invitation: &str, member: &str, device: &str) -> Result<(), Failure> {
        let join = Join {
            invitation: invitation.into(),
            member: member.into(),
            device: device.into(),
            history_s: None,
        };
        let circle = self.client.join(&join).await?;
        self.wait(&circle, |seen| is_in(&seen.circle)).await
    }

    pub(super) async fn verify(
        &self,
        circle: &Circle,
        device: DeviceId,
        method: VerifyMethod,
    ) -> Result<(), Failure> {
        self.client.verify(circle.id, device, &Verify { method, code: None }).await?;
        Ok(())
    }

    pub(super) async fn say(&self, circle: &Circle, to: &str, text: &str) -> Result<(), Failure> {
        self.client.send(circle.id, &Send { to: to.into(), text: text.into() }).await?;
        Ok(())
    }

    pub(super) async fn group(&self, circle: &Circle, name: &str, members: &[&str]) -> Result<(), Failure> {
        let members = members.iter().map(|member| (*member).to_owned()).collect();
        self.client.found_group(circle.id, &NewGroup { name: name.into(), members }).await?;
        Ok(())
    }

    pub(super) async fn circle(&self, circle: &Circle) -> Result<Circle, Failure> {
        Ok(self.client.circle(circle.id).await?)
    }

    pub(super) async fn member(&self, circle: &Circle, name: &str) -> Result<MemberId, Failure> {
        let members = self.client.members(circle.id).await?;
        let found = members.iter().find(|member| member.name == name);
        found.map(|member| member.id).ok_or_else(|| self.stuck("does not know a member"))
    }

    /// Waits until the device sees its circle so.
    pub(super) async fn wait(&self, circle: &Circle, holds: impl Fn(&Seen) -> bool) -> Result<(), Failure> {
        self.until("does not see what it should", async || {
            let invitations = self.client.invitations(circle.id).await?;
            let open = invitations.iter().filter(|invitation| invitation.state == InvitationState::Open);
            let seen = Seen { open_invitations: open.count(), circle: self.client.circle(circle.id).await? };
            Ok(holds(&seen).then_some(()))
        })
        .await
    }

    /// Waits until a conversation holds so many messages, and returns them.
    pub(super) async fn hears(
        &self,
        circle: &Circle,
        conversation: &str,
        count: u64,
    ) -> Result<Page, Failure> {
        self.until("does not get a message", async || {
            let found = match self.client.conversation(circle.id, conversation).await {
                Err(ClientError::Refused(error)) if error.kind == node::api::ErrorKind::NotFound => {
                    return Ok(None);
                }
                found => found?,
            };
            if found.messages < count {
                return Ok(None);
            }
            let query = PageQuery { before: None, limit: Some(1000) };
            Ok(Some(self.client.page(circle.id, found.id, &query).await?))
        })
        .await
    }

    /// Waits until the device has tried every other one in vain, or knows that it was removed.
    pub(super) async fn turned_away(&self, circle: &Circle) -> Result<(), Failure> {
        self.until("has not tried", async || {
            if self.client.circle(circle.id).await?.state == CircleState::Removed {
                return Ok(Some(()));
            }
            let tunnels = self.client.tunnels(circle.id).await?;
            let tried = tunnels.iter().all(|tunnel| tunnel.state != TunnelState::Up && tunnel.attempts > 0);
            Ok(tried.then_some(()))
        })
        .await
    }

    /// Looks again at every event until something is found.
    async fn until<T>(
        &self,
        complaint: &str,
        mut look: impl AsyncFnMut() -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        let watch = async {
            let mut events = self.client.events().await?;
            loop {
                if let Some(found) = look().await? {
                    return Ok(found);
                }
                // What is not announced by an event, such as an attempt that failed, shows a moment later.
                match timeout(MOMENT, events.next()).await {
                    Ok(Ok(None)) => return Err(self.stuck("ended")),
                    Ok(Err(error)) => return Err(error.into()),
                    Ok(Ok(Some(_))) | Err(_) => {}
                }
            }
        };
        timeout(PATIENCE, watch).await.unwrap_or_else(|_| Err(self.stuck(complaint)))
    }

    fn stuck(&self, complaint: &str) -> Failure {
        failed(format!("{} {complaint}", self.name))
    }
}

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(15);
const MOMENT: Duration = Duration::from_millis(200);
