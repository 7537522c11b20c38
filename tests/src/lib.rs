//! What the end-to-end tests share: the built program, a running server, the folder of labelled media, the tools that real
//! users drive the server with, and stand-ins for the vendors.

pub mod clips;
pub mod media;
pub mod postgres;
pub mod server;
pub mod tools;
pub mod vendors;
