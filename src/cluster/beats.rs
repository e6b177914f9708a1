//! Beats of the other nodes: their regular signs of life. A gap between their numbers shows an interruption, in which last
//! numbers may have been lost, too. So the node is asked to repeat them.

use std::collections::HashMap;

use uuid::Uuid;

use super::note::Beat;

#[derive(Debug, Default)]
pub(super) struct Beats {
    nodes: HashMap<Uuid, Heard>,
}

#[derive(Debug)]
struct Heard {
    /// Number of the last beat.
    last: u64,
    /// True if something was lost since then.
    has_lost: bool,
    /// Number of the last beat before which something was lost, until the node repeats its last numbers.
    lost_before: Option<u64>,
}

impl Beats {
    /// Records a beat. `has_lost` tells whether something of the node may have been lost if this is its first one. Returns
    /// true if the node has to be asked for its last numbers.
    #[must_use]
    pub(super) fn hear(&mut self, node: Uuid, beat: Beat, has_lost: impl FnOnce() -> bool) -> bool {
        let heard = self.nodes.entry(node).or_insert_with(|| Heard {
            last: beat.number.saturating_sub(1),
            has_lost: has_lost(),
            lost_before: None,
        });
        // What was sent over an old connection may arrive behind what was sent over the new one.
        if beat.number <= heard.last {
            return false;
        }
        if heard.has_lost || beat.number - heard.last > 1 {
            heard.lost_before = Some(beat.number);
        }
        // A repetition for an earlier request may have been sent before the loss.
        heard.lost_before = heard.lost_before.filter(|before| beat.repeats < *before);
        (heard.last, heard.has_lost) = (beat.number, false);
        heard.lost_before.is_some()
    }

    /// Takes something of every node for lost.
    pub(super) fn expect_losses(&mut self) {
        for heard in self.nodes.values_mut() {
            heard.has_lost = true;
        }
    }

    /// Forgets nodes.
    pub(super) fn retain(&mut self, is_known: impl Fn(Uuid) -> bool) {
        self.nodes.retain(|node, _| is_known(*node));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn beat(number: u64) -> Beat {
        repeating(number, 0)
    }

    const fn repeating(number: u64, repeats: u64) -> Beat {
        Beat { number, repeats }
    }

    #[test]
    fn a_node_is_asked_after_a_gap_until_it_repeats_its_numbers() {
        let (mut beats, node) = (Beats::default(), Uuid::new_v4());
        let mut asks = |beat| beats.hear(node, beat, || false);
        assert_eq!(
            [7, 8, 10, 11].map(|number| asks(beat(number))),
            [false, false, true, true]
        );
        assert!(!asks(repeating(12, 10)) && !asks(beat(13)));
        assert!(asks(beat(15)));
        // The beat that repeats is lost.
        assert!(asks(beat(17)));
        assert!(!asks(repeating(18, 17)) && !asks(beat(19)));
    }

    #[test]
    fn a_repetition_that_was_asked_for_before_the_loss_does_not_count() {
        let (mut beats, node) = (Beats::default(), Uuid::new_v4());
        let mut asks = |beat| beats.hear(node, beat, || false);
        assert!(!asks(beat(1)) && asks(repeating(4, 2)) && asks(repeating(5, 3)));
        assert!(!asks(repeating(6, 4)));
        beats.expect_losses();
        let mut asks = |beat| beats.hear(node, beat, || false);
        assert!(asks(repeating(7, 6)) && asks(beat(8)) && !asks(repeating(9, 8)));
    }

    #[test]
    fn a_beat_that_comes_late_changes_nothing() {
        let (mut beats, node) = (Beats::default(), Uuid::new_v4());
        let mut asks = |beat| beats.hear(node, beat, || false);
        assert!(!asks(beat(1)) && asks(beat(3)));
        assert!(!asks(beat(2)) && !asks(repeating(2, 9)) && !asks(beat(3)) && !asks(beat(0)));
        assert!(asks(beat(4)));
        assert!(asks(beat(u64::MAX)) && !asks(beat(5)));
    }

    #[test]
    fn a_node_is_asked_at_its_first_beat_if_something_of_it_came_before() {
        let mut beats = Beats::default();
        let [a, b] = [(); 2].map(|()| Uuid::new_v4());
        assert!(beats.hear(a, beat(9), || true) && !beats.hear(b, beat(0), || false));
        beats.expect_losses();
        assert!(beats.hear(b, beat(1), || false));
        beats.retain(|node| node == b);
        assert!(!beats.hear(a, beat(20), || false) && beats.hear(b, beat(2), || false));
    }
}
