//! Content on its way in and out: from a stream of bytes to extents on nodes, and back.

mod download;
mod extents;
mod fresh;
mod media_type;
mod running;
#[cfg(test)]
mod tests;
mod upload;

pub use download::{Download, DownloadError};
pub use extents::{Extents, stripes};
pub use fresh::Fresh;
pub use running::{Running, Ticket};
pub use upload::{Stored, UploadError};
