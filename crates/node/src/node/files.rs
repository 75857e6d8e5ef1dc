//! Files, as front ends ask for them.

use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;
use wire::{CircleId, MessageId};

use super::Node;
use crate::{
    api::{self, ApiError, ErrorKind},
    files::{Begun, Export, ExportError, ImportError, export, import, open_source},
};

impl Node {
    /// Begins to take a file of this machine in and to offer it; [`file_job`](Self::file_job) tells how that goes.
    pub async fn send_file(
        &self,
        circle: CircleId,
        request: api::SendFile,
    ) -> Result<api::FileJob, ApiError> {
        let path = absolute(&request.path)?;
        let last = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = files::safe_name(request.name.as_deref().unwrap_or(&last));
        if request.text.len() > wire::limits::TEXT {
            return Err(ApiError::new(ErrorKind::User, "the text is longer than a message may be"));
        }
        let (asked, sitting) = (request.clone(), self.shell.jobs.sitting());
        let (store, room) = self.call(move |access| access.import_room(circle, &asked)).await?;
        let looked = path.clone();
        let size = spawn_blocking(move || open_source(&looked).map(|(_, metadata)| metadata.len())).await;
        let size = size.map_err(|_| broken())?.map_err(|error| from_import(&path, &error))?;
        let Begun { job, work, in_use } = self.shell.jobs.begin(sitting, name.clone(), size)?;
        let (node, id) = (self.clone(), job.id);
        tokio::spawn(async move {
            let (from, into) = (path.clone(), store.clone());
            let imported = spawn_blocking(move || {
                let imported = import(&into, circle, &from, room, &work);
                drop(in_use);
                imported
            })
            .await;
            let outcome = match imported {
                Err(_) => Err(broken()),
                Ok(Err(error)) => Err(from_import(&path, &error)),
                Ok(Ok(imported)) => {
                    let place = imported.record.place;
                    let offered = node
                        .call(move |access| {
                            access.offer_file(circle, &request.to, &imported, (name, request.text.clone()))
                        })
                        .await;
                    if !matches!(offered, Ok((_, true))) {
                        // Nobody knows of these chunks; if they stay, they are swept at the next start.
                        let _ = spawn_blocking(move || store.erase(&place)).await;
                    }
                    offered.map(|(message, _)| message.id)
                }
            };
            let fill = |message| move |job: &mut api::FileJob| job.message = Some(message);
            node.shell.jobs.end(id, outcome.map(fill));
        });
        Ok(job)
    }

    /// Begins to put a file out, as plain bytes; [`file_job`](Self::file_job) tells how that goes.
    pub async fn save_file(
        &self,
        circle: CircleId,
        message: MessageId,
        request: api::SaveFile,
    ) -> Result<api::FileJob, ApiError> {
        let to = absolute(&request.path)?;
        let sitting = self.shell.jobs.sitting();
        let (store, record, name) = self.call(move |access| access.export_source(circle, message)).await?;
        let (file, size) = (record.file, record.size);
        let Begun { job, work, in_use } = self.shell.jobs.begin(sitting, name.clone(), size)?;
        let (node, id) = (self.clone(), job.id);
        let order = Export { store, record, name, to, overwrite: request.overwrite };
        tokio::spawn(async move {
            let put = spawn_blocking(move || {
                let put = export(&order, &work);
                // The key goes first.
                drop(order);
                drop(in_use);
                put
            })
            .await;
            let outcome = match put {
                Err(_) => Err(broken()),
                Ok(Err(error)) => {
                    if matches!(error, ExportError::Torn) {
                        // Whoever else has it gives it again.
                        let _ = node.call(move |access| access.torn_file(circle, file)).await;
                    }
                    Err(from_export(&error))
                }
                Ok(Ok(path)) => Ok(path.to_string_lossy().into_owned()),
            };
            let fill = |path| move |job: &mut api::FileJob| job.path = Some(path);
            node.shell.jobs.end(id, outcome.map(fill));
        });
        Ok(job)
    }

