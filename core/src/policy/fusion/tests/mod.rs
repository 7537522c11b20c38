//! Local verdicts and vendors' results made up, and what comes of them.

mod properties;
mod strategies;
mod support;
mod verdicts;
