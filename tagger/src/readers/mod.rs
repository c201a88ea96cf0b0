//! One reader per shape of content: bytes in, [`Facts`] out. Everything here parses what strangers wrote.

mod audio;
mod html;
mod image;
mod markdown;
mod office;
mod pdf;
mod prose;
mod xml;

use crate::attempt::{Attempt, attempt};
use crate::facts::Facts;
use crate::format::Shape;
use crate::input::Input;

type Reader = fn(&Input<'_>, &mut Facts) -> Attempt<()>;

/// Reads what the shape allows; what was read before a failure is kept.
pub(crate) fn read(input: &Input<'_>, shape: Shape) -> Facts {
    let (name, reader): (_, Reader) = match shape {
        Shape::Prose => ("prose", prose::read),
        Shape::Markdown => ("markdown", markdown::read),
        Shape::Html => ("html", html::read),
        Shape::Pdf => ("pdf", pdf::read),
        Shape::Office => ("office", office::read),
        Shape::Image => ("image", image::read),
        Shape::Audio => ("audio", audio::read),
        Shape::Opaque => return Facts::default(),
    };
    let mut facts = Facts::default();
    let _failed_part = attempt(name, || reader(input, &mut facts));
    facts
}
