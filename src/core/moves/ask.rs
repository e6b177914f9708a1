use std::time::Duration;

use zocket_layers::{Close, hub::Peers};

use super::{Answer, Question, proof::Statement};
use crate::core::ResumeOffer;

/// Time for the first answer of another node. Without it, the client is a stranger.
const PATIENCE: Duration = Duration::from_secs(1);

/// A session that a client has had on another node.
#[derive(Debug)]
pub(crate) enum FormerSession {
    /// It has ended. It has received the client's frames up to this number, if that is known.
    Ended(Option<u64>),
    /// The server had closed it while its client was away.
    Closed(Close),
}

/// Asks the node that an offer names to end the client's session there, and waits for its end: for this time, and a second
/// more for each of the two questions. Returns none if the node knows no such session, takes the client for another one, or
/// has gone.
pub(crate) async fn end_elsewhere(
    peers: &dyn Peers,
    offer: &ResumeOffer,
    fingerprint: u64,
    within: Duration,
) -> Option<FormerSession> {
    let owner = offer.node.as_deref().filter(|node| peers.knows(node))?;
    let client = offer.client;
    let challenge = ask(peers, owner, &Question::Challenge { client }, PATIENCE).await;
    let Some(Answer::Challenge { nonce }) = challenge else {
        return None;
    };
    let n = offer.n;
    let statement = Statement {
        owner,
        asker: &peers.name(),
        client,
        n,
        nonce,
    };
    let proof = statement.prove(offer.secret, fingerprint);
    let question = Question::Move {
        client,
        n,
        nonce,
        proof,
    };
    // The node has just answered, and waits for the end of the session by itself.
    match ask(peers, owner, &question, within + PATIENCE).await? {
        Answer::Moved { received } => Some(FormerSession::Ended(received)),
        Answer::Closed { code, reason } => Some(FormerSession::Closed(Close::new(code, reason))),
        Answer::Challenge { .. } => None,
    }
}

async fn ask(peers: &dyn Peers, owner: &str, question: &Question, within: Duration) -> Option<Answer> {
    let question = serde_json::to_string(question).ok()?;
    let answer = peers.ask(owner, question, within).await?;
    serde_json::from_str(&answer).ok()
}
