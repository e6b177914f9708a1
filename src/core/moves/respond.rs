use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt, future::ready};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};
use uuid::Uuid;
use zocket_layers::{
    ClientId, Hub,
    hub::{BoxFuture, Respond},
};

use super::{
    Answer, Question,
    proof::{Proof, Statement},
};
use crate::core::{Rarely, Sessions, resume_slot::NotMoved};

/// Clients that may have open challenges. Others get none.
const CLIENTS: usize = 1 << 12;
/// Challenges of one client that may be open. The oldest give way to later ones. So whoever asks all the time for one client,
/// which takes no token, does not keep out others.
const CHALLENGES: usize = 8;
/// Time for which a challenge is open.
const OPEN_FOR: Duration = Duration::from_secs(5);

/// Answers the questions of other nodes about the sessions of this one.
pub(crate) struct Moves {
    node: Arc<str>,
    sessions: Arc<Sessions>,
    /// Time for the end of a session.
    within: Duration,
    challenges: Mutex<HashMap<ClientId, VecDeque<Challenge>>>,
    lines: Rarely,
}

/// A challenge that waits for its proof.
struct Challenge {
    nonce: Uuid,
    asker: Box<str>,
    until: Instant,
}

impl Moves {
    /// Begins to answer the other nodes of a hub, if it has some, until the value is dropped.
    pub(crate) fn begin(hub: &dyn Hub, sessions: &Arc<Sessions>, within: Duration) -> Option<Arc<Self>> {
        let peers = hub.peers()?;
        let moves = Arc::new(Self {
            node: peers.name(),
            sessions: sessions.clone(),
            within,
            challenges: Mutex::default(),
            lines: Rarely::default(),
        });
        let responder = Arc::downgrade(&moves);
        peers.answer_with(responder);
        Some(moves)
    }

    fn challenge(&self, asker: &str, client: ClientId) -> Option<Answer> {
        if self.sessions.get(&client).is_none() && !self.sessions.has_unread_close(&client) {
            return None;
        }
        let now = Instant::now();
        let mut challenges = self.challenges.lock();
        if challenges.len() >= CLIENTS && !challenges.contains_key(&client) {
            challenges.retain(|_, open| open.back().is_some_and(|last| last.until > now));
            if challenges.len() >= CLIENTS {
                if let Some(omitted) = self.lines.line() {
                    tracing::warn!(
                        omitted,
                        "a client of another node stays a stranger: too many come at once"
                    );
                }
                return None;
            }
        }
        let nonce = Uuid::new_v4();
        let open = challenges.entry(client).or_default();
        if open.len() >= CHALLENGES {
            open.pop_front();
        }
        open.push_back(Challenge {
            nonce,
            asker: asker.into(),
            until: now + OPEN_FOR,
        });
        Some(Answer::Challenge { nonce })
    }

    /// Returns true if this node has given the challenge to this node for this client, and not for long. It is used up.
    fn take_challenge(&self, nonce: Uuid, asker: &str, client: ClientId) -> bool {
        let mut challenges = self.challenges.lock();
        let Some(open) = challenges.get_mut(&client) else {
            return false;
        };
        let at = open.iter().position(|challenge| challenge.nonce == nonce);
        let challenge = at.and_then(|at| open.remove(at));
        if open.is_empty() {
            challenges.remove(&client);
        }
        challenge.is_some_and(|challenge| *challenge.asker == *asker && challenge.until > Instant::now())
    }

    /// Ends a session if the proof is valid. Returns its end, for which the node that asks waits.
    fn end(&self, statement: &Statement<'_>, proof: &Proof) -> Option<BoxFuture<'static, Answer>> {
        let has_token = |secret| statement.has_token(proof, secret);
        let client = statement.client;
        let closed = self.sessions.unread_close_of(&client, has_token);
        let closed = closed.map(|close| Answer::Closed {
            code: close.code,
            reason: close.reason.into_owned(),
        });
        let Some(slot) = self.sessions.get(&client) else {
            return closed.map(|closed| ready(closed).boxed());
        };
        let has_headers = |secret, fingerprint| statement.has_headers(proof, secret, fingerprint);
        match slot.request_move(statement.n, has_token, has_headers) {
            Err(NotMoved::Stranger) => return None,
            Err(NotMoved::Headers) => {
                tracing::info!(%client, "session not moved: its client has other headers");
                return None;
            }
            Ok(()) => tracing::debug!(%client, to = statement.asker, "session moved"),
        }
        let within = self.within;
        let ended = async move {
            // A callback that takes longer goes on by itself.
            let _ = timeout(within, slot.departed()).await;
            let received = slot.received();
            closed.unwrap_or(Answer::Moved { received })
        };
        Some(ended.boxed())
    }

    fn answer(&self, asker: &str, question: Question) -> Option<BoxFuture<'static, Answer>> {
        match question {
            Question::Challenge { client } => {
                let challenge = self.challenge(asker, client)?;
                Some(ready(challenge).boxed())
            }
            Question::Move {
                client,
                n,
                nonce,
                proof,
            } => {
                let statement = Statement {
                    owner: &self.node,
                    asker,
                    client,
                    n,
                    nonce,
                };
                self.take_challenge(nonce, asker, client)
                    .then(|| self.end(&statement, &proof))?
            }
        }
    }
}

