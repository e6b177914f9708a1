//! Handshakes of clients that come back to their session.

use std::{panic::AssertUnwindSafe, pin::pin, sync::Arc};

use futures_util::{
    FutureExt,
    future::{Either, select},
};
use http::{Response, request::Parts};
use hyper::upgrade::OnUpgrade;
use tokio::time::{sleep, timeout};
use zocket_layers::{Body, Close, Context, Error, internal::network};

use super::{
    address::{ClientAddr, OpenSlot},
    answer,
    handshake::Handshake,
    refusal::Refusal,
};
#[cfg(feature = "nats")]
use crate::core::{FormerSession, end_elsewhere};
use crate::{
    connection::dismiss,
    core::{
        Admission, Arrival, Caller, Core, NotAdmitted, Phase, Rejection, ResumeOffer,
        contain::drop_contained, meter,
    },
    server::PeerAddr,
};

/// Accepts a client that may come back to the session that it asks for. Returns none if it may not: then it is a new
/// client. A session that can't be resumed by it ends first.
///
/// # Errors
/// The refusal of a client that may not come back at all, or not now.
pub(super) async fn try_resume<C: Send + Sync + 'static>(
    core: &Arc<Core<C>>,
    handshake: &mut Handshake,
    request: &mut Parts,
) -> Result<Option<Response<Body>>, Refusal> {
    let Some(offer) = handshake.offers.session.take() else {
        return Ok(None);
    };
    let Some(slot) = core.sessions.get(&offer.client) else {
        let told = tell_close(core, handshake, &offer);
        // The session may be on another node.
        handshake.offers.session = Some(offer);
        return Ok(told);
    };
    let arrival = match slot.admit(&offer, handshake.offers.form()) {
        Admission::Stranger => return Ok(None),
        Admission::NotResumable(obstacle) => {
            tracing::info!(client = %offer.client, "session not resumed: {obstacle}");
            meter::session_not_resumed(obstacle.word());
            // A callback that takes longer goes on by itself.
            let _ = timeout(core.app_limits.open_within, slot.end_session()).await;
            handshake.ended = slot.received();
            return Ok(tell_close(core, handshake, &offer));
        }
        Admission::Arrival(arrival) => arrival,
    };
    let _attempt = core.registry.attempt_to_resume(&core.app_limits)?;
    let fingerprint = core.fingerprint(request);
    let Some(client) = core.registry.get(&offer.client) else {
        return Ok(None);
    };
    let may_resume = match &core.lifecycle.resume {
        None => arrival.has_same_headers(fingerprint),
        Some(_) => match ask(core, request.clone(), client.context()).await {
            Ok(may_resume) => may_resume,
            Err(Denied::Session(refusal)) => {
                slot.request_end();
                return Err(refusal);
            }
            Err(Denied::Handshake(refusal)) => return Err(refusal),
        },
    };
    let upgrade = handshake.upgrade.take_if(|_| may_resume);
    let Some(upgrade) = upgrade else {
        tracing::info!(client = %offer.client, "session not resumed: its client has other headers, or on_resume declined");
        meter::session_not_resumed("client");
        return Ok(None);
    };
    let caller = caller(request, fingerprint);
    tokio::spawn(deliver(core.clone(), arrival, upgrade, caller));
    Ok(Some(answer::accepted(&handshake.accept, handshake.offers.form())))
}

/// Ends the session that a client has on another node, before it gets a new one here. Returns a response if the server had
/// closed that session, of which the client is told.
///
/// # Errors
/// If the app's shutdown ends the wait.
#[cfg(feature = "nats")]
pub(super) async fn leave_other_node<C: Send + Sync + 'static>(
    core: &Arc<Core<C>>,
    handshake: &mut Handshake,
    fingerprint: u64,
) -> Result<Option<Response<Body>>, Refusal> {
    let (Some(offer), Some(peers)) = (handshake.offers.session.take(), core.hub.peers()) else {
        return Ok(None);
    };
    let within = core.app_limits.open_within;
    let left = pin!(end_elsewhere(peers, &offer, fingerprint, within));
    let cut = pin!(core.registry.reached(Phase::Cut));
    match select(left, cut).await {
        Either::Left((Some(FormerSession::Ended(received)), _)) => {
            tracing::info!(client = %offer.client, "session not resumed: it was on another node");
            meter::session_not_resumed("moved");
            handshake.ended = received;
            Ok(None)
        }
        Either::Left((Some(FormerSession::Closed(close)), _)) => Ok(tell(core, handshake, close)),
        Either::Left((None, _)) => Ok(None),
        Either::Right(_) => Err(NotAdmitted::ShuttingDown.into()),
    }
}

