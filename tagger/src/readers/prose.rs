//! Plain text.

use crate::attempt::Attempt;
use crate::encoding::decode;
use crate::facts::{Facts, TEXT_BYTES_MAX};
use crate::input::Input;

pub(super) fn read(input: &Input<'_>, facts: &mut Facts) -> Attempt<()> {
    let sample = &input.content()[..input.content().len().min(2 * TEXT_BYTES_MAX)]; // UTF-16 takes twice the room.
    let text = decode(sample, true).ok_or("text in no known encoding")?;
    facts.push_text(&text);
    Ok(())
}
