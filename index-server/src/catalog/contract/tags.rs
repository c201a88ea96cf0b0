//! Tags, their states, and what the graph is told.

use super::*;

cases![
    a_tagger_s_findings_are_kept_with_their_reasons,
    a_second_look_replaces_the_first,
    findings_about_an_old_version_are_dropped,
    what_people_say_stays,
    one_s_own_tag_goes_and_a_found_one_is_rejected,
    tags_are_counted_per_owner,
    tags_with_one_name_and_two_kinds_are_two,
    a_projection_is_what_is_true_now,
    tags_of_a_file_are_bounded,
];

fn found(kind: &str, name: &str, score: f64) -> WeightedTag {
    WeightedTag::new(kind, name, score, "because 因为").unwrap()
}

fn tag(name: &str) -> Tag {
    Tag::new("user", name).unwrap()
}

async fn names_of(catalog: &Catalog, entry: &Entry) -> Vec<(String, TagState)> {
    let mut all = catalog.taggings(&[entry.id]).await.unwrap();
    all.remove(&entry.id)
        .unwrap_or_default()
        .iter()
        .map(|tagging| (tagging.tag.name().to_owned(), tagging.state))
        .collect()
}

/// Lets the built-in tagger speak.
async fn tagged(catalog: &Catalog, entry: &Entry, tags: &[WeightedTag]) -> bool {
    catalog.set_automatic(entry.id, entry.content.as_ref().unwrap().id, "builtin", "1", tags).await.unwrap()
}

async fn a_tagger_s_findings_are_kept_with_their_reasons(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let file = put(&catalog, &empty(&ada, "/f")).await;
    assert!(tagged(&catalog, &file, &[found("type", "Text", 0.5), found("keyword", "云  计算", 0.75)]).await);
    let all = catalog.taggings(&[file.id, EntryId(1 << 40)]).await.unwrap();
    assert_eq!(all.len(), 1);
    let first = &all[&file.id][0];
    assert_eq!((first.tag.kind(), first.tag.name(), first.score), ("keyword", "云 计算", 0.75));
    assert_eq!(
        (first.source.as_str(), first.version.as_str(), first.evidence.as_str()),
        ("builtin", "1", "because 因为")
    );
    assert_eq!((first.state, &first.by_user), (TagState::Suggested, &None));
    let odd = [found("type", "x", f64::NAN), found("type", "y", 7.0)];
    assert!(tagged(&catalog, &file, &odd).await);
    assert!(
        catalog.taggings(&[file.id]).await.unwrap()[&file.id]
            .iter()
            .all(|tagging| (0.0..=1.0).contains(&tagging.score))
    );
}

async fn a_second_look_replaces_the_first(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let file = put(&catalog, &empty(&ada, "/f")).await;
    tagged(&catalog, &file, &[found("keyword", "a", 0.9), found("keyword", "b", 0.8)]).await;
    catalog
        .set_automatic(
            file.id,
            file.content.as_ref().unwrap().id,
            "ray",
            "2.0",
            &[found("keyword", "c", 0.1)],
        )
        .await
        .unwrap();
    tagged(
        &catalog,
        &file,
        &[found("keyword", "b", 0.7), found("keyword", "d", 0.6), found("keyword", "b", 0.7)],
    )
    .await;
    let names: Vec<_> = names_of(&catalog, &file).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["b", "d", "c"], "another tagger's findings are its own");
}

async fn findings_about_an_old_version_are_dropped(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let old = put(&catalog, &empty(&ada, "/f")).await;
    put(&catalog, &NewFile { replace: Replace::Any, ..empty(&ada, "/f") }).await;
    assert!(!tagged(&catalog, &old, &[found("keyword", "old", 1.0)]).await);
    assert!(names_of(&catalog, &old).await.is_empty());
    assert!(!catalog.set_automatic(EntryId(1 << 40), ContentId(1), "builtin", "1", &[]).await.unwrap());
    refused!(
        catalog.set_automatic(old.id, ContentId(1), "Bad Source", "1", &[]).await,
        CatalogError::Internal(_)
    );
}

async fn what_people_say_stays(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let file = put(&catalog, &empty(&ada, "/f")).await;
    let words =
        [found("keyword", "right", 0.9), found("keyword", "wrong", 0.8), found("keyword", "other", 0.7)];
    tagged(&catalog, &file, &words).await;
    let keyword = |name| Tag::new("keyword", name).unwrap();
    catalog.add_user_tag(file.id, &keyword("right"), &ada).await.unwrap();
    catalog.remove_tag(file.id, &keyword("wrong"), &ada).await.unwrap();
    tagged(&catalog, &file, &words[..2]).await;
    let wanted = [("right".to_owned(), TagState::Confirmed), ("wrong".to_owned(), TagState::Rejected)];
    assert_eq!(names_of(&catalog, &file).await, wanted);
    let right = &catalog.taggings(&[file.id]).await.unwrap()[&file.id][0];
    assert_eq!((right.source.as_str(), &right.by_user), ("builtin", &Some(ada.clone())));
    catalog.add_user_tag(file.id, &keyword("wrong"), &ada).await.unwrap();
    assert_eq!(names_of(&catalog, &file).await[1].1, TagState::Confirmed, "people may change their mind");
    let next = put(&catalog, &NewFile { replace: Replace::Any, ..empty(&ada, "/f") }).await;
    tagged(&catalog, &next, &[]).await;
    assert_eq!(names_of(&catalog, &next).await.len(), 2, "also over a new version");
}

