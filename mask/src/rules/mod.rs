//! The rules, one file each; what each suspect is handed to stands in [`Masker::edits`](crate::Masker).

pub(crate) mod pan;
pub(crate) mod track;
