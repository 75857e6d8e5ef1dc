//! What one writes, the others read: the same, once, in the same order.

use testnet::World;

#[test]
fn a_message_goes_from_one_to_the_other() {
    let mut world = World::new(1);
    let [ann, ben] = world.circle(["Ann", "Ben"]);
    world.send(ann, "Ben", "Hello Ben");
    world.settle();
    assert_eq!(world.screen(ben, "Ann"), "Ann: Hello Ben\n");
    let message = world.messages(ann, "Ben").remove(0);
    assert_eq!((message.delivery.devices, message.delivery.delivered, message.delivery.read), (1, 1, 0));
}
