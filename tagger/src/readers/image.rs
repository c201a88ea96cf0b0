//! What a camera writes into a picture (EXIF): itself, the time, the place.

use std::io::Cursor;

use exif::{Error, Exif, In, Rational, Reader, Tag, Value};

use crate::attempt::Attempt;
use crate::facts::{Coordinates, Facts};
use crate::input::Input;

pub(super) fn read(input: &Input<'_>, facts: &mut Facts) -> Attempt<()> {
    let mut reader = Reader::new();
    reader.continue_on_error(true);
    let exif = match reader.read_from_container(&mut Cursor::new(input.content())) {
        Err(Error::NotFound(_)) => return Ok(()), // Most pictures have none.
        other => other.or_else(|error| error.distill_partial_result(|_| ()))?,
    };
    read_camera(&exif, facts);
    for tag in [Tag::DateTimeOriginal, Tag::DateTimeDigitized, Tag::DateTime] {
        if let Some(date) = text(&exif, tag) {
            facts.set_created(&date, "EXIF date");
        }
    }
    if let Some(artist) = text(&exif, Tag::Artist) {
        facts.push_people(&artist, "EXIF artist");
    }
    facts.place = place(&exif);
    Ok(())
}

fn read_camera(exif: &Exif, facts: &mut Facts) {
    let make = text(exif, Tag::Make);
    let model = text(exif, Tag::Model);
    facts.cameras.extend(camera(make.as_deref(), model.as_deref()));
    facts.cameras.extend(make);
}

/// "Canon" + "Canon EOS 5D" is "Canon EOS 5D"; "NIKON CORPORATION" + "NIKON D90" is "NIKON D90".
fn camera(make: Option<&str>, model: Option<&str>) -> Option<String> {
    let model = model?;
    let Some(make) = make else { return Some(model.to_owned()) };
    let brand = make.split_whitespace().next().unwrap_or(make).to_lowercase();
    let named_already = model.to_lowercase().starts_with(&brand);
    Some(if named_already { model.to_owned() } else { format!("{make} {model}") })
}

/// The text of an ASCII field; empty fields are common and mean nothing.
fn text(exif: &Exif, tag: Tag) -> Option<String> {
    let Value::Ascii(lines) = &exif.get_field(tag, In::PRIMARY)?.value else { return None };
    let text = String::from_utf8_lossy(lines.first()?)
        .trim_matches(|c: char| c.is_whitespace() || c == '\0')
        .to_owned();
    (!text.is_empty()).then_some(text)
}

fn place(exif: &Exif) -> Option<Coordinates> {
    let latitude = degrees(exif, Tag::GPSLatitude, Tag::GPSLatitudeRef, "S")?;
    let longitude = degrees(exif, Tag::GPSLongitude, Tag::GPSLongitudeRef, "W")?;
    let possible = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
    let unset = latitude == 0.0 && longitude == 0.0; // A receiver without a fix.
    (possible && !unset).then_some(Coordinates { latitude, longitude })
}

/// Degrees, minutes and seconds as one signed number; `None` also for 0/0.
fn degrees(exif: &Exif, tag: Tag, reference: Tag, negative: &str) -> Option<f64> {
    let Value::Rational(parts) = &exif.get_field(tag, In::PRIMARY)?.value else { return None };
    let value = parts
        .iter()
        .take(3)
        .map(Rational::to_f64)
        .zip([1.0, 60.0, 3600.0])
        .map(|(part, unit)| part / unit)
        .sum::<f64>();
    let sign = if text(exif, reference)?.eq_ignore_ascii_case(negative) { -1.0 } else { 1.0 };
    value.is_finite().then_some(sign * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_make_is_named_once() {
        let check = |make, model, named: Option<&str>| assert_eq!(camera(make, model).as_deref(), named);
        check(Some("Canon"), Some("Canon EOS 5D"), Some("Canon EOS 5D"));
        check(Some("NIKON CORPORATION"), Some("NIKON D90"), Some("NIKON D90"));
        check(Some("Apple"), Some("iPhone 12"), Some("Apple iPhone 12"));
        check(None, Some("X100"), Some("X100"));
        check(Some("Canon"), None, None);
    }
}
