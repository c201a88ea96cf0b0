//! Plain text.

use crate::attempt::Attempt;
use crate::facts::{Facts, TEXT_BYTES_MAX};
use crate::input::Input;
use crate::plain;

pub(super) fn read(input: &Input<'_>, facts: &mut Facts) -> Attempt<()> {
    let sample = &input.content()[..input.content().len().min(2 * TEXT_BYTES_MAX)]; // UTF-16 takes twice the room.
    let text = plain::decode(sample, true).ok_or("neither UTF-8 nor UTF-16")?;
    facts.push_text(&text);
    Ok(())
}
