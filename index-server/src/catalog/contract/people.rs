//! Users, sessions and tokens.

use super::*;

cases![
    users_are_made_found_and_removed,
    a_user_with_files_stays,
    the_last_admin_stays,
    a_new_password_ends_sessions,
    credentials_are_found_by_their_hash_until_they_expire,
    credentials_belong_to_their_user,
    sessions_are_bounded,
    two_admins_cannot_remove_each_other,
];

async fn users_are_made_found_and_removed(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let bob = catalog.create_user(&user("bob"), "hash", Role::Reader).await.unwrap();
    assert_eq!(catalog.user(&bob.name).await.unwrap(), bob);
    assert!(!format!("{bob:?}").contains("hash"), "no secret in a log");
    refused!(catalog.create_user(&bob.name, "x", Role::Admin).await, CatalogError::Exists(_));
    assert_eq!(
        catalog.users().await.unwrap().iter().map(|user| user.name.as_str()).collect::<Vec<_>>(),
        ["ada", "bob"]
    );
    catalog.set_role(&bob.name, Role::Operator).await.unwrap();
    catalog.set_password(&bob.name, "other").await.unwrap();
    let changed = catalog.user(&bob.name).await.unwrap();
    assert_eq!((changed.role, changed.password_hash.as_str()), (Role::Operator, "other"));
    catalog.create_credential(&bob.name, CredentialKind::Token, "t", &[1; 32], None).await.unwrap();
    catalog.remove_user(&bob.name).await.unwrap();
    refused!(catalog.user(&bob.name).await, CatalogError::NotFound(_));
    assert_eq!(catalog.find_credential(&[1; 32], 0).await.unwrap(), None);
    for missing in [
        catalog.remove_user(&bob.name).await,
        catalog.set_password(&bob.name, "x").await,
        catalog.set_role(&bob.name, Role::Admin).await,
    ] {
        refused!(missing, CatalogError::NotFound(_));
    }
    assert!(catalog.user(&ada).await.is_ok());
}

async fn a_user_with_files_stays(catalog: Catalog) {
    ada(&catalog).await;
    let bob = catalog.create_user(&user("bob"), "x", Role::Editor).await.unwrap().name;
    put(&catalog, &empty(&bob, "/f")).await;
    refused!(catalog.remove_user(&bob).await, CatalogError::NotEmpty(_));
    catalog.trash(&bob, &path("/f")).await.unwrap();
    refused!(catalog.remove_user(&bob).await, CatalogError::NotEmpty(_));
    catalog.purge_expired(now_ms() + 1000, 10).await.unwrap();
    catalog.remove_user(&bob).await.unwrap();
}

async fn the_last_admin_stays(catalog: Catalog) {
    let ada = ada(&catalog).await;
    refused!(catalog.remove_user(&ada).await, CatalogError::Conflict(_));
    refused!(catalog.set_role(&ada, Role::Operator).await, CatalogError::Conflict(_));
    catalog.set_role(&ada, Role::Admin).await.unwrap();
    catalog.create_user(&user("eve"), "x", Role::Admin).await.unwrap();
    catalog.remove_user(&ada).await.unwrap();
}

async fn a_new_password_ends_sessions(catalog: Catalog) {
    let ada = ada(&catalog).await;
    catalog.create_credential(&ada, CredentialKind::Session, "", &[1; 32], Some(i64::MAX)).await.unwrap();
    catalog.create_credential(&ada, CredentialKind::Token, "backup", &[2; 32], None).await.unwrap();
    catalog.set_password(&ada, "new").await.unwrap();
    assert_eq!(catalog.find_credential(&[1; 32], 0).await.unwrap(), None);
    assert!(catalog.find_credential(&[2; 32], 0).await.unwrap().is_some());
    assert_eq!(catalog.remove_credentials(&ada).await.unwrap(), 1);
}

async fn credentials_are_found_by_their_hash_until_they_expire(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let hash = [0xff; 32];
    catalog
        .create_credential(&ada, CredentialKind::Session, "Firefox 火狐", &hash, Some(1000))
        .await
        .unwrap();
    let (found, credential) = catalog.find_credential(&hash, 999).await.unwrap().unwrap();
    assert_eq!((found.name, found.role), (ada.clone(), Role::Admin));
    assert_eq!((credential.label.as_str(), credential.kind), ("Firefox 火狐", CredentialKind::Session));
    assert_eq!(catalog.find_credential(&hash, 1000).await.unwrap(), None);
    assert_eq!(catalog.find_credential(&[0; 32], 0).await.unwrap(), None);
    assert_eq!(catalog.purge_credentials(999).await.unwrap(), 0);
    assert_eq!(catalog.purge_credentials(1000).await.unwrap(), 1);
    let nobody = catalog.create_credential(&user("nobody"), CredentialKind::Token, "", &[3; 32], None).await;
    refused!(nobody, CatalogError::NotFound(_));
}

async fn credentials_belong_to_their_user(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let bob = catalog.create_user(&user("bob"), "x", Role::Reader).await.unwrap().name;
    let id = catalog.create_credential(&ada, CredentialKind::Token, "a", &[1; 32], None).await.unwrap();
    refused!(catalog.remove_credential(&bob, id).await, CatalogError::NotFound(_));
    assert!(catalog.credentials(&bob).await.unwrap().is_empty());
    assert_eq!(catalog.credentials(&ada).await.unwrap()[0].id, id);
    catalog.remove_credential(&ada, id).await.unwrap();
    refused!(catalog.remove_credential(&ada, id).await, CatalogError::NotFound(_));
}

async fn sessions_are_bounded(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let hash = |number: i64| *blake3::hash(&number.to_le_bytes()).as_bytes();
    for number in 0..=CREDENTIALS_PER_USER_MAX {
        catalog.create_credential(&ada, CredentialKind::Session, "", &hash(number), None).await.unwrap();
    }
    assert_eq!(catalog.find_credential(&hash(0), 0).await.unwrap(), None, "the oldest made room");
    assert!(catalog.find_credential(&hash(1), 0).await.unwrap().is_some());
    assert_eq!(catalog.credentials(&ada).await.unwrap().len() as i64, CREDENTIALS_PER_USER_MAX);
}

async fn two_admins_cannot_remove_each_other(catalog: Catalog) {
    for _ in 0..10 {
        let pair = [user("ada"), user("eve")];
        for name in &pair {
            let _ = catalog.create_user(name, "x", Role::Admin).await;
        }
        let outcomes = tokio::join!(catalog.remove_user(&pair[0]), catalog.set_role(&pair[1], Role::Reader));
        assert!(outcomes.0.is_ok() != outcomes.1.is_ok(), "{outcomes:?}");
        let admins = catalog.users().await.unwrap().iter().filter(|user| user.role == Role::Admin).count();
        assert_eq!(admins, 1);
        catalog.create_user(&user("x"), "x", Role::Admin).await.unwrap();
        for name in &pair {
            let _ = catalog.remove_user(name).await;
        }
        for name in pair {
            catalog.create_user(&name, "x", Role::Admin).await.unwrap();
        }
        catalog.remove_user(&user("x")).await.unwrap();
    }
}
