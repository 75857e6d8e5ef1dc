//! Stands in for the shell where time and links are virtual: `testnet` drives engines through it.

use crossbeam_channel::Receiver;
use tokio::sync::broadcast;

use crate::{
    Node, api,
    engine::{Effect, Engine, Input, Time},
    shell::{Opening, Order, Shell},
};

/// The other end of a [`Node`] without a thread: its orders wait until somebody runs them.
#[derive(Debug)]
pub struct Pump {
    orders: Receiver<Order>,
    events: broadcast::Sender<api::Event>,
}

impl Pump {
    /// Makes a node whose orders this pump runs.
    pub fn new() -> (Node, Self) {
        let (shell, orders) = Shell::new();
        let events = shell.events.clone();
        (Node::new(shell), Self { orders, events })
    }

    /// Runs what has been ordered, then one turn over `inputs`; returns what is to be done, answers and events
    /// apart, which are given here.
    pub fn run(&self, engine: &mut Engine, inputs: Vec<Input>, time: Time) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut batch = inputs;
        for order in self.orders.try_iter() {
            match order {
                Order::Input(input) => batch.push(input),
                Order::Open { passphrase, how, answer } => {
                    let was_locked = engine.vault().is_none();
                    let opened = match how {
                        Opening::Create => engine.create(&passphrase),
                        Opening::Unlock(tries) => engine.unlock(&passphrase, tries, time),
                    };
                    let _ = answer.send(opened.map(|opened| {
                        effects.extend(opened);
                        was_locked
                    }));
                }
                Order::Lock(done) | Order::Stop(done) => {
                    effects.extend(engine.lock());
                    let _ = done.send(());
                }
                Order::Wipe(answer) => {
                    let (closed, wiped) = engine.wipe();
                    effects.extend(closed);
                    let _ = answer.send(wiped);
                }
                Order::Look(look) => look(engine),
                // There are no tunnels but the virtual ones.
                Order::Started(..) | Order::Tunnel(..) | Order::Wake => {}
            }
        }
        effects.extend(engine.turn(batch, time, true));
        let mut rest = Vec::new();
        for effect in effects {
            match effect {
                Effect::Answer(answer) => answer.give(),
                Effect::Publish(event) => {
                    // An error says only that nobody listens.
                    let _ = self.events.send(*event);
                }
                other => rest.push(other),
            }
        }
        rest
    }
}
