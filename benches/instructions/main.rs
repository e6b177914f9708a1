//! Instructions per message, without a socket: `cargo bench --bench instructions` counts them under valgrind's
//! callgrind, layer by layer. Unlike times, the counts are the same in each run, on every machine with the same
//! compiler.
//!
//! - `-- --check` compares with the record, `benches/instructions.txt`, and fails if a layer executes more.
//! - `-- --record` writes the record.
//! - `-- --functions` prints the functions and the files with the most instructions in one message through the whole
//!   pipeline; `-- --functions "a message that is refused"` those of another row.
//!
//! Each row is a run of this program under callgrind. The program's own code, which depends only on the compiler, is
//! counted apart from libc's, which depends on its version and on the processor.

#[path = "../stages/mod.rs"]
mod stages;

mod callgrind;
mod connections;
mod messages;
mod profile;
mod record;

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fs,
    io::{Write, stdout},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use self::{
    connections::CONNECTIONS,
    messages::{ALONE, CASES, COUNT, ROUTER, STAGES, WITH_NOTHING},
    profile::Profile,
    record::{Cost, Maker, NOTHING, Record, WHOLE},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Argument of the program when it runs under callgrind.
const MESSAGES: &str = "--messages";

fn main() -> Result<ExitCode> {
    // cargo passes `--bench`.
    let arguments: Vec<String> = env::args().skip(1).filter(|it| it != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut out = stdout().lock();
    match arguments[..] {
        [] => write!(out, "{}", measure()?)?,
        ["--record"] => {
            let now = measure()?;
            write!(out, "{now}")?;
            fs::write(recorded(), now.to_string())?;
        }
        ["--check"] => return check(&mut out),
        ["--functions"] => functions(&mut out, ROUTER)?,
        ["--functions", name] => functions(&mut out, name)?,
        [MESSAGES, name] => messages::run(name)?,
        _ => return Err("expected --check, --record, --functions, or nothing".into()),
    }
    Ok(ExitCode::SUCCESS)
}

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.txt")
}

/// Measures the row with this name.
fn profile(name: &str) -> Result<Profile> {
    let out = env::temp_dir().join(format!("zocket-instructions-{}", std::process::id()));
    callgrind::run(&env::current_exe()?, &[MESSAGES, name], &out)
}

fn cost(name: &str) -> Result<Cost> {
    let profile = profile(name)?;
    let of_one = |count: u64| count as f64 / COUNT as f64;
    Ok(Cost {
        own: of_one(profile.own()),
        libc: of_one(profile.libc()),
        allocations: of_one(profile.allocations),
    })
}

fn measure() -> Result<Record> {
    let mut rows = Vec::new();
    let mut inner = Cost::default();
    for (name, _) in STAGES {
        let whole = cost(name)?;
        rows.push((name.to_owned(), whole.minus(inner)));
        inner = whole;
    }
    let whole = inner;
    rows.push((WHOLE.to_owned(), whole));
    rows.push((NOTHING.to_owned(), cost(WITH_NOTHING.0)?.minus(whole)));
    let mut pipeline = whole;
    for (name, _) in ALONE {
        let alone = cost(name)?;
        rows.push((name.to_owned(), alone));
        pipeline = pipeline.minus(alone);
    }
    rows.push(("all of these but what is alone".to_owned(), pipeline));
    for (name, _) in CASES.into_iter().chain(CONNECTIONS) {
        rows.push((name.to_owned(), cost(name)?));
    }
    Ok(Record {
        maker: maker()?,
        counted: format!("{COUNT} messages, {}", version("valgrind", "--version")?.trim()),
        rows,
    })
}

/// Returns the compiler that cargo used: `rustc` in the same folder is the same one.
fn maker() -> Result<Maker> {
    let version = version("rustc", "-vV")?;
    let field = |name: &str| version.lines().find_map(|line| line.strip_prefix(name));
    Ok(Maker {
        compiler: version.lines().next().unwrap_or_default().to_owned(),
        target: field("host: ").unwrap_or_default().to_owned(),
    })
}

fn version(program: &str, argument: &str) -> Result<String> {
    let output = Command::new(program)
        .arg(argument)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .map_err(|error| format!("{program} can't be run ({error}): is it installed?"))?;
    Ok(String::from_utf8(output.stdout)?)
}

/// Compares with the record. Fails if a layer executes more.
fn check(out: &mut impl Write) -> Result<ExitCode> {
    let was = Record::parse(&fs::read_to_string(recorded())?)?;
    let now = measure()?;
    let changes = was.compare(&now);
    write!(out, "{now}\n{changes}")?;
    Ok(ExitCode::from(u8::from(changes.is_refused())))
}

fn functions(out: &mut impl Write, name: &str) -> Result<()> {
    let profile = profile(name)?;
    writeln!(out, "{name}: instructions of one message, the program's own")?;
    top(out, &profile.functions)?;
    writeln!(
        out,
        "\nby file, where inlined functions are where they were written"
    )?;
    top(out, &profile.files)?;
    writeln!(out, "\nlibc's")?;
    top(out, &profile.shared)
}

fn top(out: &mut impl Write, counts: &BTreeMap<String, u64>) -> Result<()> {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (name, count) in counts.into_iter().take(30) {
        writeln!(out, "{:>9.1}  {}", *count as f64 / COUNT as f64, short(name))?;
    }
    Ok(())
}

/// Returns a file's path relative to its crate.
fn short(name: &str) -> &str {
    let name = name.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(name);
    let folders = ["/library/", "/registry/src/"];
    folders
        .into_iter()
        .find_map(|folder| Some(name.split_once(folder)?.1))
        .unwrap_or(name)
}