impl Respond for Moves {
    fn respond(&self, from: &str, question: &str) -> BoxFuture<'static, Option<String>> {
        let question = serde_json::from_str(question).ok();
        let answer = question.and_then(|question| self.answer(from, question));
        async move { serde_json::to_string(&answer?.await).ok() }.boxed()
    }
}

impl fmt::Debug for Moves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Moves")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::task::AtomicWaker;
    use zocket_layers::{Codec, Form};

    use super::*;
    use crate::core::{AppLimits, Caller, ResumeOffer, ResumeSlot};

    struct World {
        moves: Moves,
        slot: Arc<ResumeSlot>,
        offer: ResumeOffer,
    }

    /// A session whose client has headers with the fingerprint 7.
    fn world() -> World {
        let node: Arc<str> = "a".into();
        let sessions = Arc::new(Sessions::new(&AppLimits::default()).of_node(Some(node.clone())));
        let caller = Caller {
            fingerprint: 7,
            ..Caller::default()
        };
        let (form, driver) = (Form::extended(Codec::Json), Arc::<AtomicWaker>::default());
        let slot = Arc::new(ResumeSlot::new(
            ClientId::random(),
            form,
            caller,
            driver,
            sessions.clone(),
        ));
        sessions.enter(slot.clone());
        let offer = ResumeOffer::parse(&format!("{}.0", slot.offer())).unwrap();
        let moves = Moves {
            node,
            sessions,
            within: Duration::from_secs(1),
            challenges: Mutex::default(),
            lines: Rarely::default(),
        };
        World { moves, slot, offer }
    }

    impl World {
        fn challenge(&self, asker: &str) -> Uuid {
            match self.moves.challenge(asker, self.offer.client) {
                Some(Answer::Challenge { nonce }) => nonce,
                other => panic!("{other:?}"),
            }
        }

        /// Asks for the session's end as the node `asker` does. Returns true if the session is asked to.
        fn ask(&self, asker: &str, nonce: Uuid, fingerprint: u64) -> bool {
            let offer = &self.offer;
            let (client, n) = (offer.client, offer.n);
            let statement = Statement {
                owner: "a",
                asker,
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
            let is_answered = self.moves.answer(asker, question).is_some();
            assert_eq!(is_answered, self.slot.has_moved());
            is_answered
        }
    }

    #[test]
    fn a_challenge_is_used_once() {
        let world = world();
        assert_eq!(world.offer.node.as_deref(), Some("a"));
        let nonce = world.challenge("b");
        assert!(!world.ask("b", nonce, 8), "it has other headers");
        assert!(!world.ask("b", nonce, 7), "the challenge is used up");
        assert!(!world.ask("b", Uuid::new_v4(), 7), "it was never given");
        assert!(world.ask("b", world.challenge("b"), 7));
    }

    #[test]
    fn a_challenge_is_for_one_node_and_one_client() {
        let (world, other) = (world(), world());
        assert!(!world.ask("c", world.challenge("b"), 7));
        world.moves.sessions.enter(other.slot.clone());
        let Some(Answer::Challenge { nonce }) = world.moves.challenge("b", other.offer.client) else {
            panic!("expected a challenge");
        };
        assert!(!world.ask("b", nonce, 7));
        assert!(world.moves.challenge("b", ClientId::random()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_challenge_is_open_for_a_while() {
        let world = world();
        let nonce = world.challenge("b");
        tokio::time::advance(OPEN_FOR).await;
        assert!(!world.ask("b", nonce, 7));
    }

    #[test]
    fn challenges_of_one_client_do_not_keep_out_others() {
        let (world, other) = (world(), world());
        world.moves.sessions.enter(other.slot.clone());
        let first = world.challenge("b");
        for _ in 0..2 * CLIENTS {
            let challenge = world.moves.challenge("c", other.offer.client);
            assert!(challenge.is_some());
        }
        assert_eq!(
            world.moves.challenges.lock()[&other.offer.client].len(),
            CHALLENGES
        );
        assert!(world.ask("b", first, 7));
    }

    #[tokio::test(start_paused = true)]
    async fn clients_with_challenges_are_bounded() {
        let world = world();
        let open = || Challenge {
            nonce: Uuid::new_v4(),
            asker: "b".into(),
            until: Instant::now() + OPEN_FOR,
        };
        let clients = (0..CLIENTS).map(|_| (ClientId::random(), [open()].into()));
        world.moves.challenges.lock().extend(clients);
        assert!(world.moves.challenge("b", world.offer.client).is_none());
        tokio::time::advance(OPEN_FOR).await;
        assert!(world.moves.challenge("b", world.offer.client).is_some());
        assert_eq!(world.moves.challenges.lock().len(), 1);
    }

    #[tokio::test]
    async fn malformed_questions_have_no_answer() {
        let world = world();
        let client = world.offer.client;
        let malformed = [
            String::new(),
            "{}".to_owned(),
            r#"{"later":{}}"#.to_owned(),
            format!(
                r#"{{"move":{{"client":"{client}","n":0,"nonce":"{}","proof":{{}}}}}}"#,
                Uuid::new_v4()
            ),
        ];
        for question in malformed {
            assert_eq!(world.moves.respond("b", &question).await, None, "{question}");
        }
        let question = format!(r#"{{"challenge":{{"client":"{client}"}}}}"#);
        assert!(world.moves.respond("b", &question).await.is_some());
    }
}
