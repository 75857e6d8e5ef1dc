use hyper::Method;
use node::api::{DoFile, File, FileAct, FileJob, FilePolicy, SaveFile, SendFile, SetFilePolicy};
use wire::{CircleId, MessageId};

use super::{Client, ClientError, calls::segment};

impl Client {
    /// Lists the files that were offered.
    pub async fn files(
        &self,
        circle: CircleId,
        conversation: Option<&str>,
    ) -> Result<Vec<File>, ClientError> {
        let only =
            conversation.map(|called| format!("?conversation={}", segment(called))).unwrap_or_default();
        self.ask(Method::GET, &format!("/v1/circles/{circle}/files{only}")).await
    }

    /// Begins to take in a file of this machine and to offer it.
    pub async fn send_file(&self, circle: CircleId, send: &SendFile) -> Result<FileJob, ClientError> {
        self.give(Method::POST, &format!("/v1/circles/{circle}/files"), send).await
    }

    /// Shows the file that a message offers.
    pub async fn file(&self, circle: CircleId, message: MessageId) -> Result<File, ClientError> {
        self.ask(Method::GET, &format!("/v1/circles/{circle}/files/{message}")).await
    }

    /// Accepts, pauses or cancels a file.
    pub async fn do_file(
        &self,
        circle: CircleId,
        message: MessageId,
        act: FileAct,
    ) -> Result<File, ClientError> {
        self.give(Method::POST, &format!("/v1/circles/{circle}/files/{message}"), &DoFile { act }).await
    }

    /// Begins to put a file out.
    pub async fn save_file(
        &self,
        circle: CircleId,
        message: MessageId,
        save: &SaveFile,
    ) -> Result<FileJob, ClientError> {
        self.give(Method::POST, &format!("/v1/circles/{circle}/files/{message}/save"), save).await
    }

    /// Tells how a job goes.
    pub async fn file_job(&self, job: u64) -> Result<FileJob, ClientError> {
        self.ask(Method::GET, &format!("/v1/file-jobs/{job}")).await
    }

    /// Tells how much room files get.
    pub async fn file_policy(&self, circle: CircleId) -> Result<FilePolicy, ClientError> {
        self.ask(Method::GET, &format!("/v1/circles/{circle}/file-policy")).await
    }

    /// Sets how much room files get.
    pub async fn set_file_policy(
        &self,
        circle: CircleId,
        set: &SetFilePolicy,
    ) -> Result<FilePolicy, ClientError> {
        self.give(Method::PUT, &format!("/v1/circles/{circle}/file-policy"), set).await
    }
}
