//! Lanes beside links that lead through a member: where TCP gets through, that is the better way.

use std::time::{Duration, Instant};

use iroh::EndpointId;
use tokio::task::AbortHandle;
use wire::DeviceId;

use super::{Shell, reach::SECOND};
use crate::{Remote, link::Link, tcp};

/// How a lane is looked for beside a link. Ends when it is dropped.
#[derive(Debug)]
pub(super) struct Search {
    tries: u32,
    /// When it is tried next, and not before when.
    next: Instant,
    earliest: Instant,
    task: Option<AbortHandle>,
}

impl Drop for Search {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Search {
    fn new(now: Instant, initiated: bool) -> Self {
        // One of the two ends tries first, so that there are not two lanes.
        let next = now + tcp::HEAD_START + if initiated { Duration::ZERO } else { SECOND };
        Self { tries: 0, next, earliest: now, task: None }
    }

    /// When it is tried next.
    pub(super) fn due(&self) -> Instant {
        self.next
    }

    /// Tries again as soon as may be: something is new.
    fn hurry(&mut self, now: Instant) {
        self.tries = 0;
        self.next = self.next.min(now.max(self.earliest));
    }

    /// Notes that it is tried now.
    fn tried(&mut self, now: Instant, task: Option<AbortHandle>) {
        self.task = task;
        self.earliest = now + tcp::OPENING;
        self.next = now + (FIRST * (1 << self.tries.min(10))).min(LAST);
        self.tries = self.tries.saturating_add(1);
    }
}

impl Shell {
    /// Takes note of whether a member forwards a link's packets.
    pub(super) fn handle_way(&mut self, device: DeviceId, forwarded: bool) {
        let link = self.links.get(&device).filter(|_| forwarded && self.dials_tcp);
        match link.map(|link| link.initiated) {
            Some(initiated) => drop(self.searches.insert(device, Search::new(Instant::now(), initiated))),
            None => drop(self.searches.remove(&device)),
        }
    }

    /// Looks for a lane to this device again: it may be found elsewhere now.
    pub(super) fn hurry_search(&mut self, device: &DeviceId) {
        if let Some(search) = self.searches.get_mut(device) {
            search.hurry(Instant::now());
        }
    }

    /// Looks for all lanes again: this device may be elsewhere now.
    pub(super) fn hurry_searches(&mut self) {
        let now = Instant::now();
        self.searches.values_mut().for_each(|search| search.hurry(now));
    }

    /// Opens lanes beside those links for which it is time.
    pub(super) fn search_due(&mut self) {
        let now = Instant::now();
        let due = self.searches.iter().filter(|(_, search)| search.next <= now);
        let due: Vec<_> = due.map(|(device, _)| *device).collect();
        for device in due {
            // What was told of the way may be older than the link.
            let Some(Remote::Member(_)) = self.links.get(&device).map(Link::remote) else {
                self.searches.remove(&device);
                continue;
            };
            let task = if self.take_lane(&device) { None } else { self.open_lane(&device) };
            if let Some(search) = self.searches.get_mut(&device) {
                search.tried(now, task);
            }
        }
    }

    fn open_lane(&mut self, device: &DeviceId) -> Option<AbortHandle> {
        let addresses: Vec<_> = self.contacts.get(device)?.whereabouts().collect();
        let lane = self.tcp.prepare(device, None).filter(|_| !addresses.is_empty())?;
        Some(self.tasks.spawn(async move { lane.open(&addresses).await }))
    }

    /// Uses the lanes that are open now for the links that lead through a member.
    pub(super) fn take_lanes(&self) {
        for device in self.searches.keys() {
            self.take_lane(device);
        }
    }

    /// Has iroh try the lanes that lead to a device, which moves the link there; says whether there are any.
    fn take_lane(&self, device: &DeviceId) -> bool {
        let ends = self.tcp.ends(device);
        // Only the end that dialled opens paths.
        if self.links.get(device).is_some_and(|link| link.initiated)
            && let Ok(id) = EndpointId::from_bytes(device.as_bytes())
        {
            for end in &ends {
                self.endpoint.open_custom_path(id, end.address());
            }
        }
        !ends.is_empty()
    }
}

/// The first pause between two tries, longer than one takes, and the longest; it doubles.
const FIRST: Duration = Duration::from_secs(5);
const LAST: Duration = Duration::from_secs(900);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_looked_for_ever_more_seldom_and_at_once_when_something_is_new() {
        let start = Instant::now();
        let mut search = Search::new(start, true);
        assert!(search.due() >= start + tcp::HEAD_START && search.due() < Search::new(start, false).due());
        let mut pauses = Vec::new();
        for _ in 0..12 {
            let now = search.due();
            search.tried(now, None);
            pauses.push(search.due() - now);
        }
        assert_eq!((pauses[0], pauses[1], pauses[11]), (FIRST, 2 * FIRST, LAST));
        assert!(pauses.is_sorted());
        let tried = search.due();
        search.tried(tried, None);
        search.hurry(tried);
        assert_eq!(search.due(), tried + tcp::OPENING, "but not while one try may be under way");
        search.hurry(tried + LAST);
        assert_eq!(search.due(), tried + tcp::OPENING);
    }
}
