//! Scenes with whole charters, random histories, the model check, and floods.

mod bounds;
mod scenes;
mod world;
