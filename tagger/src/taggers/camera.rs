//! The camera that took a picture.

use super::Subject;
use crate::attempt::Attempt;
use crate::tag::{Kind, TagSet};

const SCORE: f32 = 0.95;

pub(super) fn tag(subject: &Subject<'_>, tags: &mut TagSet) -> Attempt<()> {
    for camera in &subject.facts.cameras {
        tags.add(Kind::Camera, camera, SCORE, "EXIF make and model");
    }
    Ok(())
}
