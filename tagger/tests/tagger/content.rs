//! What each kind of file is tagged with.

use asterism_tagger::{Input, Kind, TAGS_MAX, Tag, tag, tag_by_name};

use crate::fixtures::{self, MAY_2024_MS};

/// The tags of a fixture contain all of `expected`, written as `kind:name`.
fn check(name: &str, expected: &[&str]) {
    let (_, content) =
        fixtures::all().into_iter().find(|(fixture, _)| *fixture == name).expect("a fixture of that name");
    let tags = tag(Input::new(name, content.len() as u64, MAY_2024_MS, &content));
    let found = spelled(&tags);
    for expected in expected {
        assert!(found.iter().any(|tag| tag == expected), "{name} lacks {expected}: {found:#?}");
    }
    assert!(tags.len() <= TAGS_MAX);
    assert!(tags.iter().all(|tag| (0.0..=1.0).contains(&tag.score) && !tag.evidence.is_empty()), "{tags:#?}");
}

fn spelled(tags: &[Tag]) -> Vec<String> {
    tags.iter().map(|tag| format!("{}:{}", tag.kind, tag.name)).collect()
}

#[test]
fn a_photo_tells_its_camera_date_and_place() {
    let expected =
        ["type:image", "format:jpeg", "camera:acme star gazer 7", "camera:acme", "person:ada photographer"];
    check("holiday.jpg", &expected);
    check("holiday.jpg", &["date:2019", "date:2019-07", "place:48.1n 11.6e", "keyword:holiday", "size:tiny"]);
}

#[test]
fn a_picture_without_exif_has_the_date_of_its_last_change() {
    check("diagram.png", &["type:image", "format:png", "date:2024", "date:2024-05", "keyword:diagram"]);
}

#[test]
fn sound_tells_artist_album_genre_and_length() {
    let expected = [
        "type:audio",
        "format:mp3",
        "person:the shardmen",
        "keyword:lost and rebuilt",
        "keyword:jazz",
        "date:1997",
    ];
    check("song.mp3", &expected);
    check("song.mp3", &["keyword:night train", "duration:short"]);
    check("song.flac", &["format:flac", "person:周小星", "keyword:ambient", "duration:long", "date:2021-03"]);
    check(
        "bell.wav",
        &["type:audio", "format:wav", "person:ada bellringer", "keyword:evening bells", "duration:short"],
    );
}

#[test]
fn a_pdf_tells_its_title_authors_and_words() {
    let expected = [
        "type:document",
        "format:pdf",
        "person:ada scholar",
        "person:alan reader",
        "keyword:durability",
        "keyword:machines",
    ];
    check("paper.pdf", &expected);
    check("paper.pdf", &["date:2023-02", "language:en", "keyword:erasure coding"]);
}

#[test]
fn office_files_tell_their_properties_and_words() {
    let properties =
        ["type:document", "person:grace writer", "keyword:harvest", "keyword:rain gauge", "date:2022-11"];
    for (name, more) in [
        ("report.docx", ["format:docx", "language:en", "keyword:erasure coding"]),
        ("talk.pptx", ["format:pptx", "language:zh", "type:presentation"]),
        ("table.xlsx", ["format:xlsx", "language:en", "type:spreadsheet"]),
    ] {
        check(name, &properties);
        check(name, &more);
    }
    check("letter.odt", &["format:odt", "person:grace writer", "keyword:letter", "language:en"]);
    check(
        "book.epub",
        &["format:epub", "type:ebook", "keyword:almanac", "person:grace writer", "language:en"],
    );
}

#[test]
fn texts_tell_language_and_keywords() {
    check(
        "notes.txt",
        &["type:text", "format:txt", "language:en", "keyword:erasure coding", "keyword:notes"],
    );
    check("page.html", &["type:text", "format:html", "language:en", "keyword:shards"]);
    check("说明.txt", &["type:text", "language:zh", "keyword:分片", "keyword:说明"]);
}

#[test]
fn texts_in_old_encodings_are_read_too() {
    let gb18030 = include_bytes!("fixtures/chinese-gb18030.txt");
    let found = spelled(&tag(Input::new("old.txt", gb18030.len() as u64, MAY_2024_MS, gb18030)));
    for expected in ["type:text", "format:txt", "language:zh", "keyword:分片"] {
        assert!(found.iter().any(|tag| tag == expected), "{found:?}");
    }
}

#[test]
fn archives_are_what_they_are() {
    check("sources.zip", &["type:archive", "format:zip", "keyword:sources"]);
    check("sources.tar.gz", &["type:archive", "format:gzip", "format:tar"]);
    let tar = fixtures::tar("a", b"b");
    let tags = tag(Input::new("a", tar.len() as u64, 0, &tar));
    assert!(spelled(&tags).contains(&"format:tar".to_owned()));
}

#[test]
fn the_beginning_of_a_large_file_is_enough_to_know_it() {
    let mp3 = fixtures::mp3();
    let tags = tag(Input::new("song.mp3", 5 << 30, MAY_2024_MS, &mp3));
    let found = spelled(&tags);
    for expected in ["format:mp3", "person:the shardmen", "size:huge"] {
        assert!(found.iter().any(|tag| tag == expected), "{found:?}");
    }
    assert!(tags.iter().all(|tag| tag.kind != Kind::Duration), "the length cannot be known: {found:?}");
}

#[test]
fn a_cut_office_file_is_read_as_far_as_it_goes() {
    let pptx = fixtures::pptx();
    let cut = &pptx[..pptx.len() - 200]; // Without its directory.
    let found = spelled(&tag(Input::new("talk.pptx", pptx.len() as u64, MAY_2024_MS, cut)));
    for expected in ["format:pptx", "type:presentation", "language:zh"] {
        assert!(found.iter().any(|tag| tag == expected), "{found:?}");
    }
}

#[test]
fn a_name_alone_still_says_something() {
    let tags = spelled(&tag_by_name("Annual report.docx", 2 << 20, MAY_2024_MS));
    for expected in
        ["type:document", "format:docx", "keyword:annual", "keyword:report", "date:2024-05", "size:medium"]
    {
        assert!(tags.iter().any(|tag| tag == expected), "{tags:?}");
    }
}

#[test]
fn the_same_file_always_gets_the_same_tags() {
    for (name, content) in fixtures::all() {
        let input = Input::new(name, content.len() as u64, MAY_2024_MS, &content);
        assert_eq!(tag(input), tag(input), "{name}");
    }
}
