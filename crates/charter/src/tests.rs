//! Scenes with whole charters, random histories, the model check, and floods.

mod bounds;
mod model;
mod scenes;
mod world;
