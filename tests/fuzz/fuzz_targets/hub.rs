//! `tests/fuzz/run hub`. See CONTRIBUTING.md.
#![cfg_attr(fuzzing, no_main)]

zocket_fuzz::program!(zocket_fuzz::hub::run);
