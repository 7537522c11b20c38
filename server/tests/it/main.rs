//! The server as its clients see it: a real socket, a real client, the tiny pack's models.

mod check_media;
mod harness;
mod hostile;
mod lifecycle;
mod overload;
mod sessions;
mod streams;
mod web;
