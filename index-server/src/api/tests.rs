//! The whole edge in one process: the real router over a real catalog and six storage nodes in memory.

mod access;
mod bed;
mod cluster;
mod download;
mod events;
mod isolation;
mod json;
mod leaving;
mod pages;
mod paths;
mod sessions;
mod tags;
mod tree;
mod upload;
mod upload_faults;
mod wire;

use bed::{Answer, Ask, TestBed, encoded};
