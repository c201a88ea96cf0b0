//! Where a picture was taken, as coarse coordinates: a tenth of a degree is some ten kilometres, a town and not a home.

use super::Subject;
use crate::attempt::Attempt;
use crate::facts::Coordinates;
use crate::tag::{Kind, TagSet};

const SCORE: f32 = 0.9;

pub(super) fn tag(subject: &Subject<'_>, tags: &mut TagSet) -> Attempt<()> {
    if let Some(place) = subject.facts.place {
        tags.add(Kind::Place, &name(place), SCORE, "EXIF GPS position");
    }
    Ok(())
}

fn name(place: Coordinates) -> String {
    let half = |degrees: f64, positive, negative| {
        let tenths = (degrees * 10.0).round() / 10.0;
        format!("{:.1}{}", tenths.abs(), if tenths < 0.0 { negative } else { positive })
    };
    format!("{} {}", half(place.latitude, 'N', 'S'), half(place.longitude, 'E', 'W'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(latitude: f64, longitude: f64, expected: &str) {
        assert_eq!(name(Coordinates { latitude, longitude }), expected);
    }

    #[test]
    fn places_are_coarse_and_have_directions() {
        check(48.137, 11.575, "48.1N 11.6E");
        check(-33.857, 151.215, "33.9S 151.2E");
        check(40.7, -74.01, "40.7N 74.0W");
        check(-0.01, 0.01, "0.0N 0.0E");
    }
}
