//! The `lifesign` program.

fn main() {}