    /// Tells how the taking in or putting out of a file goes.
    pub async fn file_job(&self, id: u64) -> Result<api::FileJob, ApiError> {
        // What was done is told to whoever may ask this node anything: not while it is locked.
        self.glance(|_| Ok(())).await?;
        let none = || ApiError::new(ErrorKind::NotFound, "no such job");
        self.shell.jobs.job(id).ok_or_else(none)
    }

    /// Lists the files that were offered, the newest first.
    pub async fn files(
        &self,
        circle: CircleId,
        conversation: Option<String>,
    ) -> Result<Vec<api::File>, ApiError> {
        self.glance(move |access| access.files(circle, conversation.as_deref())).await
    }

    /// Shows the file that a message offers.
    pub async fn file(&self, circle: CircleId, message: MessageId) -> Result<api::File, ApiError> {
        self.glance(move |access| access.file(circle, message)).await
    }

    /// Accepts, pauses or cancels a file.
    pub async fn do_file(
        &self,
        circle: CircleId,
        message: MessageId,
        act: api::FileAct,
    ) -> Result<api::File, ApiError> {
        self.call(move |access| access.do_file(circle, message, act)).await
    }

    /// Tells how much room files get in a circle.
    pub async fn file_policy(&self, circle: CircleId) -> Result<api::FilePolicy, ApiError> {
        self.glance(move |access| access.file_policy(circle)).await
    }

    /// Sets how much room files get in a circle.
    pub async fn set_file_policy(
        &self,
        circle: CircleId,
        set: api::SetFilePolicy,
    ) -> Result<api::FilePolicy, ApiError> {
        self.call(move |access| access.set_file_policy(circle, set)).await
    }
}

fn absolute(path: &str) -> Result<PathBuf, ApiError> {
    let path = Path::new(path);
    if path.is_absolute() && !path.as_os_str().as_encoded_bytes().contains(&0) {
        return Ok(path.to_owned());
    }
    Err(ApiError::new(ErrorKind::User, "that is no path from the root"))
}

fn from_import(path: &Path, error: &ImportError) -> ApiError {
    let message = format!("\"{}\" was not sent: {error}", path.display());
    match error {
        ImportError::Read(source) if source.kind() == std::io::ErrorKind::NotFound => {
            ApiError::new(ErrorKind::NotFound, message)
        }
        ImportError::NotAFile => {
            ApiError::new(ErrorKind::User, message).hint("pack a folder into an archive first")
        }
        ImportError::Changed => {
            ApiError::new(ErrorKind::Conflict, message).hint("send it again once nothing writes to it")
        }
        ImportError::NoRoom => ApiError::new(ErrorKind::Config, message)
            .hint("free some space, or give files more room with \"hexode files policy --quota\""),
        ImportError::Cancelled => ApiError::new(ErrorKind::Locked, message).hint("run \"hexode unlock\""),
        ImportError::TooLarge(_) => ApiError::new(ErrorKind::User, message),
        ImportError::Read(_) | ImportError::Store(_) => ApiError::new(ErrorKind::Config, message),
    }
}

fn from_export(error: &ExportError) -> ApiError {
    let message = format!("the file was not saved: {error}");
    match error {
        ExportError::Exists => ApiError::new(ErrorKind::Conflict, message)
            .hint("give another path, or say --overwrite if you mean it"),
        ExportError::NotAFile => ApiError::new(ErrorKind::Conflict, message).hint("give another path"),
        ExportError::Torn => ApiError::new(ErrorKind::Config, message)
            .hint("it is fetched again from whoever has it; look at \"hexode files\""),
        ExportError::Cancelled => ApiError::new(ErrorKind::Locked, message).hint("run \"hexode unlock\""),
        ExportError::NoRoom => {
            ApiError::new(ErrorKind::Config, message).hint("free some space and try again")
        }
        ExportError::Write(_) | ExportError::Read(_) => ApiError::new(ErrorKind::Config, message),
    }
}

fn broken() -> ApiError {
    ApiError::new(ErrorKind::Internal, "the work broke off")
}
