//! Codes of several shapes beside other codecs, on one thread, in slices that take turns.

use super::{
    beside::Beside,
    stripes::{COLD_BYTES, Stripes, Task},
};
use crate::{
    measure::{bytes_text, median},
    peer,
};
use anyhow::Context;
use asterism_erasure::Code;
use serde::Serialize;
use std::{path::Path, time::Duration};

const SLICE: Duration = Duration::from_millis(20);
/// Codecs that this machine may have, by the names of their programs.
const OTHERS: [&str; 2] = ["klauspost", "isal"];

/// Of one stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) data: usize,
    pub(crate) parity: usize,
    pub(crate) cell_bytes: usize,
}

const SHAPES: [Shape; 6] = [
    Shape { data: 4, parity: 2, cell_bytes: 64 << 10 },
    Shape { data: 8, parity: 4, cell_bytes: 64 << 10 },
    Shape { data: 8, parity: 4, cell_bytes: 1 << 20 },
    Shape { data: 10, parity: 4, cell_bytes: 64 << 10 },
    Shape { data: 10, parity: 4, cell_bytes: 1 << 20 },
    Shape { data: 16, parity: 4, cell_bytes: 64 << 10 },
];

/// Whether the same stripe is used again and again, or more than a cache holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Heat {
    Hot,
    Cold,
}

impl Heat {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Cold => "cold",
        }
    }
}

impl Shape {
    pub(super) fn stripes(&self, heat: Heat) -> usize {
        match heat {
            Heat::Hot => 1,
            Heat::Cold => Stripes::cold(self.data + self.parity, self.cell_bytes, COLD_BYTES),
        }
    }
}

/// What one codec did of one work; medians in GB of content per processor second.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Speed {
    pub(crate) codec: String,
    pub(crate) gigabytes_per_second: f64,
}

/// One work of one shape by all codecs, ours first.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ShapeRow {
    pub(crate) work: &'static str,
    pub(crate) data: usize,
    pub(crate) parity: usize,
    pub(crate) cell_bytes: usize,
    pub(crate) heat: Heat,
    pub(crate) speeds: Vec<Speed>,
}

pub(crate) const ENCODE: &str = "encode";
pub(crate) const RECONSTRUCT: &str = "reconstruct";
const WORKS: [(&str, Task); 2] = [(ENCODE, Task::Encode), (RECONSTRUCT, Task::Reconstruct)];

impl ShapeRow {
    pub(crate) fn name(&self) -> String {
        let Self { work, data, parity, cell_bytes, .. } = self;
        format!("{work} {data}+{parity}, {}", bytes_text(*cell_bytes as u64))
    }

    /// Of the codec whose name begins so; ours is `ours`.
    pub(crate) fn speed(&self, codec: &str) -> Option<f64> {
        let found = self.speeds.iter().find(|speed| speed.codec.starts_with(codec));
        found.map(|speed| speed.gigabytes_per_second)
    }
}

pub(crate) const OURS: &str = "ours";

/// Measures every shape in so many rounds.
pub(crate) fn measure(rounds: u32, without_others: bool) -> anyhow::Result<Vec<ShapeRow>> {
    let mut others = Vec::new();
    for name in OTHERS.into_iter().filter(|_| !without_others) {
        if let Some(program) = peer::program(None, name)? {
            others.push(start(&program)?);
        }
    }
    let mut rows = Vec::new();
    for shape in SHAPES {
        for heat in [Heat::Hot, Heat::Cold] {
            rows.extend(measure_shape(shape, heat, rounds, &mut others)?);
        }
    }
    Ok(rows)
}

fn start(program: &Path) -> anyhow::Result<Beside> {
    Beside::start(program).with_context(|| program.display().to_string())
}

fn measure_shape(
    shape: Shape,
    heat: Heat,
    rounds: u32,
    others: &mut [Beside],
) -> anyhow::Result<Vec<ShapeRow>> {
    let code = Code::new(shape.data, shape.parity)?;
    let mut ours = Stripes::new(code, shape.cell_bytes, shape.stripes(heat));
    let mut values = vec![vec![Vec::new(); 1 + others.len()]; WORKS.len()];
    // The first one warms up: memory is made, tables are.
    for round in 0..=rounds {
        for ((work, task), values) in WORKS.iter().zip(&mut values) {
            let mut slices = vec![ours.slice(*task, SLICE)?];
            for other in &mut *others {
                slices.push(other.slice(&shape, work, heat, SLICE)?);
            }
            for (values, (bytes, seconds)) in values.iter_mut().zip(slices).filter(|_| round > 0) {
                values.push(bytes as f64 / seconds / 1e9);
            }
        }
    }
    let names: Vec<String> =
        std::iter::once(OURS.to_owned()).chain(others.iter().map(|other| other.name.clone())).collect();
    let rows = WORKS.iter().zip(values).map(|((work, _), values)| {
        let medians = names.iter().zip(values);
        let speeds = medians.filter_map(|(name, values)| {
            Some(Speed { codec: name.clone(), gigabytes_per_second: median(values)? })
        });
        let Shape { data, parity, cell_bytes } = shape;
        ShapeRow { work, data, parity, cell_bytes, heat, speeds: speeds.collect() }
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_is_measured_hot_and_cold() {
        let rows = measure(1, true).unwrap();
        assert_eq!(rows.len(), SHAPES.len() * WORKS.len() * 2);
        assert!(rows.iter().all(|row| row.speed(OURS).is_some_and(|speed| speed > 0.0)), "{rows:?}");
        assert_eq!(rows[0].name(), "encode 4+2, 64 KiB");
    }
}
