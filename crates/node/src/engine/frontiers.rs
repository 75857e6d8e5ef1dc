//! When this device tells others how far it holds conversations: whoever has been told sends what it lacks.
//!
//! Who comes back to a large circle would get all that he missed from everybody at once. So he tells a few, and waits until
//! nothing more comes before he tells as many again: what they have to send then, the others had not.

use std::time::Duration;

use wire::{ConversationFrontier, DeviceId, Frame};

use super::{CircleState, Ctx, sync::cut};

/// How many may be told.
#[derive(Debug, Default)]
pub(crate) struct Telling {
    /// When those were told who were told last.
    began: Option<Duration>,
    /// How many more may be told with them.
    room: usize,
    /// When the last entry came that was new.
    pub(crate) came_at: Option<Duration>,
    /// When the next may be told.
    pub(crate) at: Option<Duration>,
}

impl Telling {
    /// Tells whether those who were told have sent what they had to send, as far as one can see.
    fn is_over(&self, now: Duration) -> bool {
        let Some(began) = self.began else { return true };
        let quiet = self.came_at.is_none_or(|at| now >= at + QUIET);
        now >= began + QUIET && (quiet || now >= began + LONGEST)
    }

    fn begin(&mut self, now: Duration, room: usize) {
        (self.began, self.room) = (Some(now), room);
    }
}

impl CircleState {
    /// Tells a device how far this one holds what both may read, at once or when it is its turn.
    pub(crate) fn tell_frontier(&mut self, ctx: &mut Ctx<'_, '_>, device: DeviceId) {
        let now = ctx.time.since_start;
        if self.charter.roster().devices().len() > journal::FEW {
            if self.telling.at.is_none() && self.telling.is_over(now) {
                self.telling.begin(now, FIRST);
            }
            let Some(room) = self.telling.room.checked_sub(1) else {
                self.telling.at = self.telling.at.or(Some(now + QUIET));
                return;
            };
            self.telling.room = room;
        }
        self.send_frontier(ctx, device);
    }

    /// Tells as many again as know already, of those whose turn has not come, once nothing more comes from those.
    pub(crate) fn tell_more(&mut self, ctx: &mut Ctx<'_, '_>) {
        let now = ctx.time.since_start;
        if self.telling.at.is_none_or(|at| at > now) {
            return;
        }
        self.telling.at = None;
        let waiting = |told: bool| {
            let links =
                self.links.iter().filter(move |(_, link)| link.introduced && link.frontier_told == told);
            links.map(|(device, _)| *device)
        };
        let (told, mut waiting) = (waiting(true).count(), waiting(false).collect::<Vec<_>>());
        if self.telling.is_over(now) {
            self.telling.begin(now, told.max(FIRST));
            let later = waiting.split_off(self.telling.room.min(waiting.len()));
            self.telling.room -= waiting.len();
            for device in std::mem::replace(&mut waiting, later) {
                self.send_frontier(ctx, device);
            }
        }
        self.telling.at = (!waiting.is_empty()).then_some(now + QUIET);
    }

    /// Tells how far this device holds every conversation that the other may read and that has entries.
    fn send_frontier(&mut self, ctx: &mut Ctx<'_, '_>, device: DeviceId) {
        if let Some(link) = self.links.get_mut(&device) {
            link.frontier_told = true;
        }
        let Some(member) = self.live_member(&device) else {
            return;
        };
        let readable: Vec<_> = self.journal.readable_by(member).collect();
        let held = readable.iter().filter_map(|id| self.journal.frontier(id).map(|held| (*id, held)));
        let held: Vec<_> = held.filter(|(_, held)| !held.chains.is_empty()).collect();
        if let Some(link) = self.links.get_mut(&device) {
            link.announced = held.iter().map(|(id, _)| *id).collect();
        }
        let weight = |held: &ConversationFrontier| held.descriptor.0.len() + 80 * (held.chains.len() + 1);
        let mut parts = cut(held.into_iter().map(|(_, held)| held).collect(), FRONTIER_BYTES, weight);
        if parts.is_empty() {
            parts.push(Vec::new());
        }
        let last = parts.len() - 1;
        for (at, part) in parts.into_iter().enumerate() {
            self.send(ctx, device, &Frame::Frontier(part, at == last));
        }
    }
}

/// How many bytes of frontier one frame carries, well within [`wire::limits::FRAME`] and [`wire::limits::FRONTIER`].
const FRONTIER_BYTES: usize = 256 << 10;

/// How many are told first.
const FIRST: usize = 3;
/// After what time without an entry those who were told have sent what they had.
const QUIET: Duration = Duration::from_millis(500);
/// After what time others are told in any case.
const LONGEST: Duration = Duration::from_secs(3);
