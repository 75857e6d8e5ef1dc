//! Whether the other end of a link still answers. Decides only; no I/O, no clock.

use std::time::{Duration, Instant};

/// What is known of a link's other end being there.
///
/// A link at rest costs nothing here. Whatever is sent asks a question, which any packet from there answers. Once
/// nothing has been said or heard for a moment, one question is asked for certainty: what was taken for an answer
/// may have been on its way before, and the way here may have been lost at a translator of addresses, where only a
/// packet from inside opens it again.
#[derive(Debug)]
pub(crate) struct Pulse {
    /// How many signs of life have come.
    heard: u64,
    heard_at: Instant,
    /// How many bytes have been sent, and of those how many when something was heard last.
    sent: u64,
    sent_before: u64,
    /// When the first question was asked that has not been answered.
    asked_at: Option<Instant>,
    pinged_at: Instant,
    /// When something was last said or came, if nothing has been heard since that makes sure.
    unsure: Option<Instant>,
    doubted: bool,
    /// How much longer than one and a half round trips an answer may take before another way is looked for.
    patience: Duration,
    /// When it was looked at last.
    looked_at: Instant,
}

/// What there is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Nothing, until something is sent or comes.
    Rest,
    /// Look again after that time.
    Wait(Duration),
    /// Ask, and look again after that time.
    Ask(Duration),
    /// Look for another way, keep asking, and look again after that time.
    Doubt(Duration),
    /// The other end answers again.
    Trust,
    /// Nobody is there.
    Dead,
}

impl Pulse {
    pub(crate) fn new(heard: u64, now: Instant) -> Self {
        Self {
            heard,
            heard_at: now,
            sent: 0,
            sent_before: 0,
            asked_at: None,
            pinged_at: now,
            unsure: None,
            doubted: false,
            patience: DOUBT,
            looked_at: now,
        }
    }

    /// Notes that something was sent.
    pub(crate) fn handle_said(&mut self, now: Instant) {
        self.unsure = Some(now);
        if self.asked_at.is_none() {
            self.looked_at = now;
            self.asked_at = Some(now);
        }
    }

    /// Notes how many bytes have been sent so far.
    pub(crate) fn handle_sent(&mut self, sent: u64) {
        self.sent = sent;
    }

    /// Notes that frames came.
    pub(crate) fn handle_frames(&mut self, now: Instant) {
        self.unsure = Some(now);
    }

    /// Notes that the machine's network changed: whether the other end is still reached has to be asked at once.
    pub(crate) fn handle_change(&mut self, now: Instant) -> Beat {
        self.handle_said(now);
        self.pinged_at = now;
        Beat::Ask(LOOK)
    }

    /// Decides what to do, `heard` signs of life having come so far.
    pub(crate) fn poll_beat(&mut self, heard: u64, round_trip: Duration, now: Instant) -> Beat {
        let late = now.saturating_duration_since(self.looked_at) > LATE;
        self.looked_at = now;
        if heard != self.heard {
            self.heard = heard;
            self.heard_at = now;
            self.sent_before = self.sent;
            let asked = self.asked_at.take();
            if std::mem::take(&mut self.doubted) {
                // This way is only late now and then.
                self.patience = (2 * self.patience).min(PATIENT);
                return Beat::Trust;
            }
            if asked.is_some() {
                self.patience = (self.patience - self.patience / 128).max(DOUBT);
            }
        }
        let Some(asked_at) = self.asked_at else {
            return self.poll_quiet(now);
        };
        if late {
            // This machine slept or was too busy to look: what came meanwhile has not been taken in.
            self.asked_at = Some(now);
            return Beat::Ask(LOOK);
        }
        let silent = now.saturating_duration_since(asked_at);
        let (patience, dead) = if self.is_laden() {
            (self.patience.max(LADEN_PATIENCE), LADEN_DEAD)
        } else {
            (self.patience, DEAD)
        };
        if silent >= 3 * round_trip + dead {
            return Beat::Dead;
        }
        if !self.doubted && silent >= round_trip.mul_f64(1.5) + patience {
            self.doubted = true;
            self.pinged_at = now;
            return Beat::Doubt(LOOK);
        }
        let pause = round_trip.mul_f64(1.5).max(PING);
        let pinged = now.saturating_duration_since(self.pinged_at.max(asked_at));
        if pinged >= pause {
            self.pinged_at = now;
            return Beat::Ask(LOOK);
        }
        Beat::Wait(LOOK)
    }

