//! Fewer faults with which a run still fails.

use super::{failure::Failure, fault::Fault};

/// Removes faults as long as the run still fails, first many at once, then one by one (delta debugging: Zeller,
/// Hildebrandt: Simplifying and isolating failure-inducing input, 2002). Returns the indices of the faults that are
/// left, and the failure of the last run.
pub(super) fn shrink(
    faults: &[Fault],
    first: Failure,
    run: impl Fn(&[Fault]) -> Option<Failure>,
) -> (Vec<usize>, Failure) {
    let mut kept: Vec<usize> = (0..faults.len()).collect();
    let mut failure = first;
    let mut size = kept.len().div_ceil(2);
    while size > 0 {
        let mut has_removed = false;
        let mut from = 0;
        while from < kept.len() {
            let end = (from + size).min(kept.len());
            let without: Vec<_> = [&kept[..from], &kept[end..]].concat();
            match run(&selected(faults, &without)) {
                Some(other) => {
                    (kept, failure) = (without, other);
                    has_removed = true;
                }
                None => from = end,
            }
        }
        size = match has_removed {
            // What was needed before may not be needed any more.
            true if size == 1 => 1,
            _ => size / 2,
        };
    }
    (kept, failure)
}

/// Returns the faults with these indices.
pub(super) fn selected(faults: &[Fault], indices: &[usize]) -> Vec<Fault> {
    indices
        .iter()
        .filter_map(|index| faults.get(*index).cloned())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Duration};

    use super::*;

    fn away(connection: usize) -> Fault {
        Fault::Away {
            client: 0,
            connection,
            time: Duration::ZERO,
        }
    }

    #[test]
    fn only_the_faults_that_a_failure_needs_are_left() {
        let faults: Vec<_> = (0..20).map(away).collect();
        let runs = Cell::new(0);
        let needs = [away(3), away(17)];
        let run = |faults: &[Fault]| {
            runs.set(runs.get() + 1);
            let fails = needs.iter().all(|need| faults.contains(need));
            fails.then(|| Failure::lost(faults.len().to_string()))
        };
        let (kept, failure) = shrink(&faults, Failure::lost("20".to_owned()), run);
        assert_eq!(kept, [3, 17]);
        assert_eq!(failure.message, "2");
        assert!(runs.get() < 60, "{}", runs.get());
    }

    #[test]
    fn a_failure_without_any_fault_needs_none() {
        let faults = [away(0), away(1), away(2)];
        let (kept, _) = shrink(&faults, Failure::lost(String::new()), |_| {
            Some(Failure::lost(String::new()))
        });
        assert_eq!(kept, [0; 0]);
    }
}
