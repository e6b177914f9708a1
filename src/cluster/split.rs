//! Parts of what one message between nodes can't carry: answers to queries, and the targets of queries and actions.

use std::collections::HashSet;

use zocket_layers::{Audience, ClientId, Target, hub::Full};

use super::note::{CLIENT, Note, room_weight, weight};

/// Bytes of one part of an answer, unless the engine takes less. Each is read at once, so a longer one would delay the events
/// behind it.
const PART: usize = 256 << 10;

/// Splits an answer into messages with this many bytes of content. There is at least one, and each has at least one client if
/// there are any.
pub(super) fn answer(query: u64, clients: &[ClientId], limit: usize) -> impl Iterator<Item = Note> {
    let length = (PART.min(limit) / CLIENT).max(1);
    let of = clients.len().div_ceil(length).max(1);
    let part = move |part| {
        let begin = part * length;
        let end = clients.len().min(begin + length);
        let clients = clients[begin..end].to_vec();
        Note::Found {
            query,
            part,
            of,
            clients,
        }
    };
    (0..of).map(part)
}

/// Splits a target into targets of this many bytes. A client may be among several of them.
///
/// # Errors
/// [`Full::EventSize`] if the exceptions and one of the clients or rooms are larger. Each part needs all exceptions, except
/// for clients of a list, which can be left out of it.
pub(super) fn targets(target: &Target, limit: usize) -> Result<Vec<Target>, Full> {
    let too_large = || Full::EventSize {
        limit,
        got: weight(target),
    };
    let rest = |beside: &Target| limit.checked_sub(weight(beside)).ok_or_else(too_large);
    let except = target.except.as_deref();
    match &target.audience {
        Audience::Clients(clients) => {
            let mut left_out: HashSet<_> = except.iter().flat_map(|except| &except.clients).collect();
            let clients = clients.iter().filter(|client| left_out.insert(client));
            let with = |clients| match except {
                Some(except) if !except.rooms.is_empty() => {
                    Target::clients(clients).except_rooms(except.rooms.iter().cloned())
                }
                _ => Target::clients(clients),
            };
            let rest = rest(&with(Vec::new()))?;
            let lists = lists(clients.copied(), |_| CLIENT, rest).ok_or_else(too_large)?;
            Ok(lists.into_iter().map(with).collect())
        }
        Audience::Rooms(rooms) => {
            let with = |rooms| {
                let mut part = target.clone();
                part.audience = Audience::Rooms(rooms);
                part
            };
            let rest = rest(&with(Vec::new()))?;
            let lists = lists(rooms.iter().cloned(), |room| room_weight(room), rest).ok_or_else(too_large)?;
            Ok(lists.into_iter().map(with).collect())
        }
        _ => rest(target).map(|_| vec![target.clone()]),
    }
}

/// Splits items into lists of this many bytes. Returns none if an item is larger.
fn lists<T>(
    items: impl Iterator<Item = T>,
    weight: impl Fn(&T) -> usize,
    limit: usize,
) -> Option<Vec<Vec<T>>> {
    let (mut lists, mut space) = (Vec::new(), 0);
    for item in items {
        let bytes = weight(&item);
        if bytes > space || lists.is_empty() {
            lists.push(Vec::new());
            space = limit;
        }
        space = space.checked_sub(bytes)?;
        lists.last_mut()?.push(item);
    }
    Some(lists)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::{super::wire::write_note, *};

    fn ids(count: usize) -> Vec<ClientId> {
        (0..count).map(|_| ClientId::random()).collect()
    }

    #[test]
    fn the_parts_of_an_answer_have_every_client_once_and_fit() {
        for (count, limit) in [
            (0, 0),
            (1, 0),
            (3, 0),
            (100, 390),
            (101, 400),
            (20_000, usize::MAX),
        ] {
            let clients = ids(count);
            let parts: Vec<_> = answer(7, &clients, limit).collect();
            let mut together = Vec::new();
            for (index, note) in parts.iter().enumerate() {
                let bytes = write_note(Uuid::new_v4(), note).len();
                assert!(bytes <= limit.clamp(39, PART) + 200, "{bytes} of {limit}");
                let Note::Found {
                    query: 7,
                    part,
                    of,
                    clients,
                } = note
                else {
                    panic!("{note:?}")
                };
                assert_eq!((*part, *of), (index, parts.len()));
                together.extend_from_slice(clients);
            }
            assert_eq!(together, clients);
        }
    }

    #[test]
    fn a_list_of_clients_is_split_without_those_that_are_left_out() {
        let clients = ids(100);
        let target = Target::clients(clients.iter().chain(&clients).copied())
            .except(clients[90..].iter().copied())
            .except_rooms(["muted"]);
        let parts = targets(&target, 400).unwrap();
        let mut together = Vec::new();
        for part in &parts {
            assert!(weight(part) <= 400, "{}", weight(part));
            let except = part.except.as_deref().unwrap();
            assert_eq!(
                (&*except.clients, &*except.rooms),
                (&[][..], &[Arc::from("muted")][..])
            );
            let Audience::Clients(clients) = &part.audience else {
                panic!("{part:?}")
            };
            together.extend_from_slice(clients);
        }
        assert_eq!((parts.len(), &*together), (9, &clients[..90]));
        assert_eq!(targets(&Target::clients([]), 400), Ok(Vec::new()));
    }

    #[test]
    fn rooms_are_split_with_all_exceptions() {
        let rooms: Vec<_> = (0..100).map(|room| format!("\"{room}")).collect();
        let target = Target::rooms(&*rooms).except(ids(2)).except_rooms(["muted"]);
        let parts = targets(&target, 400).unwrap();
        let mut together = Vec::new();
        for part in &parts {
            assert!(weight(part) <= 400, "{}", weight(part));
            assert_eq!(part.except, target.except);
            let Audience::Rooms(rooms) = &part.audience else {
                panic!("{part:?}")
            };
            together.extend(rooms.iter().map(ToString::to_string));
        }
        assert_eq!(together, rooms);
    }

    #[test]
    fn what_cannot_be_split_is_refused() {
        let clients = ids(20);
        let long = "x".repeat(500);
        for target in [
            Target::everyone().except(clients.clone()),
            Target::room("lobby").except(clients),
            Target::clients(ids(1)).except_rooms([&*long]),
            Target::rooms(["lobby", &*long]),
        ] {
            let got = weight(&target);
            assert_eq!(targets(&target, 400), Err(Full::EventSize { limit: 400, got }));
            assert_eq!(targets(&target, 2_000), Ok(vec![target]));
        }
    }
}
