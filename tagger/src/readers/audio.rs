//! What a music file says of itself: ID3, Vorbis comments, MP4 atoms, RIFF info.

use std::io::Cursor;

use lofty::config::{ParseOptions, ParsingMode};
use lofty::file::{AudioFile, FileType, TaggedFile, TaggedFileExt};
use lofty::probe::Probe;
use lofty::tag::Accessor;

use crate::attempt::Attempt;
use crate::facts::Facts;
use crate::input::Input;

pub(super) fn read(input: &Input<'_>, facts: &mut Facts) -> Attempt<()> {
    let mut options = ParseOptions::new();
    options.read_cover_art(false).parsing_mode(ParsingMode::Relaxed);
    let file = Probe::new(Cursor::new(input.content())).options(options).guess_file_type()?.read()?;
    for tag in file.tags() {
        read_tag(tag, facts);
    }
    let length = file.properties().duration();
    if !length.is_zero() && (input.is_whole() || states_its_length(&file)) {
        facts.duration = Some(length);
    }
    Ok(())
}

fn read_tag(tag: &impl Accessor, facts: &mut Facts) {
    if let Some(artist) = tag.artist() {
        facts.push_people(&artist, "artist");
    }
    if let Some(album) = tag.album() {
        facts.push_phrase(&album, "album");
    }
    if let Some(genre) = tag.genre() {
        facts.push_phrases(&genre, "genre");
    }
    if let Some(title) = tag.title() {
        facts.push_phrase(&title, "title");
    }
    if let Some(date) = tag.date() {
        let month = date.month.unwrap_or(0);
        facts.set_created(&format!("{:04}-{month:02}", date.year), "recording date");
    }
}

/// The length of other formats is guessed from the size of what is there, which is only the beginning.
fn states_its_length(file: &TaggedFile) -> bool {
    matches!(file.file_type(), FileType::Flac | FileType::Mp4)
}
