//! Passwords: Argon2id, a few at a time, and as slow for names that do not exist.

use super::limiter::Limiter;
use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Shorter ones are refused when they are set.
pub(crate) const PASSWORD_BYTES_MIN: usize = 10;
/// Longer ones are wrong without being looked at.
pub(crate) const PASSWORD_BYTES_MAX: usize = 1024;
/// Each hash takes 19 MiB and tens of milliseconds.
const AT_ONCE: usize = 2;

/// Hashes and checks passwords; clones share the limits.
#[derive(Clone)]
pub struct Passwords {
    places: Arc<Semaphore>,
    /// Of a password that nobody has; checked when there is no such user.
    nobody: Arc<str>,
    pub(super) limiter: Arc<Limiter>,
}

impl Passwords {
    /// No limit is reached yet.
    ///
    /// # Errors
    /// The cryptographic library fails.
    pub fn new() -> anyhow::Result<Self> {
        let nobody = hash(&super::auth::new_token()?)?;
        Ok(Self { places: Arc::new(Semaphore::new(AT_ONCE)), nobody: nobody.into(), limiter: Arc::default() })
    }

    /// The hash to keep of a password.
    ///
    /// # Errors
    /// The cryptographic library fails.
    pub(crate) async fn hash(&self, password: String) -> anyhow::Result<String> {
        let _place = self.places.acquire().await?;
        tokio::task::spawn_blocking(move || hash(&password)).await?
    }

    /// Whether the password is the one of `hash`; without one (no such user) it takes as long and is wrong.
    ///
    /// # Errors
    /// The task fails.
    pub(crate) async fn verify(&self, password: String, hash: Option<String>) -> anyhow::Result<bool> {
        if password.len() > PASSWORD_BYTES_MAX {
            return Ok(false);
        }
        let _place = self.places.acquire().await?;
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.to_string());
        let right = tokio::task::spawn_blocking(move || verify(&password, &hash)).await?;
        Ok(right && known)
    }
}

fn hash(password: &str) -> anyhow::Result<String> {
    Ok(Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| anyhow::anyhow!("{error}"))?
        .to_string())
}

fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_one_alone_is_right() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(passwords.verify("correct horse".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("correct house".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("correct horse".into(), None).await.unwrap());
        assert!(!passwords.verify("x".repeat(1 << 20), Some(hash)).await.unwrap());
    }
}
