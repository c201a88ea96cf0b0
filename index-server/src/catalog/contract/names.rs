//! Names are bytes: nothing in them means anything.

use super::*;

cases![odd_names_are_literal, names_that_look_alike_stay_apart, names_mean_nothing_to_sql];

const ODD: &[&str] = &[
    "with space",
    " leading",
    "trailing ",
    "trailing.",
    "'",
    "\"",
    "''",
    "%",
    "_",
    "%_%",
    "\\",
    "a\\'b",
    "😀",
    "文件夹",
    "a\u{202e}b",
    "\u{feff}",
    "%2e%2e%2f",
    "-rf",
    "$(id)",
    "`id`",
    ";id",
    "con",
    "...",
    "?",
    "*",
    "null",
    "NULL",
    "0",
];

async fn odd_names_are_literal(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let longest = ["x".repeat(255), "文".repeat(85), format!("{}xyz", "😀".repeat(63))];
    let names: Vec<&str> = ODD.iter().copied().chain(longest.iter().map(String::as_str)).collect();
    for name in &names {
        let at = format!("/{name}");
        put(&catalog, &empty(&ada, &at)).await;
        let folder = format!("/folder{name}"); // Not of 255 bytes any more.
        if let Ok(folder) = folder.parse() {
            catalog.mkdir(&ada, &folder, false).await.unwrap();
            let inside = folder.join(name).unwrap();
            put(&catalog, &empty(&ada, inside.as_str())).await;
            assert_eq!(catalog.stat(&ada, &inside).await.unwrap().path, inside);
        }
        assert_eq!(catalog.stat(&ada, &path(&at)).await.unwrap().path.name(), Some(*name));
    }
    let mut wanted: Vec<_> = names.iter().map(|name| format!("/{name}")).collect();
    wanted.sort();
    let files: Vec<_> =
        listed(&catalog, &ada, "/").await.into_iter().filter(|at| !at.starts_with("/folder")).collect();
    assert_eq!(files, wanted);
    for name in &names {
        let (from, to) = (path(&format!("/{name}")), path("/moved"));
        catalog.move_entry(&ada, &from, &to).await.unwrap();
        let id = catalog.trash(&ada, &to).await.unwrap();
        catalog.restore(&ada, &Restore::Id(id)).await.unwrap();
        catalog.move_entry(&ada, &to, &from).await.unwrap();
    }
}

async fn names_that_look_alike_stay_apart(catalog: Catalog) {
    let ada = ada(&catalog).await;
    // Case, spaces at the end (which MySQL would ignore), composed and decomposed accents, full and half width.
    let alike = ["a", "A", "a ", "a  ", "\u{e9}", "e\u{301}", "ａ", "ß", "ss", "ſ", "s"];
    for name in alike {
        put(&catalog, &empty(&ada, &format!("/{name}"))).await;
    }
    assert_eq!(listed(&catalog, &ada, "/").await.len(), alike.len());
    catalog.trash(&ada, &path("/a ")).await.unwrap();
    assert_eq!(listed(&catalog, &ada, "/").await.len(), alike.len() - 1);
    assert!(catalog.stat(&ada, &path("/a")).await.is_ok());
    refused!(catalog.stat(&ada, &path("/a ")).await, CatalogError::NotFound(_));
}

async fn names_mean_nothing_to_sql(catalog: Catalog) {
    let ada = ada(&catalog).await;
    put(&catalog, &empty(&ada, "/kept")).await;
    for text in [
        "'; DROP TABLE entries;--",
        "' OR '1'='1",
        "x' UNION SELECT password_hash FROM users--",
        "\u{bf}' OR 1=1",
    ] {
        let at = format!("/{text}");
        refused!(catalog.stat(&ada, &path(&at)).await, CatalogError::NotFound(_));
        put(&catalog, &empty(&ada, &at)).await;
        let file = catalog.stat(&ada, &path(&at)).await.unwrap();
        let tag = Tag::new("user", text).unwrap();
        catalog.add_user_tag(file.id, &tag, &ada).await.unwrap();
        assert_eq!(catalog.tag_names(&ada, text, None, 10).await.unwrap().len(), 1, "{text}");
        assert_eq!(catalog.remembered(&ada, text).await.unwrap(), None);
    }
    for prefix in ["%", "_", "\\", "%kept", &"%".repeat(10_000)] {
        assert!(
            catalog.tag_names(&ada, prefix, None, 10).await.unwrap().is_empty(),
            "a prefix is no pattern"
        );
    }
    for odd in ["é", "' OR 1=1", "文", "user "] {
        assert!(
            catalog.tag_names(&ada, "", Some(odd), 10).await.unwrap().is_empty(),
            "a kind that is none: {odd}"
        );
        assert_eq!(catalog.lease(odd).await.unwrap(), None);
        assert_eq!(catalog.setting(odd).await.unwrap(), None);
    }
    assert!(catalog.stat(&ada, &path("/kept")).await.is_ok());
}
