//! Joins the flows that others open with what is offered to them.

use streams::{Kind, Offer, Reason, Side, Target};
use tokio::time::{Duration, timeout};
use tunnel::Stream;
use wire::{CircleId, DeviceId, Flow};

use super::{
    datagrams,
    desk::{Post, Taken},
    ends::End,
    flow::{self, Wire},
    local::Local,
};

/// Reaches the target, says so, and moves bytes; if a program waits for this one flow (`once`), it says its end
/// as such.
pub(super) async fn serve(
    post: Post,
    (circle, device): (CircleId, DeviceId),
    flow: Flow,
    (offer, once): (Offer, bool),
    stream: Stream,
) {
    let Some(mut wire) = Wire::new(&circle, &flow, Side::Offerer, stream) else { return };
    let refused = match post.take_place((circle, device), &flow, Some((offer.flows, offer.rate))) {
        Ok(place) => {
            let joined = joined((&offer, once), &mut wire, place).await;
            if let Err(reason) = &joined {
                post.note_end(circle, &offer.name, End::Refused(*reason));
            }
            joined
        }
        Err(reason) => Err(reason),
    };
    match refused {
        Ok(joined) => {
            wire.set_class(offer.class);
            let over = match joined {
                (Joined::Bytes(local), place) => flow::join(local, wire, place).await,
                (Joined::Datagrams(socket), place) => datagrams::join_target(socket, wire, place).await,
            };
            if let Err(reason) = over {
                tracing::debug!(reason = reason.word(), "a flow ended early");
            }
            post.note_end(circle, &offer.name, over.map_or_else(End::Broke, |()| End::Properly));
        }
        Err(reason) => {
            post.note_refusal((circle, device), &flow, reason, false);
            say_refusal(wire, reason).await;
        }
    }
}

/// What a flow was joined with.
enum Joined {
    Bytes(Local),
    Datagrams(tokio::net::UdpSocket),
}

async fn joined(
    (offer, once): (&Offer, bool),
    wire: &mut Wire,
    (place, mut cut): Taken,
) -> Result<(Joined, Taken), Reason> {
    let reaching = async {
        Ok(match &offer.target {
            Target::Udp(address) => Joined::Datagrams(datagrams::reach(address).await?),
            target => Joined::Bytes(Local::reach(target, once).await?),
        })
    };
    let reached = tokio::select! {
        biased;
        reason = &mut cut => return Err(reason.unwrap_or(Reason::Closed)),
        reached = reaching => reached?,
    };
    wire.says.say(Kind::Open, &[offer.class.code()]).await?;
    Ok((reached, (place, cut)))
}

/// Tells why there is no flow.
pub(super) async fn refuse(post: Post, circle: CircleId, flow: Flow, reason: Reason, stream: Stream) {
    if let Some(wire) = Wire::new(&circle, &flow, Side::Offerer, stream) {
        say_refusal(wire, reason).await;
    }
    drop(post);
}

async fn say_refusal(mut wire: Wire, reason: Reason) {
    // Whoever does not listen is not waited for.
    let _ = timeout(SAY, wire.says.say(Kind::Refused, &[reason.code()])).await;
    wire.says.outlet.finish();
    wire.hears.inlet.stop(0);
}

/// How long a refusal may take to be said.
const SAY: Duration = Duration::from_secs(5);