async fn one_s_own_tag_goes_and_a_found_one_is_rejected(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let file = put(&catalog, &empty(&ada, "/f")).await;
    for _ in 0..2 {
        catalog.add_user_tag(file.id, &tag("Holiday"), &ada).await.unwrap();
    }
    assert_eq!(names_of(&catalog, &file).await, [("holiday".to_owned(), TagState::Confirmed)]);
    catalog.remove_tag(file.id, &tag("HOLIDAY"), &ada).await.unwrap();
    assert!(names_of(&catalog, &file).await.is_empty());
    refused!(catalog.remove_tag(file.id, &tag("holiday"), &ada).await, CatalogError::NotFound(_));
    refused!(catalog.remove_tag(file.id, &tag("never"), &ada).await, CatalogError::NotFound(_));
    tagged(&catalog, &file, &[found("user", "found", 0.5)]).await;
    catalog.remove_tag(file.id, &tag("found"), &ada).await.unwrap();
    refused!(catalog.remove_tag(file.id, &tag("found"), &ada).await, CatalogError::NotFound(_));
    let folder = catalog.mkdir(&ada, &path("/d"), false).await.unwrap();
    refused!(catalog.add_user_tag(folder.id, &tag("x"), &ada).await, CatalogError::NotFound(_));
    refused!(catalog.add_user_tag(EntryId(1 << 40), &tag("x"), &ada).await, CatalogError::NotFound(_));
}

async fn tags_are_counted_per_owner(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let bob = catalog.create_user(&user("bob"), "x", Role::Editor).await.unwrap().name;
    catalog.mkdir(&ada, &path("/d"), false).await.unwrap();
    for (owner, at, names) in [
        (&ada, "/1", &["sea", "summer"][..]),
        (&ada, "/d/2", &["sea"]),
        (&ada, "/3", &["sea", "seal"]),
        (&bob, "/4", &["sea", "secret"]),
    ] {
        let file = put(&catalog, &empty(owner, at)).await;
        for name in names {
            catalog.add_user_tag(file.id, &tag(name), owner).await.unwrap();
        }
    }
    let counted = async |prefix: &str, kind: Option<&str>, limit| -> Vec<(String, u64)> {
        let names = catalog.tag_names(&ada, prefix, kind, limit).await.unwrap();
        names.iter().map(|count| (count.tag.name().to_owned(), count.files)).collect()
    };
    let pairs = |pairs: &[(&str, u64)]| {
        pairs.iter().map(|(name, files)| ((*name).to_owned(), *files)).collect::<Vec<_>>()
    };
    assert_eq!(counted("", None, 10).await, pairs(&[("sea", 3), ("seal", 1), ("summer", 1)]));
    assert_eq!(counted("SE", Some("user"), 10).await, pairs(&[("sea", 3), ("seal", 1)]));
    assert_eq!(counted("se", Some("keyword"), 10).await, []);
    assert_eq!(counted("", None, 1).await, pairs(&[("sea", 3)]));
    catalog.trash(&ada, &path("/d")).await.unwrap();
    catalog.trash(&ada, &path("/3")).await.unwrap();
    assert_eq!(
        counted("", None, 10).await,
        pairs(&[("sea", 1), ("summer", 1)]),
        "what is in the trash does not count"
    );
}

async fn tags_with_one_name_and_two_kinds_are_two(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let file = put(&catalog, &empty(&ada, "/f")).await;
    tagged(&catalog, &file, &[found("person", "paris", 0.5), found("place", "paris", 0.6)]).await;
    assert_eq!(catalog.tag_names(&ada, "paris", None, 10).await.unwrap().len(), 2);
    catalog.remove_tag(file.id, &Tag::new("person", "paris").unwrap(), &ada).await.unwrap();
    let left = catalog.tag_names(&ada, "paris", None, 10).await.unwrap();
    assert_eq!(left.iter().map(|count| count.tag.kind()).collect::<Vec<_>>(), ["place"]);
}

async fn a_projection_is_what_is_true_now(catalog: Catalog) {
    let ada = ada(&catalog).await;
    catalog.mkdir(&ada, &path("/a"), false).await.unwrap();
    let file = put(&catalog, &empty(&ada, "/a/f")).await;
    tagged(&catalog, &file, &[found("keyword", "yes", 0.9), found("keyword", "no", 0.8)]).await;
    catalog.remove_tag(file.id, &Tag::new("keyword", "no").unwrap(), &ada).await.unwrap();
    catalog.move_entry(&ada, &path("/a"), &path("/b")).await.unwrap();
    let shown = catalog.projection(file.id).await.unwrap().unwrap();
    assert_eq!(
        (shown.entry, &shown.owner, shown.name.as_str(), &shown.path, shown.size),
        (file.id, &ada, "f", &path("/b/f"), 0)
    );
    assert_eq!(shown.tags.iter().map(|tagging| tagging.tag.name()).collect::<Vec<_>>(), ["yes"]);
    let folder = catalog.stat(&ada, &path("/b")).await.unwrap();
    assert!(catalog.projection(folder.id).await.unwrap().is_none());
    let moved = catalog.outbox_pending(Topic::Graph, 0, 100).await.unwrap();
    assert!(moved.iter().any(|row| row.entry == folder.id && row.scope == Scope::Subtree));
    catalog.trash(&ada, &path("/b")).await.unwrap();
    assert!(catalog.projection(file.id).await.unwrap().is_none());
}

async fn tags_of_a_file_are_bounded(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let file = put(&catalog, &empty(&ada, "/f")).await;
    let many: Vec<_> =
        (0..TAGS_PER_FILE_MAX).map(|number| found("keyword", &format!("k{number}"), 0.5)).collect();
    assert!(tagged(&catalog, &file, &many).await);
    refused!(catalog.add_user_tag(file.id, &tag("one more"), &ada).await, CatalogError::Conflict(_));
}
