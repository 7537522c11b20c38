//! The real program as a user runs it: exit statuses, output, configuration. One binary, so that it is linked once.

mod bench;
mod check;
mod configuration;
mod serve;
mod support;
