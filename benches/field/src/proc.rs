//! Figures of the operating system: processor time, memory, descriptors. Processor affinity.

use std::{
    fs, io,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    sync::{Arc, OnceLock},
    time::Duration,
};

use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

/// Tick of `/proc/stat`.
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
    // The program's name stands in parentheses, and may contain any character.
    let fields = fields.rsplit(')').next().unwrap_or_default();
    let ticks: u32 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u32>().ok())
        .sum();
    ticks * TICK
}

/// A process's processor time at a moment. Only differences are meaningful.
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

    /// Returns the processor time since `before`, from the threads' clocks in nanoseconds. If threads have ended
    /// meanwhile, their time is only in the process's ticks, which are used then.
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

/// Returns the busy time of all processors, for all processes.
pub(crate) fn busy() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let fields: Vec<u32> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // The fields are user, nice, system, idle, iowait, irq, softirq, steal. Idle and iowait are left out.
    let ticks: u32 = fields.iter().take(3).chain(fields.iter().skip(5).take(3)).sum();
    ticks * TICK
}

/// Returns the resident memory in bytes.
pub(crate) fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
        .unwrap_or(0)
        * 1_024
}

/// Returns the number of a process's open sockets.
pub(crate) fn sockets(pid: u32) -> usize {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return 0;
    };
    entries
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}

/// Pins this thread and its future children to these processors.
pub(crate) fn pin(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    Ok(sched_setaffinity(None, &set)?)
}

/// Gives a thread real-time priority. Its future children inherit it.
///
/// # Errors
/// If that is not permitted.
pub(crate) fn go_first(id: u32, priority: u8) -> io::Result<()> {
    // In turns: Node spins until another thread of its own has run, which never happens on one processor otherwise.
    chrt(&["-r", "-p", &priority.to_string(), &id.to_string()])
}

/// Takes a thread's real-time priority back.
///
/// # Errors
/// If that is not permitted.
pub(crate) fn go_back(id: u32) -> io::Result<()> {
    chrt(&["-o", "-p", "0", &id.to_string()])
}

fn chrt(arguments: &[&str]) -> io::Result<()> {
    let status = Command::new("chrt")
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    match status.success() {
        true => Ok(()),
        false => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

/// Returns the first two processors that this process may use, or the same one twice if there is only one.
pub(crate) fn two_cores() -> [usize; 2] {
    let allowed = sched_getaffinity(None).unwrap_or_default();
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    let first = cores.next().unwrap_or(0);
    [first, cores.next().unwrap_or(first)]
}

/// Raises the limit of descriptors to the maximum. Children inherit it.
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

/// Replaces the default action of Ctrl-C by a flag.
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
        let (start, mut sum) = (std::time::Instant::now(), 0_u64);
        // A busy machine gives this process little time.
        while Cpu::of(process::id()).since(before) <= Duration::from_millis(5) {
            assert!(start.elapsed() < Duration::from_secs(60), "no time is counted");
            for _ in 0..100_000 {
                sum = std::hint::black_box(sum.wrapping_add(1));
            }
        }
        assert!(resident(process::id()) > 100_000);
    }

    #[test]
    fn sockets_are_counted() {
        let before = sockets(process::id());
        let _listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(sockets(process::id()) > before);
    }
}
