use std::{path::PathBuf, time::Duration};

use streams::Reason;
use tokio::time::timeout;
use wire::{CircleId, Flow};

use super::Node;
use crate::{
    api::{self, ApiError, ErrorKind},
    engine::streams::{no_offer, word},
    streams::{End, Hears, Listen, Listening, Purpose, listen},
};

impl Node {
    /// Tells what is offered, listened for, open and refused in a circle.
    pub async fn streams(&self, circle: CircleId) -> Result<api::Streams, ApiError> {
        let (policy, offers) = self.glance(move |access| access.stream_offers(circle)).await?;
        let (flows, open) = self.shell.desk.flows(circle, SHOWN);
        let (listeners, refused) = self.shell.desk.listeners(circle);
        Ok(api::Streams { policy, offers, listeners, open, flows, refused })
    }

    /// Offers a stream.
    pub async fn offer_stream(
        &self,
        circle: CircleId,
        new: api::NewStreamOffer,
    ) -> Result<api::StreamOffer, ApiError> {
        self.call(move |access| access.offer_stream(circle, new)).await
    }

    /// Offers a stream no more; its flows end.
    pub async fn withdraw_stream(&self, circle: CircleId, name: String) -> Result<(), ApiError> {
        self.call(move |access| access.withdraw_stream(circle, &name)).await
    }

    /// Grants an offered stream to more.
    pub async fn grant_stream(
        &self,
        circle: CircleId,
        name: String,
        grant: api::StreamGrant,
    ) -> Result<api::StreamOffer, ApiError> {
        self.call(move |access| access.grant_stream(circle, &name, &grant, true)).await
    }

    /// Takes an offered stream from some; their flows end.
    pub async fn revoke_stream(
        &self,
        circle: CircleId,
        name: String,
        grant: api::StreamGrant,
    ) -> Result<api::StreamOffer, ApiError> {
        self.call(move |access| access.grant_stream(circle, &name, &grant, false)).await
    }

    /// Sets the rules of this device for streams.
    pub async fn set_stream_policy(
        &self,
        circle: CircleId,
        policy: api::StreamPolicy,
    ) -> Result<api::StreamPolicy, ApiError> {
        self.call(move |access| access.set_stream_policy(circle, &policy)).await
    }

    /// Listens for programs that want what another device offers, until it is closed or the node locks.
    pub async fn open_stream(
        &self,
        circle: CircleId,
        open: api::OpenStream,
    ) -> Result<api::StreamListener, ApiError> {
        let at = place(&open)?;
        let (called, label) = (open.stream.clone(), open.label.clone());
        let named = self.call(move |access| access.stream_named(circle, &called, label.as_deref())).await?;
        let flow = Flow { offer: named.offer, label: named.label, kind: Purpose::kind(&at) };
        let refused = |error: std::io::Error| {
            let message = format!("it cannot be listened there: {error}");
            ApiError::new(ErrorKind::Config, message).hint("choose another address with --listen")
        };
        let listening = Listening::begin(&at).await.map_err(refused)?;
        let shown = api::StreamListener {
            id: 0,
            circle,
            member: named.member,
            member_name: named.member_name,
            offer: flow.offer.to_string(),
            address: listening.address().map_err(refused)?,
            udp: open.udp,
            trouble: None,
        };
        let purpose = Purpose { circle, member: named.member, device: named.device, flow, once: open.once };
        listen(&self.shell.desk, listening, purpose, shown).map_err(|reason| match reason {
            Reason::Busy => ApiError::new(ErrorKind::Conflict, "this device listens at too many places")
                .hint("close one with \"hexode stream close\""),
            _ => crate::error::locked(),
        })
    }

    /// Listens no more at a place; flows that are open go on.
    pub async fn close_stream(&self, circle: CircleId, listener: u64) -> Result<(), ApiError> {
        // Nothing is told or done while it is locked.
        self.call(|_| Ok(())).await?;
        let Some(task) = self.shell.desk.end_listener(circle, listener) else {
            return Err(no_listener());
        };
        // It was told to end, and has said so by ending.
        let _ = task.await;
        Ok(())
    }

    /// Waits until the one flow of a listener that is, or was, for one is over, and tells how it ended.
    pub async fn end_of_listener(&self, circle: CircleId, listener: u64) -> Result<api::StreamEnd, ApiError> {
        self.call(|_| Ok(())).await?;
        ended(self.shell.desk.end_of_listener(circle, listener).ok_or_else(no_listener)?).await
    }

    /// Tells how the last flow of an offer ended; if there was none yet, waits for the first one to end.
    pub async fn end_of_offer(&self, circle: CircleId, name: String) -> Result<api::StreamEnd, ApiError> {
        self.call(|_| Ok(())).await?;
        let name = word("name", &name)?;
        ended(self.shell.desk.end_of_offer(circle, &name).ok_or_else(no_offer)?).await
    }
}

fn no_listener() -> ApiError {
    ApiError::new(ErrorKind::NotFound, "nothing listens under that number")
        .hint("\"hexode stream list\" lists what does")
}

async fn ended(end: Hears) -> Result<api::StreamEnd, ApiError> {
    let (opened, reason) = match timeout(WAIT, end.end()).await {
        Ok(End::Properly) => (true, None),
        Ok(End::Broke(reason)) => (true, Some(reason)),
        Ok(End::Refused(reason)) => (false, Some(reason)),
        Err(_) => return Ok(api::StreamEnd { over: false, opened: false, reason: None, words: None }),
    };
    let (word, words) =
        (reason.map(|reason| reason.word().to_owned()), reason.map(|reason| reason.to_string()));
    Ok(api::StreamEnd { over: true, opened, reason: word, words })
}

/// Reads where to listen; beyond this machine only if that is said.
fn place(open: &api::OpenStream) -> Result<Listen, ApiError> {
    if let Some(path) = &open.unix {
        let path = PathBuf::from(path);
        if open.listen.is_some() || open.udp {
            return Err(ApiError::new(ErrorKind::User, "either an address or a path"));
        }
        return match path.is_absolute() {
            true => Ok(Listen::Unix(path)),
            false => Err(ApiError::new(ErrorKind::User, "that is no path from the root")),
        };
    }
    if open.once {
        return Err(ApiError::new(ErrorKind::User, "one connection is listened for on a Unix socket only"));
    }
    let text = open.listen.as_deref().unwrap_or("127.0.0.1:0");
    let address: std::net::SocketAddr = text.parse().map_err(|_| {
        ApiError::new(ErrorKind::User, "that is no address to listen at")
            .hint("say an IP address and a port, such as 127.0.0.1:5432")
    })?;
    if !address.ip().is_loopback() && !open.beyond_loopback {
        let message = "other machines can reach that address, and whoever does can use the stream";
        return Err(ApiError::new(ErrorKind::User, message)
            .hint("listen at 127.0.0.1, or say --beyond-loopback if you mean it"));
    }
    Ok(if open.udp { Listen::Udp(address) } else { Listen::Tcp(address) })
}

/// How many open flows are shown.
const SHOWN: usize = 1000;
/// How long somebody waits for the end of a flow at a time: shorter than a request may take.
const WAIT: Duration = Duration::from_secs(60);
