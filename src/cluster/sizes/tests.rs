use super::*;

fn sizes<const N: usize>(sizes: [(&str, usize); N]) -> RoomSizes {
    sizes.map(|(room, size)| (room.into(), size)).into()
}

fn now() -> Instant {
    Instant::now()
}

/// A node that has told its sizes once.
fn known(others: &mut OtherSizes) -> Uuid {
    let node = Uuid::new_v4();
    assert!(others.compare(node, 0, now()));
    others.all(node, 0, (0, 1), Vec::new());
    node
}

#[test]
fn sizes_of_several_nodes_add_up_until_a_node_is_forgotten() {
    let mut others = OtherSizes::default();
    let [a, b] = [(); 2].map(|()| known(&mut others));
    assert!(!others.changed(a, 1, sizes([("lobby", 3)]), now()));
    assert!(!others.changed(b, 1, sizes([("lobby", 2), ("attic", 1)]), now()));
    assert_eq!(["lobby", "attic", "den"].map(|room| others.of(room)), [5, 1, 0]);
    assert!(!others.changed(a, 2, sizes([("lobby", 1)]), now()));
    others.forget(b);
    assert_eq!(["lobby", "attic"].map(|room| others.of(room)), [1, 0]);
    others.forget(a);
    assert!(others.sums.is_empty() && others.nodes.is_empty());
}

#[test]
fn a_node_is_missing_until_it_has_told_all_sizes() {
    let (mut others, [a, b]) = (OtherSizes::default(), [(); 2].map(|()| Uuid::new_v4()));
    assert!(others.compare(a, 7, now()), "it is asked");
    assert!(!others.compare(a, 7, now()), "once");
    assert!(others.compare(a, 7, now() + PATIENCE), "and again after a while");
    others.all(a, 7, (0, 2), sizes([("lobby", 1)]));
    assert_eq!(others.missing(&[a, b]), [a, b]);
    others.all(a, 7, (1, 2), sizes([("attic", 1)]));
    assert_eq!(others.missing(&[a, b]), [b]);
    assert!(!others.compare(a, 7, now() + PATIENCE));
    assert_eq!(["lobby", "attic"].map(|room| others.of(room)), [1, 1]);
}

#[test]
fn a_missed_message_makes_the_node_asked_and_later_ones_are_kept_meanwhile() {
    let mut others = OtherSizes::default();
    let a = known(&mut others);
    assert!(others.changed(a, 2, sizes([("lobby", 2)]), now()), "1 is missing");
    assert!(!others.changed(a, 3, sizes([("lobby", 3)]), now()));
    others.all(a, 2, (0, 1), sizes([("attic", 9), ("lobby", 2)]));
    assert_eq!(["lobby", "attic"].map(|room| others.of(room)), [3, 9]);
    assert!(!others.compare(a, 3, now()));
    assert!(others.compare(a, 4, now()), "4 is missing");
}

#[test]
fn a_part_that_gets_lost_changes_nothing() {
    let mut others = OtherSizes::default();
    let a = known(&mut others);
    assert!(!others.changed(a, 1, sizes([("lobby", 1)]), now()));
    assert!(others.compare(a, 2, now()));
    others.all(a, 2, (1, 2), sizes([("den", 5)]));
    others.all(a, 2, (0, 3), sizes([("lobby", 5)]));
    others.all(a, 2, (2, 3), sizes([("den", 5)]));
    assert_eq!(["lobby", "den"].map(|room| others.of(room)), [1, 0]);
    assert!(others.compare(a, 2, now() + PATIENCE));
}

#[test]
fn sizes_of_any_number_add_up_without_an_overflow() {
    let mut others = OtherSizes::default();
    let [a, b] = [(); 2].map(|()| known(&mut others));
    for node in [a, b] {
        assert!(!others.changed(
            node,
            1,
            sizes([("lobby", usize::MAX), ("lobby", usize::MAX)]),
            now()
        ));
    }
    assert_eq!(others.of("lobby") as u64, 2 * u64::from(u32::MAX));
    others.forget(a);
    assert!(!others.changed(b, 2, sizes([("lobby", 1)]), now()));
    assert_eq!(others.of("lobby"), 1);
    let c = Uuid::new_v4();
    assert!(others.compare(c, u64::MAX, now()));
    others.all(c, u64::MAX, (0, 0), sizes([("lobby", 1)]));
    assert!(!others.changed(c, u64::MAX, sizes([("lobby", 5)]), now()));
    assert_eq!(others.of("lobby"), 2);
}

