//! The record: what a client lacks after a cut at any byte.

#![allow(clippy::unwrap_used, reason = "what fails here is a test")]

use std::sync::Arc;

use zocket_layers::{DataFrame, hub::Batch, protocol::FrameHeader};

use super::{FRAME_WEIGHT, Outbound, Piece, SHARED, keep::ImpossibleAck};
use crate::core::ReplayRange;

/// A queue, and the client that reads from it.
struct Pair {
    outbound: Outbound,
    client: Client,
    pushed: u64,
    limit: usize,
}

/// A client that counts. It forgets the bytes of a frame that was cut.
#[derive(Default)]
struct Client {
    unread: Vec<u8>,
    /// Numbers in the counted frames that came, in order.
    got: Vec<u64>,
    /// Frames without a number that came over the current socket.
    uncounted: Vec<String>,
}

impl Client {
    fn read(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        while let Some((header, length)) = first_frame(&self.unread) {
            let text = String::from_utf8(self.unread[header..header + length].to_vec()).unwrap();
            self.unread.drain(..header + length);
            match text.trim_end_matches('.').parse() {
                Ok(number) => self.got.push(number),
                Err(_) => self.uncounted.push(text),
            }
        }
    }

    fn count(&self) -> u64 {
        self.got.len() as u64
    }
}

/// Returns the lengths of the header and of the content of the first frame, if it is whole.
fn first_frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (header, length) = match *bytes.get(1)? {
        126 => (
            4,
            usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap())),
        ),
        127 => (
            10,
            u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap()) as usize,
        ),
        length => (2, usize::from(length)),
    };
    (bytes.len() >= header + length).then_some((header, length))
}

/// Returns the number of the last frame that was queued.
fn sent(outbound: &Outbound) -> u64 {
    outbound.record.as_ref().map_or(0, |record| record.range.sent())
}

/// A frame that holds its number, of at least this length.
fn frame(number: u64, length: usize) -> DataFrame {
    let number = number.to_string();
    DataFrame::text(number.clone() + &".".repeat(length.saturating_sub(number.len())))
}

fn wire(frame: &DataFrame) -> Vec<u8> {
    [
        &FrameHeader::new(frame.kind(), frame.bytes().len()),
        frame.bytes(),
    ]
    .concat()
}

impl Pair {
    fn new(limit: usize) -> Self {
        let mut outbound = Outbound::default();
        outbound.keep(limit, Arc::new(ReplayRange::default()));
        Self {
            outbound,
            client: Client::default(),
            pushed: 0,
            limit,
        }
    }

    fn push(&mut self, length: usize) {
        self.pushed += 1;
        self.outbound.push(frame(self.pushed, length));
        assert_eq!(sent(&self.outbound), self.pushed);
    }

    fn push_batch(&mut self, frames: u64, length: usize) {
        let (mut bytes, mut weight) = (Vec::new(), 0);
        for _ in 0..frames {
            self.pushed += 1;
            let frame = frame(self.pushed, length);
            bytes.extend(wire(&frame));
            weight += frame.bytes().len() + FRAME_WEIGHT;
        }
        self.outbound
            .push_batch(Batch::new(bytes.into(), weight, frames as usize));
    }

    /// Writes at most this many bytes. Returns the number of bytes that were written.
    fn write(&mut self, most: usize) -> usize {
        let mut bytes = Vec::new();
        for piece in self.outbound.pieces() {
            let (header, rest) = piece.header_and_rest();
            bytes.extend(header.as_deref().into_iter().flatten());
            bytes.extend(rest);
        }
        let from = self.outbound.written();
        let to = bytes.len().min(from.saturating_add(most));
        self.client.read(&bytes[from..to]);
        self.outbound.advance(to - from);
        to - from
    }

    fn write_all(&mut self) {
        while self.write(usize::MAX) > 0 {}
        assert!(self.outbound.is_empty() && !self.outbound.is_midway());
        assert_eq!(self.outbound.weight(), 0);
    }

