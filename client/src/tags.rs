//! Tags.

use crate::{
    error::Error,
    http::{Client, on_path},
    types::{Page, Similar, TagCount, Tagging},
};
use reqwest::Method;

const FILES: [&str; 3] = ["api", "v1", "files"];

impl Client {
    /// The tags of a file, with why.
    ///
    /// # Errors
    /// There is no such file, or the server is not reached.
    pub async fn tags(&self, path: &str) -> Result<Vec<Tagging>, Error> {
        let mut segments = on_path(&FILES, path);
        segments.push("tags");
        Ok(self.get::<Page<Tagging>, _>(&segments, &[]).await?.items)
    }

    /// Gives a file a tag by a person's hand.
    ///
    /// # Errors
    /// There is no such file, the tag cannot be, or the server is not reached.
    pub async fn add_tag(&self, path: &str, tag: &str) -> Result<(), Error> {
        self.send(self.request(Method::PUT, &on_tag(path, tag))).await.map(drop)
    }

    /// Takes a tag from a file: a person's own goes, an automatic one is rejected for good.
    ///
    /// # Errors
    /// The file does not carry it, or the server is not reached.
    pub async fn remove_tag(&self, path: &str, tag: &str) -> Result<(), Error> {
        self.send(self.request(Method::DELETE, &on_tag(path, tag))).await.map(drop)
    }

    /// Tags that often stand beside `tag`.
    ///
    /// # Errors
    /// The server or its tag graph is not reached.
    pub async fn related(&self, tag: &str) -> Result<Vec<TagCount>, Error> {
        Ok(self.get::<Page<TagCount>, _>(&["api", "v1", "tags", tag, "related"], &[]).await?.items)
    }

    /// Files that share tags with `path`.
    ///
    /// # Errors
    /// There is no such file, or the server or its tag graph is not reached.
    pub async fn similar(&self, path: &str) -> Result<Vec<Similar>, Error> {
        let mut segments = on_path(&FILES, path);
        segments.push("similar");
        Ok(self.get::<Page<Similar>, _>(&segments, &[]).await?.items)
    }
}

fn on_tag<'a>(path: &'a str, tag: &'a str) -> Vec<&'a str> {
    let mut segments = on_path(&FILES, path);
    segments.extend(["tags", tag]);
    segments
}
