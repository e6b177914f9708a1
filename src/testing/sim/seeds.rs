//! The seeds of a simulation, and their runs on several threads.

use std::{
    env,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use parking_lot::Mutex;

use super::{
    SimApp, SimClient, World, failure::Failure, fault::Fault, run::Functions, settings::Settings, shrink,
    totals::Totals,
};

/// Environment variable with the number of seeds, instead of the test's own.
pub(super) const SEEDS: &str = "ZOCKET_SIM_SEEDS";
/// Environment variable with the one seed to run, and perhaps the faults to keep: `42`, or `42:0,3`.
pub(super) const REPEAT: &str = "ZOCKET_SIM";

/// The seeds to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seeds {
    First(u64),
    /// One seed, with the faults of these indices, or with all.
    One(u64, Option<Vec<usize>>),
}

impl Seeds {
    /// Returns the seeds that the environment asks for, if it does.
    pub(super) fn or_environment(self) -> Self {
        let variable = |name| env::var(name).ok();
        let repeated = variable(REPEAT).map(|text| match Self::parse(&text) {
            Some(seeds) => seeds,
            None => panic!("{REPEAT}: expected a seed such as 42 or 42:0,3, got {text}"),
        });
        let first = || {
            let Self::First(_) = self else { return self };
            match variable(SEEDS).map(|text| text.parse()) {
                Some(Ok(count)) => Self::First(count),
                Some(Err(error)) => panic!("{SEEDS}: expected a number of seeds: {error}"),
                None => self,
            }
        };
        repeated.unwrap_or_else(first)
    }

    fn parse(text: &str) -> Option<Self> {
        let (seed, faults) = match text.split_once(':') {
            Some((seed, faults)) => (seed, Some(faults)),
            None => (text, None),
        };
        let indices = |faults: &str| {
            let indices = faults.split(',').filter(|index| !index.is_empty());
            indices
                .map(|index| index.trim().parse().ok())
                .collect::<Option<Vec<usize>>>()
        };
        let faults = match faults {
            Some(faults) => Some(indices(faults)?),
            None => None,
        };
        Some(Self::One(seed.trim().parse().ok()?, faults))
    }
}

/// The failure of a seed, with as few faults as it needs.
pub(super) struct Failed {
    pub(super) seed: u64,
    /// Indices of the faults that the failure needs.
    pub(super) kept: Vec<usize>,
    pub(super) faults: Vec<Fault>,
    pub(super) failure: Failure,
}

/// Runs the seeds, on as many threads as the machine has processors.
///
/// # Errors
/// The lowest seed among those that failed before the others were stopped.
pub(super) fn run<A, S>(
    functions: &Functions<'_, A, S>,
    settings: &Settings,
    seeds: &Seeds,
) -> Result<Totals, Box<Failed>>
where
    A: Fn(&World) -> SimApp + Sync,
    S: AsyncFn(SimClient) + Sync,
{
    let faults_of = |seed| Fault::of_seed(seed, settings.clients, &settings.counts);
    let run = |seed, faults: &[Fault]| functions.run(seed, settings, faults);
    let failed = match seeds {
        Seeds::One(seed, kept) => {
            let faults = faults_of(*seed);
            let faults = match kept {
                Some(kept) => shrink::selected(&faults, kept),
                None => faults,
            };
            match run(*seed, &faults) {
                Ok(totals) => return Ok(totals),
                // Faults that were chosen are not shrunk again.
                Err(failure) if kept.is_some() => {
                    let kept = kept.clone().unwrap_or_default();
                    return Err(Box::new(Failed {
                        seed: *seed,
                        kept,
                        faults,
                        failure,
                    }));
                }
                Err(failure) => (*seed, failure),
            }
        }
        Seeds::First(count) => match run_first(*count, |seed| run(seed, &faults_of(seed))) {
            Ok(totals) => return Ok(totals),
            Err(failed) => failed,
        },
    };
    let (seed, failure) = failed;
    let faults = faults_of(seed);
    let (kept, failure) = shrink::shrink(&faults, failure, |faults| run(seed, faults).err());
    let faults = shrink::selected(&faults, &kept);
    Err(Box::new(Failed {
        seed,
        kept,
        faults,
        failure,
    }))
}

fn run_first(
    count: u64,
    run: impl Fn(u64) -> Result<Totals, Failure> + Sync,
) -> Result<Totals, (u64, Failure)> {
    let next = AtomicU64::new(0);
    let has_failed = AtomicBool::new(false);
    let totals = Mutex::new(Totals::default());
    let failed = Mutex::new(None);
    let work = || {
        let mut own = Totals::default();
        while !has_failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= count {
                break;
            }
            match run(seed) {
                Ok(totals) => own += &totals,
                Err(failure) => {
                    has_failed.store(true, Ordering::Relaxed);
                    let mut failed = failed.lock();
                    if failed.as_ref().is_none_or(|(other, _)| seed < *other) {
                        *failed = Some((seed, failure));
                    }
                }
            }
        }
        *totals.lock() += &own;
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    match failed.into_inner() {
        Some(failed) => Err(failed),
        None => Ok(totals.into_inner()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_repeated_with_all_or_with_some_of_its_faults() {
        assert_eq!(Seeds::parse("42"), Some(Seeds::One(42, None)));
        assert_eq!(Seeds::parse("42:0,3"), Some(Seeds::One(42, Some(vec![0, 3]))));
        assert_eq!(Seeds::parse("42:"), Some(Seeds::One(42, Some(Vec::new()))));
        assert_eq!(Seeds::parse("x"), None);
        assert_eq!(Seeds::parse("42:x"), None);
    }

    #[test]
    fn every_seed_runs_once_and_a_failure_stops_the_rest() {
        let totals = |seed: u64| Totals {
            seeds: 1,
            frames: seed,
            ..Totals::default()
        };
        let all = run_first(100, |seed| Ok(totals(seed))).unwrap();
        assert_eq!((all.seeds, all.frames), (100, 99 * 100 / 2));
        let fails = |seed| match seed {
            7 => Err(Failure::lost("it".to_owned())),
            _ => Ok(totals(seed)),
        };
        assert_eq!(run_first(100, fails), Err((7, Failure::lost("it".to_owned()))));
    }
}
