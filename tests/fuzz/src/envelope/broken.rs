//! Frames that were valid before something broke them. The id is found however invalid the rest is, and never another one.

use zocket::layers::{Codec, protocol::Malformed};

/// Number of places at which a frame is cut.
const CUTS: usize = 64;

/// Breaks a message with this id in several ways.
pub(super) fn check(frame: &[u8], rpc_id: Option<&str>) {
    for cut in cuts(frame.len()) {
        let id = id_of(&frame[..cut]);
        let is_own = id.as_deref().is_none_or(|id| Some(id) == rpc_id);
        assert!(is_own, "{id:?} was read from {}", show(&frame[..cut]));
    }
    let Some(end) = frame.iter().rposition(|byte| *byte == b'}') else {
        return;
    };
    let (before, after) = frame.split_at(end);
    for broken in [
        [b"\xef\xbb\xbf", frame].concat(),
        [before, b",", after].concat(),
        [b"{'a': 'b', ", &frame[start(frame)..]].concat(),
        [b"{\"a\":NaN,", &frame[start(frame)..]].concat(),
        [b"{a:/*\"*/undefined,", &frame[start(frame)..]].concat(),
        [frame, b"{}"].concat(),
    ] {
        let id = id_of(&broken);
        assert_eq!(id.as_deref(), rpc_id, "the id of {}", show(&broken));
    }
}

/// Returns the position behind the bracket that opens a frame.
fn start(frame: &[u8]) -> usize {
    frame.iter().position(|byte| *byte == b'{').map_or(0, |at| at + 1)
}

/// Returns places within a frame: all of them, or the same number from both ends.
fn cuts(length: usize) -> impl Iterator<Item = usize> {
    (0..length).filter(move |at| *at < CUTS / 2 || *at + CUTS / 2 >= length)
}

/// Returns the id of a frame that is none any more.
fn id_of(broken: &[u8]) -> Option<String> {
    match Codec::Json.read_head(broken) {
        Err(Malformed { rpc_id, .. }) => rpc_id.map(|id| id.as_json().to_owned()),
        // White space behind the frame may be cut.
        Ok(head) => head.rpc_id().map(|id| id.as_json().to_owned()),
    }
}

fn show(frame: &[u8]) -> String {
    String::from_utf8_lossy(frame).into_owned()
}
