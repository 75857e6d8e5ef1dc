use wire::DeviceId;

/// Names the devices to which one device passes on what an author wrote, at once, where a conversation has many readers.
///
/// All who read a conversation stand in an order that follows from the author's key and their own, the author before all:
/// the tree in which each has the next [`FAN`] places below it. So an author sends `FAN` copies however many read, nobody
/// sends more, and the last of n readers is `log n` steps away. For who cannot be reached the nearest one before him in the
/// order does what would be his: so all who are linked to all get it, whoever is off, and once. Where two see different
/// readers or links, somebody may be named twice or by nobody: what is offered later to all who have not said that they
/// hold it reaches him.
///
/// `readers` are all devices that read the conversation. Up to [`FEW`] of them the author sends to all of them.
pub fn passes_to(
    author: DeviceId,
    me: DeviceId,
    readers: impl Iterator<Item = DeviceId>,
    reaches: impl Fn(&DeviceId) -> bool,
) -> Vec<DeviceId> {
    let order = order(author, readers);
    let Some(own) = order.iter().position(|device| *device == me) else { return Vec::new() };
    let mut after = order.iter().enumerate().skip(own + 1);
    let next = after.find(|(_, device)| reaches(device)).map_or(order.len(), |(place, _)| place);
    let below = (own..next).flat_map(places_below).map_while(|place| order.get(place));
    below.filter(|device| reaches(device)).copied().collect()
}

/// Names the device from which one device gets what an author wrote, if all is as both see it.
pub fn gets_from(
    author: DeviceId,
    me: DeviceId,
    readers: impl Iterator<Item = DeviceId>,
    reaches: impl Fn(&DeviceId) -> bool,
) -> Option<DeviceId> {
    let order = order(author, readers);
    let own = order.iter().position(|device| *device == me)?;
    let above = order.get(..=own.checked_sub(1)? / FAN)?;
    above.iter().rev().find(|device| **device == author || reaches(device)).copied()
}

fn order(author: DeviceId, readers: impl Iterator<Item = DeviceId>) -> Vec<DeviceId> {
    let place = |device: &DeviceId| crypto::hash(ORDER, &[author.as_bytes(), device.as_bytes()]);
    let mut order: Vec<_> =
        readers.filter(|device| *device != author).map(|device| (place(&device), device)).collect();
    order.sort_unstable();
    order.dedup();
    std::iter::once(author).chain(order.into_iter().map(|(_, device)| device)).collect()
}

fn places_below(place: usize) -> std::ops::Range<usize> {
    let first = place.saturating_mul(FAN).saturating_add(1);
    first..first.saturating_add(FAN)
}

/// How many others a device passes each entry on to: six of 256 readers are three steps from the last.
pub const FAN: usize = 6;

/// Up to how many readers an author sends to all of them.
pub const FEW: usize = 12;

const ORDER: &str = "hexode/journal/spread/1";

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, VecDeque};

    use proptest::prelude::*;

    use super::*;

    fn device(number: u16) -> DeviceId {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        DeviceId::new(bytes)
    }

    fn readers(count: u16) -> Vec<DeviceId> {
        (0..count).map(device).collect()
    }

    /// Lets an entry go its way; returns how many steps each is away and how many copies each sent.
    fn spread(
        author: DeviceId,
        readers: &[DeviceId],
        off: &BTreeSet<DeviceId>,
    ) -> (BTreeMap<DeviceId, usize>, BTreeMap<DeviceId, usize>) {
        let (mut steps, mut sent) = (BTreeMap::from([(author, 0)]), BTreeMap::new());
        let mut queue = VecDeque::from([author]);
        while let Some(me) = queue.pop_front() {
            let to = passes_to(author, me, readers.iter().copied(), |device| !off.contains(device));
            sent.insert(me, to.len());
            for device in to {
                if !steps.contains_key(&device) {
                    steps.insert(device, steps[&me] + 1);
                    queue.push_back(device);
                }
            }
        }
        (steps, sent)
    }

    #[test]
    fn every_one_of_256_is_at_most_three_steps_away_and_nobody_sends_more_than_six() {
        let readers = readers(256);
        for author in [0, 7, 255].map(device) {
            let (steps, sent) = spread(author, &readers, &BTreeSet::new());
            assert_eq!(steps.len(), 256);
            assert_eq!(steps.values().max(), Some(&3));
            assert!(sent.values().all(|copies| *copies <= FAN));
            assert_eq!(sent.values().sum::<usize>(), 255, "nobody gets it twice");
        }
    }

    /// The example of the specification, reckoned by another program.
    #[test]
    fn the_order_is_the_specifications() {
        let readers = readers(40);
        let named = |me: u16| {
            let to = passes_to(device(3), device(me), readers.iter().copied(), |_| true);
            to.into_iter().collect::<BTreeSet<_>>()
        };
        assert_eq!(named(3), [9, 34, 27, 37, 26, 6].map(device).into());
        assert_eq!(named(9), [22, 15, 31, 17, 32, 33].map(device).into());
    }

    #[test]
    fn each_names_whom_another_is_named_by() {
        let readers = readers(100);
        let author = device(3);
        for me in &readers {
            for below in passes_to(author, *me, readers.iter().copied(), |_| true) {
                assert_eq!(gets_from(author, below, readers.iter().copied(), |_| true), Some(*me));
            }
        }
        assert_eq!(gets_from(author, author, readers.iter().copied(), |_| true), None);
        assert_eq!(passes_to(author, device(500), readers.iter().copied(), |_| true), []);
    }

    proptest! {
        /// Whoever is off, all others get it, once, and each from whom he expects it.
        #[test]
        fn who_is_off_takes_nobody_with_him(
            count in 13..300_u16,
            off in prop::collection::btree_set(1..300_u16, 0..250),
        ) {
            let readers = readers(count);
            let off: BTreeSet<_> = off.into_iter().filter(|at| *at < count).map(device).collect();
            let on = |device: &DeviceId| !off.contains(device);
            let (steps, sent) = spread(device(0), &readers, &off);
            let wanted = readers.iter().filter(|reader| on(reader)).count();
            prop_assert_eq!(steps.len(), wanted);
            prop_assert_eq!(sent.values().sum::<usize>(), wanted - 1, "nobody gets it twice");
            for me in steps.keys() {
                for below in passes_to(device(0), *me, readers.iter().copied(), on) {
                    prop_assert_eq!(gets_from(device(0), below, readers.iter().copied(), on), Some(*me));
                }
            }
        }
    }
}
