//! x
mod file;
#[cfg(test)]
mod fixture;
mod hdr;
mod row;
mod windows;
