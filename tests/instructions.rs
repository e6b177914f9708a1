//! The regression check `cargo bench --bench instructions -- --check`: its input, and the differences that it reports.

#[path = "../benches/instructions/record.rs"]
mod record;

#[path = "../benches/instructions/profile.rs"]
mod profile;

use self::{
    profile::Profile,
    record::{Cost, Maker, NOTHING, Record, WHOLE},
};

fn record(own: &[(&str, f64)]) -> Record {
    let cost = |own| Cost {
        own,
        libc: 100.0,
        allocations: 2.0,
    };
    Record {
        maker: Maker {
            compiler: "rustc 1.95.0".into(),
            target: "x86_64-unknown-linux-gnu".into(),
        },
        counted: "1000 messages".into(),
        rows: own
            .iter()
            .map(|(name, own)| ((*name).to_owned(), cost(*own)))
            .collect(),
    }
}

fn rises(was: f64, now: f64) -> Vec<String> {
    let compared = record(&[("fan-out", was)]).compare(&record(&[("fan-out", now)]));
    assert_eq!(compared.is_refused(), !compared.rises.is_empty());
    compared.rises
}

#[test]
fn an_increase_of_more_than_three_percent_names_the_layer() {
    let was = record(&[("handler", 700.0), ("decode and encode", 1000.0)]);
    let now = record(&[("handler", 701.0), ("decode and encode", 1031.0)]);
    let changes = was.compare(&now);
    assert!(changes.is_refused());
    let line = "decode and encode: 1031 instructions and 2.0 allocations, recorded were 1000 and 2.0";
    assert_eq!(changes.rises, [line]);
    assert!(changes.to_string().contains(line), "{changes}");
}

#[test]
fn an_increase_of_three_percent_is_accepted() {
    assert_eq!(rises(1000.0, 1030.0), Vec::<String>::new());
}

#[test]
fn an_increase_of_five_instructions_is_accepted_for_a_layer_of_any_size() {
    assert_eq!(rises(0.0, 5.0), Vec::<String>::new());
    assert_eq!(rises(0.0, 6.0).len(), 1);
}

#[test]
fn a_layer_with_a_negative_cost_can_still_increase() {
    assert_eq!(rises(-100.0, -80.0).len(), 1);
}

#[test]
fn instructions_that_move_between_layers_are_accepted_up_to_three_percent_of_a_message() {
    let was = record(&[
        (WHOLE, 3000.0),
        ("validate", 1300.0),
        ("decode and encode", 200.0),
    ]);
    let moved = |by: f64| {
        let rows = [
            (WHOLE, 3000.0),
            ("validate", 1300.0 - by),
            ("decode and encode", 200.0 + by),
        ];
        was.compare(&record(&rows)).rises.len()
    };
    assert_eq!((moved(90.0), moved(91.0)), (0, 1));
    let more = record(&[
        (WHOLE, 3091.0),
        ("validate", 1300.0),
        ("decode and encode", 200.0),
    ]);
    assert_eq!(was.compare(&more).rises.len(), 1);
}

#[test]
fn an_empty_layer_costs_nothing() {
    let was = record(&[(WHOLE, 3000.0), (NOTHING, 0.0)]);
    let now = |nothing| record(&[(WHOLE, 3000.0), (NOTHING, nothing)]);
    assert!(!was.compare(&now(5.0)).is_refused());
    assert!(was.compare(&now(6.0)).is_refused());
}

#[test]
fn one_more_allocation_is_an_increase() {
    let was = record(&[("rescue", 200.0)]);
    let mut now = was.clone();
    now.rows[0].1.allocations += 1.0;
    assert_eq!(was.compare(&now).rises.len(), 1);
}

#[test]
fn a_layers_cost_is_the_difference_to_its_inner_layers() {
    let cost = |own, libc, allocations| Cost {
        own,
        libc,
        allocations,
    };
    let added = cost(900.0, 100.0, 4.0).minus(cost(700.0, 130.0, 3.0));
    assert_eq!(added, cost(200.0, -30.0, 1.0));
}

