//! The whole edge in one process: the real router over a real catalog and six storage nodes in memory.

mod access;
mod bed;

use bed::{Answer, TestBed};