    fn acknowledge(&mut self) {
        self.outbound.acknowledge(self.client.count()).unwrap();
    }

    /// Cuts the socket, and resumes.
    fn resume(&mut self) {
        let n = self.client.count();
        assert!(self.outbound.can_resume(n), "{n} of {}", self.pushed);
        self.client.unread.clear();
        self.client.uncounted.clear();
        self.outbound.rewind(n, DataFrame::text("welcome"));
        assert!(!self.outbound.is_midway());
    }

    /// Checks that the client has every frame once, in order.
    fn check(&self) {
        assert!(
            self.client.got.iter().copied().eq(1..=self.pushed),
            "{:?}",
            self.client.got
        );
    }
}

#[test]
fn a_client_that_was_cut_gets_each_frame_once_and_in_order() {
    let mut pair = Pair::new(1 << 20);
    pair.push(10);
    pair.push_batch(3, 20);
    pair.write_all();
    pair.push(10);
    pair.write(4);
    pair.resume();
    pair.write_all();
    pair.check();
    assert_eq!(pair.client.uncounted, ["welcome"]);
}

#[test]
fn a_batch_is_cut_at_the_frame_that_the_client_lacks() {
    for length in [1, 125, 126, 70_000] {
        for cut in 0..=5 {
            let mut pair = Pair::new(1 << 20);
            pair.push_batch(5, length);
            let size = wire(&frame(1, length)).len();
            pair.write(cut as usize * size + usize::from(cut < 5));
            assert_eq!(pair.client.count(), cut);
            pair.resume();
            let weight = 5 - cut as usize;
            assert_eq!(
                pair.outbound.weight(),
                if cut < 5 {
                    weight * (length + FRAME_WEIGHT)
                } else {
                    0
                } + "welcome".len()
                    + FRAME_WEIGHT
            );
            pair.write_all();
            pair.check();
        }
    }
}

#[test]
fn what_is_acknowledged_is_kept_no_longer() {
    let mut pair = Pair::new(1 << 20);
    for _ in 0..3 {
        pair.push(10);
        pair.write_all();
    }
    assert_eq!(pair.outbound.kept(), 3 * (10 + FRAME_WEIGHT));
    pair.outbound.acknowledge(2).unwrap();
    assert_eq!(pair.outbound.kept(), 10 + FRAME_WEIGHT);
    pair.outbound.acknowledge(1).unwrap();
    assert!(!pair.outbound.can_resume(1), "an earlier number is ignored");
    assert_eq!(pair.outbound.acknowledge(4), Err(ImpossibleAck));
    pair.acknowledge();
    assert_eq!((pair.outbound.kept(), pair.outbound.pieces.len()), (0, 0));
    assert!(pair.outbound.can_resume(3) && !pair.outbound.can_resume(2));
}

#[test]
fn small_frames_are_kept_in_one_buffer() {
    let mut pair = Pair::new(1 << 20);
    for _ in 0..100 {
        pair.push(100);
        pair.write_all();
    }
    assert_eq!(pair.outbound.pieces.len(), 3, "10 KiB of frames");
    for n in [1, 30, 60, 99] {
        pair.outbound.acknowledge(n).unwrap();
        let kept = (100 - n as usize) * (100 + FRAME_WEIGHT);
        assert_eq!(pair.outbound.kept(), kept, "{n} are acknowledged");
    }
    pair.client.got.truncate(99);
    pair.push(100);
    pair.resume();
    pair.write_all();
    pair.check();
}

#[test]
fn a_small_frame_keeps_no_pooled_buffer() {
    let mut pair = Pair::new(1 << 20);
    pair.push(10);
    let Some(Piece::Own { wire, .. }) = pair.outbound.pieces.front_mut() else {
        panic!("a small frame is gathered");
    };
    wire.reserve(100_000);
    pair.write_all();
    match pair.outbound.pieces.front() {
        Some(Piece::Kept { wire, .. }) => assert_eq!((wire.len(), wire.capacity()), (12, 12)),
        _ => panic!("it is kept as a copy"),
    }
}

