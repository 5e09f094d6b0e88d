//! The command line: one file per command.

pub mod check;
pub mod demo;
pub mod explain;
pub mod load;
pub mod mask;
pub mod replay;
pub mod run;
pub mod scan;
mod signals;
