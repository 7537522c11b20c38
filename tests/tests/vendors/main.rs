//! Every vendor's client against a stand-in that follows the vendor's page: one suite for all, and one vendor failing over to
//! another.

mod cases;
mod conformance;
mod failover;
mod fakes;
mod panel;
mod stages;
mod table;
