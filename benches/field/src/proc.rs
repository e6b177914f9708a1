//! What the operating system says: processor time, memory, descriptors; and where threads may run.

use std::{
    fs, io,
    sync::atomic::{AtomicBool, Ordering},
    sync::{Arc, OnceLock},
    time::Duration,
};

use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

/// The clock of `/proc/stat`.
const TICK: Duration = Duration::from_millis(10);

fn sum_of_threads(pid: u32) -> Duration {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Duration::ZERO;
    };
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .filter_map(|line| line.split(' ').next()?.parse().ok().map(Duration::from_nanos))
        .sum()
}

fn by_ticks(pid: u32) -> Duration {
    let fields = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // What is before the last parenthesis is the program's name, which may have anything in it.
    let fields = fields.rsplit(')').next().unwrap_or_default();
    let ticks: u32 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u32>().ok())
        .sum();
    ticks * TICK
}

/// Processor time of a process at a moment, of which only differences mean something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu {
    threads: Duration,
    ticks: Duration,
}

impl Cpu {
    pub(crate) fn of(pid: u32) -> Self {
        Self {
            threads: sum_of_threads(pid),
            ticks: by_ticks(pid),
        }
    }

    /// By the threads' own clocks, in nanoseconds; but for what threads used that have ended since, which those no
    /// longer show and the process's ticks do.
    pub(crate) fn since(self, before: Self) -> Duration {
        let fine = self.threads.saturating_sub(before.threads);
        let coarse = self.ticks.saturating_sub(before.ticks);
        if coarse > fine.mul_f64(1.05) + 3 * TICK {
            coarse
        } else {
            fine
        }
    }
}

/// How long all processors have been busy, whoever it was for.
pub(crate) fn busy() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let fields: Vec<u32> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user, nice, system, then (without idle and iowait) irq, softirq, steal.
    let ticks: u32 = fields.iter().take(3).chain(fields.iter().skip(5).take(3)).sum();
    ticks * TICK
}

/// Resident memory in bytes.
pub(crate) fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
        .unwrap_or(0)
        * 1_024
}

/// How many sockets a process has open.
pub(crate) fn sockets(pid: u32) -> usize {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return 0;
    };
    entries
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}

/// Lets this thread run on these processors alone, and what it starts from now on.
pub(crate) fn pin(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    Ok(sched_setaffinity(None, &set)?)
}

/// The first two processors that this process may run on; the same one twice if there is but one.
pub(crate) fn two_cores() -> [usize; 2] {
    let allowed = sched_getaffinity(None).unwrap_or_default();
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    let first = cores.next().unwrap_or(0);
    [first, cores.next().unwrap_or(first)]
}

/// As many descriptors as this process may have; what it starts inherits that.
pub(crate) fn raise_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    );
    most
}

static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on Ctrl-C is something to be asked about.
pub(crate) fn watch_signals() -> io::Result<()> {
    let flag = INTERRUPTED.get_or_init(Arc::default);
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, flag.clone())?;
    }
    Ok(())
}

pub(crate) fn interrupted() -> bool {
    INTERRUPTED.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use std::{process, time::Duration};

    use super::{Cpu, resident, sockets};

    #[test]
    fn this_process_has_memory_and_uses_time() {
        let before = Cpu::of(process::id());
        let mut sum = 0_u64;
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_millis(50) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(Cpu::of(process::id()).since(before) > Duration::from_millis(5));
        assert!(resident(process::id()) > 100_000);
    }

    #[test]
    fn sockets_are_counted() {
        let before = sockets(process::id());
        let _listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(sockets(process::id()) > before);
    }
}
