//! Shows what the other stages know.
