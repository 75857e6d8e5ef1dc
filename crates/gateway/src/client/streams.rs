use hyper::Method;
use node::api::{
    NewStreamOffer, OpenStream, StreamEnd, StreamGrant, StreamListener, StreamOffer, StreamPolicy, Streams,
};
use wire::CircleId;

use super::{Client, ClientError, calls::segment};

impl Client {
    /// Tells what is offered, listened for and open in a circle.
    pub async fn streams(&self, circle: CircleId) -> Result<Streams, ClientError> {
        self.ask(Method::GET, &format!("/v1/circles/{circle}/streams")).await
    }

    /// Offers a stream.
    pub async fn offer_stream(
        &self,
        circle: CircleId,
        new: &NewStreamOffer,
    ) -> Result<StreamOffer, ClientError> {
        self.give(Method::POST, &format!("/v1/circles/{circle}/streams"), new).await
    }

    /// Offers a stream no more.
    pub async fn withdraw_stream(&self, circle: CircleId, name: &str) -> Result<(), ClientError> {
        self.ask(Method::DELETE, &format!("/v1/circles/{circle}/streams/{}", segment(name))).await
    }

    /// Grants an offered stream to more.
    pub async fn grant_stream(
        &self,
        circle: CircleId,
        name: &str,
        grant: &StreamGrant,
    ) -> Result<StreamOffer, ClientError> {
        self.give(Method::POST, &format!("/v1/circles/{circle}/streams/{}/grant", segment(name)), grant).await
    }

    /// Takes an offered stream from some.
    pub async fn revoke_stream(
        &self,
        circle: CircleId,
        name: &str,
        grant: &StreamGrant,
    ) -> Result<StreamOffer, ClientError> {
        self.give(Method::POST, &format!("/v1/circles/{circle}/streams/{}/revoke", segment(name)), grant)
            .await
    }

    /// Sets the rules of the device for streams.
    pub async fn set_stream_policy(
        &self,
        circle: CircleId,
        policy: &StreamPolicy,
    ) -> Result<StreamPolicy, ClientError> {
        self.give(Method::PUT, &format!("/v1/circles/{circle}/stream-policy"), policy).await
    }

    /// Listens for programs that want what another device offers.
    pub async fn open_stream(
        &self,
        circle: CircleId,
        open: &OpenStream,
    ) -> Result<StreamListener, ClientError> {
        self.give(Method::POST, &format!("/v1/circles/{circle}/stream-listeners"), open).await
    }

    /// Listens no more.
    pub async fn close_stream(&self, circle: CircleId, listener: u64) -> Result<(), ClientError> {
        self.ask(Method::DELETE, &format!("/v1/circles/{circle}/stream-listeners/{listener}")).await
    }

    /// Waits until the flow of a listener for one connection is over, and tells how it ended.
    pub async fn end_of_listener(&self, circle: CircleId, listener: u64) -> Result<StreamEnd, ClientError> {
        self.end_of(&format!("/v1/circles/{circle}/stream-listeners/{listener}/end")).await
    }

    /// Tells how the last flow of an offer ended; if there was none, waits for one to end.
    pub async fn end_of_offer(&self, circle: CircleId, name: &str) -> Result<StreamEnd, ClientError> {
        self.end_of(&format!("/v1/circles/{circle}/streams/{}/end", segment(name))).await
    }

    async fn end_of(&self, path: &str) -> Result<StreamEnd, ClientError> {
        loop {
            // The node waits as long as a request may take.
            let end: StreamEnd = self.ask(Method::GET, path).await?;
            if end.over {
                return Ok(end);
            }
        }
    }
}
