//! The recorded cost of the layers, and the comparison with the current cost.

use std::{error::Error, fmt};

/// Row of a message through all layers.
pub(crate) const WHOLE: &str = "all of these: a message with an answer";
/// Row of one more layer around them.
pub(crate) const NOTHING: &str = "a layer that does nothing";

/// Tolerance of an increase: this share of the recorded value, or of a whole message if that is more, and at least so
/// many instructions. A layer's row is the difference of two programs, and the compiler may inline each differently:
/// the same sources in another folder have moved fifty instructions from one layer to the next.
const PART: f64 = 0.03;
const INSTRUCTIONS: f64 = 5.0;
/// The value is an average over all messages, so one in a hundred is accepted.
const ALLOCATIONS: f64 = 0.05;

/// The cost of one message in one or more layers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Cost {
    /// Instructions of the program itself.
    pub(crate) own: f64,
    /// Instructions of libc: allocating and copying. They depend on its version and on the processor, so they are
    /// recorded for information, and not compared.
    pub(crate) libc: f64,
    pub(crate) allocations: f64,
}

impl Cost {
    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            own: self.own - other.own,
            libc: self.libc - other.libc,
            allocations: self.allocations - other.allocations,
        }
    }
}

/// Compiler and target of the program. Counts are only comparable between equal ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Maker {
    pub(crate) compiler: String,
    pub(crate) target: String,
}

impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.compiler, self.target)
    }
}

/// The cost of every row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) maker: Maker,
    /// Tool that counted, for information.
    pub(crate) counted: String,
    pub(crate) rows: Vec<(String, Cost)>,
}

/// First line of a record.
const HEADER: &str = "# Instructions and allocations of one message. `cargo bench --bench instructions -- --record` \
                      writes this, `-- --check` compares.";

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        writeln!(f, "compiler: {}", self.maker.compiler)?;
        writeln!(f, "target: {}", self.maker.target)?;
        writeln!(f, "counted: {}", self.counted)?;
        writeln!(f)?;
        writeln!(
            f,
            "{:<40}{:>12}{:>12}{:>12}",
            "", "own code", "libc", "allocations"
        )?;
        for (name, cost) in &self.rows {
            let Cost {
                own,
                libc,
                allocations,
            } = cost;
            writeln!(f, "{name:<40}{own:>12.0}{libc:>12.0}{allocations:>12.1}")?;
        }
        Ok(())
    }
}

impl Record {
    /// Parses the output of `Display`.
    ///
    /// # Errors
    /// If a part is missing or a line is invalid.
    pub(crate) fn parse(text: &str) -> Result<Self, Box<dyn Error>> {
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                .map(str::to_owned)
                .ok_or_else(|| format!("the record has no line `{name}: ..`"))
        };
        let maker = Maker {
            compiler: field("compiler")?,
            target: field("target")?,
        };
        let rows = text.lines().skip_while(|line| !line.is_empty()).skip(2);
        Ok(Self {
            maker,
            counted: field("counted")?,
            rows: rows.map(row).collect::<Result<_, _>>()?,
        })
    }

    fn get(&self, name: &str) -> Option<Cost> {
        let (_, cost) = self.rows.iter().find(|(known, _)| known == name)?;
        Some(*cost)
    }

    /// Compares this record with the current cost.
    pub(crate) fn compare(&self, now: &Self) -> Changes {
        let mut changes = Changes::default();
        if self.maker != now.maker {
            changes.other = Some((self.maker.clone(), now.maker.clone()));
            return changes;
        }
        let whole = self.get(WHOLE).unwrap_or_default().own;
        for (name, cost) in &now.rows {
            let Some(was) = self.get(name) else {
                changes.rises.push(format!("{name}: is not in the record"));
                continue;
            };
            let line = format!(
                "{name}: {:.0} instructions and {:.1} allocations, recorded were {:.0} and {:.1}",
                cost.own, cost.allocations, was.own, was.allocations
            );
            let (more, allocations) = (cost.own - was.own, cost.allocations - was.allocations);
            let of = if name == NOTHING {
                0.0
            } else {
                was.own.abs().max(whole)
            };
            let slack = (of * PART).max(INSTRUCTIONS);
            if more > slack || allocations > ALLOCATIONS {
                changes.rises.push(line);
            } else if more < -slack || allocations < -ALLOCATIONS {
                changes.falls.push(line);
            }
        }
        for (name, _) in &self.rows {
            if now.get(name).is_none() {
                let line = format!("{name}: is in the record, and was not counted");
                changes.rises.push(line);
            }
        }
        changes
    }
}

fn row(line: &str) -> Result<(String, Cost), Box<dyn Error>> {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let mut last = || -> Result<f64, Box<dyn Error>> {
        let word = words.pop().ok_or("fewer than three numbers")?;
        word.parse().map_err(|error| format!("`{word}`: {error}").into())
    };
    let mut cost = || -> Result<Cost, Box<dyn Error>> {
        let (allocations, libc, own) = (last()?, last()?, last()?);
        Ok(Cost {
            own,
            libc,
            allocations,
        })
    };
    let cost = cost().map_err(|error| format!("the record's line `{line}`: {error}"))?;
    Ok((words.join(" "), cost))
}

/// The result of a comparison, one line per changed row.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Changes {
    /// The recorded and the current compiler, if they differ: nothing was compared then.
    pub(crate) other: Option<(Maker, Maker)>,
    /// Increases, and rows that only one side has.
    pub(crate) rises: Vec<String>,
    pub(crate) falls: Vec<String>,
}

impl Changes {
    pub(crate) fn is_refused(&self) -> bool {
        !self.rises.is_empty()
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((was, now)) = &self.other {
            return writeln!(
                f,
                "NOTHING WAS COMPARED: recorded for {was}; this is {now}. `cargo bench --bench instructions -- --record` \
                 records it anew"
            );
        }
        for line in &self.rises {
            writeln!(f, "MORE   {line}")?;
        }
        for line in &self.falls {
            writeln!(f, "less   {line}")?;
        }
        if !(self.rises.is_empty() && self.falls.is_empty()) {
            writeln!(
                f,
                "`cargo bench --bench instructions -- --record` records them anew; a rise, if it is worth it"
            )?;
        }
        Ok(())
    }
}
