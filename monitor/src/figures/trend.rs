//! Figures that follow from more than one moment: when a disk will be full, and for how long repair has stood still.

use super::{Figure, Reading};
use asterism_proto::NodeId;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

/// One sample of the free bytes in this time.
const SAMPLE_EVERY: Duration = Duration::from_secs(60);
/// Samples that a slope is made from: the last hour.
const SAMPLES_MAX: usize = 60;
/// With fewer, an upload looks like a trend.
const SAMPLES_MIN: usize = 15;
/// So many of all pairs of samples must fall for it to be a trend at all.
const FALLING_SHARE: f64 = 0.8;

/// The memory behind these figures.
#[derive(Default)]
pub struct Trends {
    free: HashMap<NodeId, Free>,
    short: Option<Short>,
}

#[derive(Default)]
struct Free {
    samples: VecDeque<(Instant, f64)>,
    full_in: Option<f64>,
}

/// The number of short extents, since when it has not fallen, and for how long.
struct Short {
    least: f64,
    since: Instant,
    lasting: Duration,
}

impl Trends {
    /// Remembers what was measured at `now`.
    pub fn note(&mut self, reading: &Reading, now: Instant) {
        let present: HashSet<NodeId> = reading.nodes.iter().map(|node| node.id).collect();
        self.free.retain(|id, _| present.contains(id));
        for node in &reading.nodes {
            let free = node.row.get(Figure::NodeFree);
            if !free.is_nan() {
                self.free.entry(node.id).or_default().note(free, now);
            }
        }
        self.short = match reading.cluster.get(Figure::ShortExtents) {
            short if short > 0.0 => Some(match self.short.take() {
                Some(before) if short >= before.least => {
                    Short { lasting: now.saturating_duration_since(before.since), ..before }
                }
                _ => Short { least: short, since: now, lasting: Duration::ZERO },
            }),
            _ => None,
        };
    }

    /// Sets the figures in `reading`.
    pub fn fill(&self, reading: &mut Reading) {
        for node in &mut reading.nodes {
            if let Some(seconds) = self.free.get(&node.id).and_then(|free| free.full_in) {
                node.row.set(Figure::NodeFullIn, seconds);
            }
        }
        if !reading.cluster.get(Figure::ShortExtents).is_nan() {
            let lasting = self.short.as_ref().map_or(0.0, |short| short.lasting.as_secs_f64());
            reading.cluster.set(Figure::RepairStalled, lasting);
        }
    }
}

impl Free {
    fn note(&mut self, free: f64, now: Instant) {
        if self.samples.back().is_some_and(|(last, _)| now.saturating_duration_since(*last) < SAMPLE_EVERY) {
            return;
        }
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back((now, free));
        let first = self.samples[0].0;
        let points: Vec<(f64, f64)> = self
            .samples
            .iter()
            .map(|(at, free)| (at.saturating_duration_since(first).as_secs_f64(), *free))
            .collect();
        self.full_in = full_in(&points);
    }
}

/// Seconds until what is free is used up, from (seconds, bytes free); `None` unless it is plainly falling.
///
/// The slope is the median of the slopes of all pairs of points (Theil 1950, Sen 1968): up to 29 % of the points may be
/// anything at all, such as a large file that came and went.
pub fn full_in(points: &[(f64, f64)]) -> Option<f64> {
    let last = points.last()?.1;
    if points.len() < SAMPLES_MIN {
        return None;
    }
    let pairs = points
        .iter()
        .enumerate()
        .flat_map(|(at, one)| points[at + 1..].iter().map(move |other| (one, other)));
    let mut slopes: Vec<f64> = pairs
        .map(|(one, other)| (other.1 - one.1) / (other.0 - one.0))
        .filter(|slope| slope.is_finite())
        .collect();
    let falling = slopes.iter().filter(|slope| **slope < 0.0).count();
    if (falling as f64) < FALLING_SHARE * slopes.len() as f64 || slopes.is_empty() {
        return None;
    }
    let middle = slopes.len() / 2;
    let (_, slope, _) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
    (*slope < 0.0).then(|| last / -*slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half an hour of free bytes, one point a minute.
    fn check(free: impl Fn(f64) -> f64, expected: Option<f64>) {
        let points: Vec<_> =
            (0..30).map(|minute| (f64::from(minute) * 60.0, free(f64::from(minute)))).collect();
        match (full_in(&points), expected) {
            (Some(found), Some(expected)) => {
                assert!((found / expected - 1.0).abs() < 0.05, "{found}, not {expected}")
            }
            (found, expected) => assert_eq!(found, expected),
        }
    }

    #[test]
    fn a_filling_disk_is_full_when_the_line_says() {
        check(|minute| 1e9 - minute * 1e7, Some((1e9 - 29.0 * 1e7) / (1e7 / 60.0)));
    }

    #[test]
    fn a_few_wild_points_change_nothing() {
        let wild = |minute: f64| if minute % 7.0 == 3.0 { 5e8 } else { 1e9 - minute * 1e6 };
        check(wild, Some((1e9 - 29.0 * 1e6) / (1e6 / 60.0)));
    }

    #[test]
    fn what_does_not_plainly_fall_is_no_trend() {
        check(|_| 1e9, None);
        check(|minute| 1e9 + minute * 1e6, None);
        check(|minute| 1e9 + if minute % 2.0 == 0.0 { 1e6 } else { -1e6 }, None);
        check(|minute| if minute < 29.0 { 1e9 } else { 5e8 }, None);
    }

    #[test]
    fn a_moment_is_no_trend() {
        assert_eq!(full_in(&[]), None);
        assert_eq!(full_in(&[(0.0, 10.0), (60.0, 5.0)]), None);
    }

    #[test]
    fn repair_stands_still_until_the_number_falls() {
        let (mut trends, begin) = (Trends::default(), Instant::now());
        let mut stalled = |short: f64, second: u64| {
            let mut reading = Reading::default();
            reading.cluster.set(Figure::ShortExtents, short);
            trends.note(&reading, begin + Duration::from_secs(second));
            trends.fill(&mut reading);
            reading.cluster.get(Figure::RepairStalled)
        };
        assert_eq!(stalled(0.0, 0), 0.0);
        assert_eq!(stalled(5.0, 10), 0.0);
        assert_eq!(stalled(7.0, 70), 60.0, "more is no progress");
        assert_eq!(stalled(5.0, 80), 70.0);
        assert_eq!(stalled(4.0, 90), 0.0);
        assert_eq!(stalled(4.0, 100), 10.0);
        assert_eq!(stalled(0.0, 110), 0.0);
    }
}