#[test]
fn a_record_that_is_too_large_is_given_up_until_everything_is_acknowledged() {
    let mut pair = Pair::new(1_000);
    pair.push(500);
    pair.write_all();
    pair.push(10_000);
    pair.write_all();
    assert!(pair.outbound.can_resume(0), "one message always fits");
    pair.push(10);
    pair.write_all();
    assert_eq!((pair.outbound.kept(), pair.outbound.pieces.len()), (0, 0));
    assert!((0..=3).all(|n| !pair.outbound.can_resume(n)));
    pair.push(10);
    pair.outbound.acknowledge(3).unwrap();
    assert!(!pair.outbound.can_resume(3), "one more was sent");
    pair.write_all();
    assert_eq!(pair.outbound.kept(), 0);
    pair.acknowledge();
    assert!(pair.outbound.can_resume(4));
    pair.push(10);
    pair.write_all();
    pair.resume();
    pair.write_all();
    pair.check();
}

#[test]
fn a_record_that_is_given_up_loses_nothing_that_waits() {
    let mut pair = Pair::new(1 << 20);
    for _ in 0..4 {
        pair.push(SHARED);
        pair.write_all();
    }
    pair.client.got.truncate(2);
    pair.resume();
    pair.push(10);
    // The welcome and a part of the replay.
    pair.write(2 * SHARED);
    pair.outbound.forget_kept();
    pair.write_all();
    pair.check();
    pair.acknowledge();
    assert!(pair.outbound.can_resume(5));
}

#[test]
fn a_client_that_does_not_count_costs_no_record() {
    let mut outbound = Outbound::default();
    outbound.push(frame(1, 10));
    outbound.push_uncounted(frame(2, 10));
    assert_eq!(outbound.pieces().len(), 1, "both are gathered");
    outbound.advance(2 * 12);
    assert_eq!((outbound.pieces.len(), sent(&outbound)), (0, 0));
    assert_eq!(size_of::<Option<Box<super::Record>>>(), size_of::<usize>());
}

#[test]
fn the_rest_of_a_frame_goes_to_the_socket_that_began_it() {
    let mut pair = Pair::new(1 << 20);
    pair.push(100);
    pair.push(100);
    pair.write(150);
    let mut rest = pair.outbound.copy_begun();
    assert!(rest.is_midway());
    assert_eq!(rest.pieces().len(), 1);
    rest.forget();
    assert!(!rest.is_empty(), "it has begun");
    assert!(Pair::new(1).outbound.copy_begun().is_empty());
}

/// A small generator of numbers (xorshift), so that a seed repeats a run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
fn any_sequence_of_cuts_and_acks_delivers_each_frame_once() {
    for seed in 1..=200 {
        let mut random = Random(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        let mut pair = Pair::new(20_000);
        for _ in 0..300 {
            match random.below(10) {
                0..3 => pair.push([0, 10, 200, 5_000][random.below(4) as usize]),
                3 => pair.push_batch(1 + random.below(5), [1, 130][random.below(2) as usize]),
                4 => pair.outbound.push_uncounted(DataFrame::text("pong")),
                5..7 => drop(pair.write(random.below(3_000) as usize)),
                7 => pair.write_all(),
                8 => pair.acknowledge(),
                _ => {
                    let n = pair.client.count();
                    if pair.outbound.can_resume(n) {
                        pair.resume();
                    }
                }
            }
            let kept: usize = pair
                .outbound
                .pieces
                .iter()
                .take(pair.outbound.next())
                .map(Piece::weight)
                .sum();
            assert!(pair.outbound.kept() >= kept, "seed {seed}");
            assert!(kept <= pair.limit + 100_000, "seed {seed}");
        }
        pair.write_all();
        assert!(
            pair.client.got.iter().copied().eq(1..=pair.pushed),
            "seed {seed}: {:?}",
            pair.client.got
        );
        pair.acknowledge();
        assert_eq!(
            (pair.outbound.kept(), pair.outbound.pieces.len()),
            (0, 0),
            "seed {seed}"
        );
    }
}
