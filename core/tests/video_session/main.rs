//! Whole videos through decoder, models and session: real clips, made ones, and reference images. Needs the feature `video`.
#![expect(clippy::print_stdout, reason = "the tables are what one runs these tests for")]
#![expect(clippy::print_stderr, reason = "a test that cannot run must say so")]

#[cfg(test)]
mod clips;
#[cfg(test)]
mod references;
#[cfg(test)]
mod support;