/// Returns the client of a request. Its place in the limit of an address is not left in the extensions, which the app may
/// keep longer than the connection.
pub(super) fn caller(request: &mut Parts, fingerprint: u64) -> Caller {
    let extensions = &mut request.extensions;
    let address = match extensions.get::<ClientAddr>() {
        Some(client) => client.0,
        None => extensions
            .get::<PeerAddr>()
            .map(|peer| peer.0.ip().to_canonical()),
    };
    Caller {
        fingerprint,
        network: address.map(network),
        place: extensions.remove::<OpenSlot>(),
    }
}

/// The refusal of a client that wants to come back.
enum Denied {
    /// The app has refused it, which ends the session.
    Session(Refusal),
    /// The app has not decided, so the session is left alone.
    Handshake(Refusal),
}

/// Asks the app's `on_resume`, for `AppLimits::connect_within` at most.
async fn ask<C: Send + Sync + 'static>(
    core: &Core<C>,
    request: Parts,
    context: Context<C>,
) -> Result<bool, Denied> {
    let Some(on_resume) = &core.lifecycle.resume else {
        return Ok(false);
    };
    let asked = AssertUnwindSafe(async { on_resume(request, context).await }).catch_unwind();
    let late = pin!(sleep(core.app_limits.connect_within));
    let cut = pin!(core.registry.reached(Phase::Cut));
    match select(Box::pin(asked), select(late, cut)).await {
        Either::Left((Ok(Ok(may_resume)), _)) => Ok(may_resume),
        Either::Left((Ok(Err(rejection @ Rejection::Refused(_))), _)) => {
            Err(Denied::Session(rejection.into()))
        }
        // Invalid headers are refused before the app is asked.
        Either::Left((Ok(Err(rejection @ Rejection::Headers(_))), _)) => {
            Err(Denied::Handshake(rejection.into()))
        }
        Either::Left((Err(panic), _)) => {
            drop_contained(panic);
            let error = Error::internal("on_resume panicked");
            Err(Denied::Handshake(Rejection::Refused(error).into()))
        }
        Either::Right((over, asked)) => {
            drop_contained(asked);
            Err(Denied::Handshake(match over {
                Either::Left(_) => Refusal::connect_timed_out(),
                Either::Right(_) => NotAdmitted::ShuttingDown.into(),
            }))
        }
    }
}

/// Accepts a client whose session was closed while it was away, and closes its socket in the same way. Returns none if the
/// session was not.
fn tell_close<C: Send + Sync + 'static>(
    core: &Arc<Core<C>>,
    handshake: &mut Handshake,
    offer: &ResumeOffer,
) -> Option<Response<Body>> {
    let close = core.sessions.unread_close(offer)?;
    tell(core, handshake, close)
}

/// Accepts a client, and closes its socket in place of a welcome.
fn tell<C: Send + Sync + 'static>(
    core: &Arc<Core<C>>,
    handshake: &mut Handshake,
    close: Close,
) -> Option<Response<Body>> {
    let (upgrade, core) = (handshake.upgrade.take()?, core.clone());
    tokio::spawn(async move {
        if let Ok(Ok(upgraded)) = timeout(core.app_limits.open_within, upgrade).await {
            dismiss(upgraded, close, core.limits.clone()).await;
        }
    });
    Some(answer::accepted(&handshake.accept, handshake.offers.form()))
}

/// Waits until the handshake has been answered, and delivers the socket to the session.
async fn deliver<C: Send + Sync + 'static>(
    core: Arc<Core<C>>,
    arrival: Arrival,
    upgrade: OnUpgrade,
    caller: Caller,
) {
    let opened = pin!(timeout(core.app_limits.open_within, upgrade));
    let cut = pin!(core.registry.reached(Phase::Cut));
    let Either::Left((Ok(Ok(upgraded)), _)) = select(opened, cut).await else {
        return;
    };
    if let Some((late, close)) = arrival.deliver(upgraded, caller) {
        dismiss(late, close, core.limits.clone()).await;
    }
}
