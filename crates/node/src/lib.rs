//! One running device: the engine, delivery and the API every front end uses.

pub mod api;
