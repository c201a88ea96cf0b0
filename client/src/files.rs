//! Files and folders.

use crate::{
    error::Error,
    http::{Client, decode, on_path, with_query},
    types::{Entry, Page, Trashed},
};
use futures::{StreamExt, TryStreamExt};
use reqwest::{Body, Method, header};
use serde_json::{Value, json};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{
    fs::File,
    io::{AsyncWrite, AsyncWriteExt},
};
use tokio_util::io::ReaderStream;

const CONTENT: [&str; 3] = ["api", "v1", "content"];
const FILES: [&str; 3] = ["api", "v1", "files"];
const FOLDERS: [&str; 3] = ["api", "v1", "folders"];
const READ_BYTES: usize = 256 << 10;

/// Told how many more bytes have travelled.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

impl Client {
    /// Stores a local file at `path`, replacing what is there.
    ///
    /// # Errors
    /// The file cannot be read, or the server refuses; nothing is stored then.
    pub async fn put_file(
        &self,
        local: &Path,
        path: &str,
        key: &str,
        progress: Progress,
    ) -> Result<Entry, Error> {
        let local_error = |source| Error::Local { path: local.display().to_string(), source };
        let file = File::open(local).await.map_err(local_error)?;
        let bytes = file.metadata().await.map_err(local_error)?.len();
        let stream = ReaderStream::with_capacity(file, READ_BYTES)
            .inspect_ok(move |chunk| progress(chunk.len() as u64));
        let request = self
            .request(Method::PUT, &on_path(&CONTENT, path))
            .header(header::CONTENT_LENGTH, bytes)
            .header("idempotency-key", key)
            .body(Body::wrap_stream(stream));
        decode(self.send(request).await?).await
    }

    /// Stores `content` at `path`, replacing what is there.
    ///
    /// # Errors
    /// The server refuses; nothing is stored then.
    pub async fn put_bytes(&self, content: Vec<u8>, path: &str) -> Result<Entry, Error> {
        decode(self.send(self.request(Method::PUT, &on_path(&CONTENT, path)).body(content)).await?).await
    }

    /// Writes the content of `path` to `sink`; answers its BLAKE3 as the server has it and the bytes received.
    ///
    /// # Errors
    /// The server refuses, or the connection breaks: what is in `sink` then is not the file.
    pub async fn get_to(
        &self,
        path: &str,
        sink: &mut (dyn AsyncWrite + Send + Unpin),
        started: impl FnOnce(Option<u64>),
        progress: &Progress,
    ) -> Result<u64, Error> {
        let response = self.send(self.request(Method::GET, &on_path(&CONTENT, path))).await?;
        let announced = response.content_length();
        started(announced);
        let mut stream = response.bytes_stream();
        let mut received = 0;
        let sink_error = |source| Error::Local { path: "output".into(), source };
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|_| Error::Damaged { path: path.to_owned() })?;
            sink.write_all(&chunk).await.map_err(sink_error)?;
            received += chunk.len() as u64;
            progress(chunk.len() as u64);
        }
        sink.flush().await.map_err(sink_error)?;
        if announced.is_some_and(|announced| announced != received) {
            return Err(Error::Damaged { path: path.to_owned() });
        }
        Ok(received)
    }

    /// Fetches `path` into a local file, which appears only when it is complete.
    ///
    /// # Errors
    /// The server refuses, the connection breaks, or the file cannot be written; no file is left then.
    pub async fn get_file(
        &self,
        path: &str,
        local: &Path,
        started: impl FnOnce(Option<u64>),
        progress: &Progress,
    ) -> Result<u64, Error> {
        let local_error = |source: io::Error| Error::Local { path: local.display().to_string(), source };
        let part = PathBuf::from(format!("{}.part", local.display()));
        let mut file = File::create(&part).await.map_err(local_error)?;
        let fetched = self.get_to(path, &mut file, started, progress).await;
        if fetched.is_ok() {
            tokio::fs::rename(&part, local).await.map_err(local_error)?;
        } else {
            tokio::fs::remove_file(&part).await.map_err(local_error)?;
        }
        fetched
    }

    /// What is at `path`.
    ///
    /// # Errors
    /// Nothing is, or the server is not reached.
    pub async fn stat(&self, path: &str) -> Result<Entry, Error> {
        self.get(&on_path(&FILES, path), &[]).await
    }

    /// A page of a folder.
    ///
    /// # Errors
    /// There is no such folder, or the server is not reached.
    pub async fn list(&self, path: &str, cursor: Option<&str>) -> Result<Page<Entry>, Error> {
        let query: Vec<(&str, &str)> = cursor.map(|cursor| ("cursor", cursor)).into_iter().collect();
        let mut segments = on_path(&FOLDERS, path);
        if segments.len() == FOLDERS.len() {
            segments.push("");
        }
        self.get(&segments, &query).await
    }

    /// Makes a folder and those above it.
    ///
    /// # Errors
    /// A file is in the way, or the server is not reached.
    pub async fn mkdir(&self, path: &str) -> Result<Entry, Error> {
        self.post(&on_path(&FOLDERS, path), &Value::Null).await
    }

    /// Moves or renames.
    ///
    /// # Errors
    /// `from` is not there, `to` is taken, or the server is not reached.
    pub async fn move_entry(&self, from: &str, to: &str) -> Result<Entry, Error> {
        self.post(&["api", "v1", "files:move"], &json!({ "from": from, "to": to })).await
    }

    /// Puts a file or folder into the trash.
    ///
    /// # Errors
    /// It is not there, or the server is not reached.
    pub async fn remove(&self, path: &str) -> Result<(), Error> {
        self.send(self.request(Method::DELETE, &on_path(&FILES, path))).await.map(drop)
    }

    /// Brings back what was deleted from `path` last.
    ///
    /// # Errors
    /// The trash has nothing from there, the place is taken, or the server is not reached.
    pub async fn restore(&self, path: &str) -> Result<Entry, Error> {
        self.post(&["api", "v1", "files:restore"], &json!({ "path": path })).await
    }

    /// A page of the trash, newest first.
    ///
    /// # Errors
    /// The server is not reached.
    pub async fn trash(&self, cursor: Option<&str>) -> Result<Page<Trashed>, Error> {
        let query: Vec<(&str, &str)> = cursor.map(|cursor| ("cursor", cursor)).into_iter().collect();
        self.get(&["api", "v1", "trash"], &query).await
    }

    /// A page of what a query finds.
    ///
    /// # Errors
    /// The query does not parse, or the server is not reached.
    pub async fn search(&self, query: &str, cursor: Option<&str>) -> Result<Page<Entry>, Error> {
        let mut parameters = vec![("q", query)];
        parameters.extend(cursor.map(|cursor| ("cursor", cursor)));
        let request = with_query(self.request(Method::GET, &["api", "v1", "search"]), &parameters);
        decode(self.send(request).await?).await
    }
}