#[test]
fn a_node_with_too_many_rooms_is_missing_and_keeps_no_space() {
    let (mut others, long) = (OtherSizes::default(), |name: usize| {
        vec![(format!("{name:0>width$}", width = MAX_BYTES / 4), 1)]
    });
    let [a, b, c] = [(); 3].map(|()| known(&mut others));
    // Changes that follow each other.
    for number in 1..6 {
        let _ = others.changed(a, number, long(number as usize), now());
    }
    // Parts of sizes that never become complete.
    assert!(others.compare(b, 9, now()));
    for part in 0..6 {
        others.all(b, 9, (part, usize::MAX), long(part));
    }
    assert!(!others.compare(a, 50, now() + PATIENCE) && !others.compare(b, 50, now() + PATIENCE));
    assert_eq!(others.missing(&[a, b, c]), [a, b]);
    assert!(others.sums.is_empty());
    // Changes that wait for all sizes.
    assert!(others.compare(c, 9, now()));
    for number in 2..8 {
        assert!(!others.changed(c, number, long(1), now()));
    }
    let behind = others.nodes[&c].behind.as_ref().unwrap();
    assert!(behind.held.len() == 3 && behind.held_bytes <= MAX_BYTES);
}

#[test]
fn many_rooms_are_several_messages_and_none_is_one() {
    let rooms = (0..5_000).map(|room| (format!("room-{room}"), room));
    let several = messages(rooms, usize::MAX);
    assert!(several.len() > 2);
    assert_eq!(several.iter().map(Vec::len).sum::<usize>(), 5_000);
    assert_eq!(messages(None, usize::MAX), [RoomSizes::new()]);
    let long = messages([("x".repeat(100_000), 1), ("y".to_owned(), 1)], usize::MAX);
    assert_eq!(long.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn messages_fit_into_the_limit_of_the_engine() {
    for name in ["room", "\u{1}\"\\"] {
        let rooms = (0..5_000).map(|room| (format!("{name}{room}"), u32::MAX as usize));
        let messages = messages(rooms, 4_096);
        assert!(messages.len() < 100);
        for message in messages {
            let json = serde_json::to_string(&message).unwrap();
            assert!(json.len() <= 4_096 + 2, "{}", json.len());
        }
    }
}

/// Every pattern of losses over six changes, of messages and of answers. In the end, the sizes are the node's.
#[test]
fn sizes_agree_once_everything_arrives() {
    for pattern in 0_usize..1 << 12 {
        let (mut others, node, own) = (OtherSizes::default(), Uuid::new_v4(), OwnSizes::default());
        let mut rooms = HashMap::<Arc<str>, usize>::new();
        let mut clock = now();
        for step in 0..9 {
            let is_lost = |bit: usize| step < 6 && pattern >> (2 * step + bit) & 1 == 1;
            let room: Arc<str> = ["a", "b", "c"][step % 3].into();
            own.change(&room);
            rooms.insert(room, (step * 7) % 4);
            let changed = own.take_changed();
            let number = own.next();
            let told = changed.into_iter().map(|room| (room.to_string(), rooms[&room]));
            clock += PATIENCE;
            let asks = !is_lost(0) && others.changed(node, number, told.collect(), clock);
            let asks = others.compare(node, own.told(), clock) || asks;
            if asks && !is_lost(1) {
                others.all(
                    node,
                    own.told(),
                    (0, 1),
                    rooms
                        .iter()
                        .map(|(room, size)| (room.to_string(), *size))
                        .collect(),
                );
            }
        }
        for (room, size) in rooms {
            assert_eq!(others.of(&room), size, "{room} after {pattern:b}");
        }
    }
}
