//! Scenes with whole charters, random histories, the model check, and floods.

mod bounds;
mod claims;
mod model;
mod properties;
mod recovery;
mod scenes;
mod world;