#[test]
fn instructions_in_libc_are_not_compared() {
    let was = record(&[("rescue", 200.0)]);
    let mut now = was.clone();
    now.rows[0].1.libc += 1000.0;
    assert!(!was.compare(&now).is_refused());
}

#[test]
fn another_compiler_skips_the_comparison_with_a_message() {
    let was = record(&[("handler", 700.0)]);
    let mut now = record(&[("handler", 7000.0)]);
    now.maker.compiler = "rustc 1.96.0".into();
    let changes = was.compare(&now);
    assert!(!changes.is_refused());
    assert!(
        changes.to_string().starts_with("NOTHING WAS COMPARED"),
        "{changes}"
    );
}

#[test]
fn another_target_skips_the_comparison() {
    let was = record(&[("handler", 700.0)]);
    let mut now = record(&[("handler", 7000.0)]);
    now.maker.target = "aarch64-unknown-linux-gnu".into();
    assert!(was.compare(&now).other.is_some());
}

#[test]
fn a_decrease_asks_to_be_recorded() {
    let changes = record(&[("handler", 700.0)]).compare(&record(&[("handler", 600.0)]));
    assert!(!changes.is_refused());
    assert_eq!(changes.falls.len(), 1);
    assert!(changes.to_string().contains("--record"), "{changes}");
}

#[test]
fn a_measurement_without_a_record_fails() {
    let changes = record(&[]).compare(&record(&[("handler", 700.0)]));
    assert_eq!(changes.rises, ["handler: is not in the record"]);
}

#[test]
fn a_record_without_a_measurement_fails() {
    let changes = record(&[("handler", 700.0)]).compare(&record(&[]));
    assert_eq!(changes.rises, ["handler: is in the record, and was not counted"]);
}

#[test]
fn a_record_survives_a_round_trip() {
    let mut record = record(&[("a layer that does nothing", 0.0), ("rescue", -12.0)]);
    record.rows[1].1.allocations = -1.0;
    assert_eq!(Record::parse(&record.to_string()).unwrap(), record);
}

#[test]
fn the_committed_record_is_valid() {
    let record = Record::parse(include_str!("../benches/instructions.txt")).unwrap();
    assert!(record.rows.iter().any(|(name, _)| name == "router"));
    assert!(!record.compare(&record).is_refused());
}

#[test]
fn an_invalid_record_is_an_error_with_its_line() {
    let broken = record(&[("handler", 700.0)]).to_string().replace("700", "many");
    let error = Record::parse(&broken).unwrap_err().to_string();
    assert!(error.contains("`handler ") && error.contains("`many`"), "{error}");
}

#[test]
fn inlined_instructions_count_for_the_caller_and_their_source_file() {
    let profile = Profile::parse(PROFILE, "/program").unwrap();
    let counts = |counts: &[(&str, u64)]| {
        counts
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    };
    assert_eq!(profile.functions, counts(&[("alloc", 8), ("poll", 35)]));
    assert_eq!(
        profile.files,
        counts(&[("alloc.rs", 8), ("future.rs", 15), ("option.rs", 20)])
    );
    assert_eq!(profile.shared, counts(&[("malloc", 100), ("realloc", 60)]));
    assert_eq!((profile.own(), profile.libc()), (43, 160));
}

#[test]
fn only_calls_from_the_program_into_the_allocator_count_as_allocations() {
    assert_eq!(Profile::parse(PROFILE, "/program").unwrap().allocations, 3);
}

/// `realloc` calls `malloc` itself, which counts as one allocation.
const PROFILE: &str = "\
version: 1
events: Ir

ob=/program
fl=future.rs
fn=poll
7 10
fi=option.rs
8 20
fe=future.rs
9 5
cfi=alloc.rs
cfn=alloc
calls=2 11
9 168

fl=alloc.rs
fn=alloc
12 8
cob=/libc.so.6
cfi=???
cfn=malloc
calls=2 0
12 100
cob=/libc.so.6
cfi=???
cfn=realloc
calls=1 0
12 60

ob=/libc.so.6
fl=???
fn=malloc
0 100

fn=realloc
0 60
cfn=malloc
calls=1 0
0 40

totals: 203
";
