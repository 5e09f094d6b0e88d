//! The way of finished spans to the daemon on this host.

pub(crate) mod drain;
pub(crate) mod link;
pub(crate) mod packet;
pub(crate) mod queue;
pub(crate) mod report;
