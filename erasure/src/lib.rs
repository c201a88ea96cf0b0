//! The erasure code of Asterism: how an extent becomes cells, how lost cells come back, and how a cell
//! proves that it is the one that was asked for.
//!
//! The crate is pure: it takes slices and fills slices, knows no disk, network or clock, and allocates
//! nothing in proportion to the bytes.
//!
//! - [`Policy`]: `k` data + `m` parity shards.
//! - [`Code`]: systematic Cauchy Reed-Solomon over GF(2^8): encode, reconstruct, update in place.
//! - [`Layout`]: which bytes of an extent live in which stripe and cell.
//! - [`cell_checksum`]: a checksum bound to the place of a cell.
//!
//! ```
//! use asterism_erasure::Code;
//!
//! let code = Code::new(2, 1)?;
//! let (a, b, mut parity) = (*b"as", *b"te", [0; 2]);
//! code.encode(&[&a, &b], &mut [&mut parity])?;
//!
//! let mut rebuilt = [0; 2];
//! code.reconstruct(&[None, Some(&b), Some(&parity)], &mut [(0, &mut rebuilt)])?;
//! assert_eq!(rebuilt, a);
//! # Ok::<(), asterism_erasure::CodeError>(())
//! ```

mod cache;
mod checksum;
mod code;
mod field;
mod kernel;
mod layout;
mod matrix;
mod plan;
mod policy;
mod recovery;

pub use checksum::{CellIdentity, cell_checksum};
pub use code::{Code, CodeError};
pub use kernel::Kernel;
pub use layout::{CELL_BYTES_MAX, EXTENT_BYTES_MAX, Layout, LayoutError, cell_stride};
pub use policy::{Policy, PolicyError, SHARDS_MAX};