    /// Whether so much is under way that either end may be busy with it for a while: what comes waits behind what came.
    fn is_laden(&self) -> bool {
        self.sent.saturating_sub(self.sent_before) >= LADEN
    }

    fn poll_quiet(&mut self, now: Instant) -> Beat {
        let Some(active) = self.unsure else {
            return Beat::Rest;
        };
        if self.heard_at >= active + QUIET / 2 {
            // The other end made sure.
            self.unsure = None;
            return Beat::Rest;
        }
        if now.saturating_duration_since(active) < QUIET {
            return Beat::Wait(LOOK);
        }
        self.unsure = None;
        self.asked_at = Some(now);
        self.pinged_at = now;
        Beat::Ask(LOOK)
    }
}

/// How often to look while an answer is awaited.
const LOOK: Duration = Duration::from_millis(20);
/// Looking so much later than meant says nothing about the other end.
const LATE: Duration = Duration::from_secs(1);
/// The shortest pause between two questions.
const PING: Duration = Duration::from_millis(80);
/// The least patience. The other end may wait 25 ms before it acknowledges.
const DOUBT: Duration = Duration::from_millis(75);
/// The most patience.
const PATIENT: Duration = Duration::from_millis(600);
/// How much longer than three round trips an answer may take at all.
const DEAD: Duration = Duration::from_millis(2500);
/// How many bytes without an answer are a load. A call sends a tenth of it in the time in which it is doubted otherwise.
const LADEN: u64 = 256 << 10;
/// The least patience under a load, and how much longer than three round trips an answer may take then.
const LADEN_PATIENCE: Duration = Duration::from_secs(1);
const LADEN_DEAD: Duration = Duration::from_secs(5);
/// How long nothing may be said or come before one makes sure.
const QUIET: Duration = Duration::from_millis(400);

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(20);

    /// Looks when told to, until something else than waiting and asking is wanted or `limit` is over.
    fn run(pulse: &mut Pulse, start: Instant, limit: Duration) -> (Beat, Duration, u32) {
        let (mut now, mut asked) = (start, 0);
        loop {
            let pause = match pulse.poll_beat(7, RTT, now) {
                Beat::Wait(pause) => pause,
                Beat::Ask(pause) => {
                    asked += 1;
                    pause
                }
                beat => return (beat, now - start, asked),
            };
            now += pause;
            assert!(now - start < limit, "still waiting after {limit:?}");
        }
    }

    #[test]
    fn silence_after_words_is_doubted_soon_and_mourned_a_little_later() {
        let start = Instant::now();
        let mut pulse = Pulse::new(7, start);
        assert_eq!(pulse.poll_beat(7, RTT, start), Beat::Rest);
        pulse.handle_said(start);
        let (beat, after, asked) = run(&mut pulse, start, Duration::from_secs(1));
        assert!(matches!(beat, Beat::Doubt(_)) && asked <= 1, "{beat:?} {asked}");
        assert!(after >= RTT * 3 / 2 + DOUBT && after < RTT * 3 / 2 + DOUBT + 2 * LOOK, "{after:?}");
        let (beat, after, asked) = run(&mut pulse, start + after, Duration::from_secs(4));
        assert_eq!(beat, Beat::Dead);
        assert!(after < DEAD && asked > 10, "{after:?} {asked}");
    }

    #[test]
    fn who_has_much_to_take_in_is_given_time() {
        let start = Instant::now();
        let silence = |before: u64, sent: u64| {
            let mut pulse = Pulse::new(6, start);
            // What was sent before the last sign of life is no load.
            pulse.handle_sent(before);
            assert_eq!(pulse.poll_beat(7, RTT, start), Beat::Rest);
            pulse.handle_sent(before + sent);
            pulse.handle_said(start);
            let (beat, doubted, _) = run(&mut pulse, start, Duration::from_secs(3));
            assert!(matches!(beat, Beat::Doubt(_)));
            let (beat, dead, _) = run(&mut pulse, start + doubted, Duration::from_secs(6));
            assert_eq!(beat, Beat::Dead);
            (doubted, doubted + dead)
        };
        let (doubted, dead) = silence(0, LADEN);
        assert!(doubted >= LADEN_PATIENCE && dead >= LADEN_DEAD, "{doubted:?} {dead:?}");
        let (doubted, dead) = silence(1 << 30, LADEN - 1);
        assert!(
            doubted < Duration::from_millis(200) && dead < Duration::from_secs(3),
            "{doubted:?} {dead:?}"
        );
    }

    #[test]
    fn any_answer_calms() {
        let start = Instant::now();
        let mut pulse = Pulse::new(7, start);
        pulse.handle_said(start);
        let (_, after, _) = run(&mut pulse, start, Duration::from_secs(1));
        assert_eq!(pulse.poll_beat(8, RTT, start + after + LOOK), Beat::Trust);
        assert!(matches!(pulse.poll_beat(8, RTT, start + after + 2 * LOOK), Beat::Wait(_) | Beat::Ask(_)));
    }

    #[test]
    fn a_way_that_is_late_now_and_then_is_doubted_later() {
        let start = Instant::now();
        let mut pulse = Pulse::new(7, start);
        let (mut now, mut heard, mut doubts) = (start, 7, Vec::new());
        for _ in 0..6 {
            pulse.handle_said(now);
            let asked = now;
            while !matches!(pulse.poll_beat(heard, RTT, now), Beat::Doubt(_)) {
                now += LOOK;
            }
            doubts.push(now - asked);
            heard += 1;
            assert_eq!(pulse.poll_beat(heard, RTT, now), Beat::Trust);
        }
        assert!(doubts.is_sorted() && doubts[5] > 3 * doubts[0], "{doubts:?}");
        assert!(doubts[5] <= RTT * 3 / 2 + PATIENT + LOOK, "{doubts:?}");
        // Some seconds of a voice call without trouble, and it is as before.
        for _ in 0..400 {
            pulse.handle_said(now);
            (now, heard) = (now + LOOK, heard + 1);
            assert!(matches!(pulse.poll_beat(heard, RTT, now), Beat::Wait(_) | Beat::Rest));
        }
        assert_eq!(pulse.patience, DOUBT);
    }

    #[test]
    fn after_the_last_frame_one_question_makes_sure() {
        let start = Instant::now();
        let mut pulse = Pulse::new(6, start);
        pulse.handle_frames(start);
        assert!(matches!(pulse.poll_beat(7, RTT, start), Beat::Wait(_)));
        assert_eq!(pulse.poll_beat(7, RTT, start + QUIET), Beat::Ask(LOOK));
        assert_eq!(pulse.poll_beat(8, RTT, start + QUIET + LOOK), Beat::Rest, "and no further");
    }

    #[test]
    fn what_was_on_its_way_before_is_no_answer_for_long() {
        let start = Instant::now();
        let mut pulse = Pulse::new(6, start);
        pulse.handle_said(start);
        // A packet that the other end had sent before; then nothing any more.
        assert!(matches!(pulse.poll_beat(7, RTT, start + LOOK), Beat::Wait(_)));
        let (beat, after, _) = run(&mut pulse, start + 2 * LOOK, Duration::from_secs(2));
        assert!(matches!(beat, Beat::Doubt(_)) && after < QUIET + 3 * RTT + DOUBT + LOOK, "{after:?}");
    }

    #[test]
    fn one_end_makes_sure_for_both() {
        let start = Instant::now();
        let mut pulse = Pulse::new(6, start);
        pulse.handle_frames(start);
        assert!(matches!(pulse.poll_beat(7, RTT, start + QUIET / 4), Beat::Wait(_)));
        assert_eq!(pulse.poll_beat(8, RTT, start + QUIET * 3 / 4), Beat::Rest);
    }

    #[test]
    fn a_machine_that_slept_asks_again_before_it_mourns() {
        let start = Instant::now();
        let mut pulse = Pulse::new(7, start);
        pulse.handle_said(start);
        let woken = start + Duration::from_secs(3600);
        assert_eq!(pulse.poll_beat(7, RTT, woken), Beat::Ask(LOOK));
        assert!(matches!(pulse.poll_beat(7, RTT, woken + LOOK), Beat::Wait(_)));
    }

    #[test]
    fn a_slow_way_is_given_its_time() {
        let start = Instant::now();
        let mut pulse = Pulse::new(7, start);
        pulse.handle_said(start);
        let slow = Duration::from_millis(600);
        let mut now = start;
        while now - start < slow * 3 / 2 {
            assert!(matches!(pulse.poll_beat(7, slow, now), Beat::Wait(_) | Beat::Ask(_)));
            now += LOOK;
        }
    }
}
