use std::{fmt, time::Duration};

/// Durations of one kind of event.
#[derive(Debug, Default, Clone)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn push(&mut self, took: Duration) {
        self.0.push(took);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the duration below which `share` percent of all lie, in microseconds.
    pub(crate) fn percentile(&self, share: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = sorted.len().saturating_sub(1) * share / 100;
        sorted.get(at).map_or(f64::NAN, |took| took.as_secs_f64() * 1e6)
    }
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "p50 {:.0} µs, p90 {:.0} µs, p99 {:.0} µs of {}",
            self.percentile(50),
            self.percentile(90),
            self.percentile(99),
            self.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_samples() {
        let mut samples = Samples::default();
        (1..=101).rev().for_each(|us| samples.push(Duration::from_micros(us)));
        let at = |share| samples.percentile(share).round();
        assert_eq!((at(0), at(50), at(99), at(100)), (1.0, 51.0, 100.0, 101.0));
        assert!(Samples::default().percentile(50).is_nan(), "no sample is no figure");
    }
}
