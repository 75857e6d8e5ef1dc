use std::time::Duration;

/// Keeps a rate: who takes more than has gathered waits.
///
/// Gathers at most what a tenth of a second brings, so that a pause is followed by no flood.
#[derive(Debug, Clone)]
pub struct Bucket {
    rate: u64,
    /// When all that was taken will have gathered.
    paid: Duration,
}

impl Bucket {
    /// Makes one of so many bytes a second.
    pub const fn new(rate: u64) -> Self {
        Self { rate, paid: Duration::ZERO }
    }

    /// Takes bytes at a time since some moment; returns how long to wait before they are passed on.
    pub fn take(&mut self, now: Duration, bytes: usize) -> Duration {
        let cost = Duration::from_secs_f64(bytes as f64 / self.rate.max(1) as f64);
        self.paid = self.paid.max(now.saturating_sub(BURST)) + cost;
        self.paid.saturating_sub(now)
    }
}

/// How long a pause may be made up for.
const BURST: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_any_while_no_more_is_taken_than_the_rate_and_a_burst() {
        let mut bucket = Bucket::new(1000);
        let (mut now, mut taken) = (Duration::from_secs(50), 0);
        let begun = now;
        while now < begun + Duration::from_secs(10) {
            taken += 70;
            now += bucket.take(now, 70);
        }
        assert!((10_000..=10_200).contains(&taken), "{taken}");
        // A long pause gathers a tenth of a second, no more.
        now += Duration::from_secs(3600);
        assert_eq!(bucket.take(now, 100), Duration::ZERO);
        assert!(bucket.take(now, 100) >= Duration::from_millis(99));
    }
}
