//! Pure: the condition of a rule. It can be evaluated, and written in PromQL; both are the same arithmetic in the same order.

use crate::figures::{Figure, Row, Scope};
use std::fmt;

/// When a rule holds.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// Always: it proves that alerts arrive.
    Always,
    /// A comparison; the left side is the alert's value.
    Compare(Side, Than, Side),
    /// What only Prometheus can see, in PromQL.
    Prometheus(&'static str),
}

/// One side of a comparison.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    /// A number.
    Number(f64),
    /// A figure.
    Figure(Figure),
    /// So many times a figure.
    Times(f64, Figure),
    /// One figure's share of another.
    Share(Figure, Figure),
    /// Seconds since a moment.
    Since(Figure),
    /// Seconds until a moment.
    Until(Figure),
}

/// How two sides are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Than {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
}

impl Check {
    /// The value if it holds in `row` at `unix_seconds`. A figure that is not there makes no alert.
    pub fn holds(self, row: &Row, unix_seconds: f64) -> Option<f64> {
        match self {
            Self::Always => Some(1.0),
            Self::Prometheus(_) => None,
            Self::Compare(left, than, right) => {
                let (left, right) = (left.value(row, unix_seconds), right.value(row, unix_seconds));
                let holds = match than {
                    Than::Above => left > right,
                    Than::AtLeast => left >= right,
                    Than::Below => left < right,
                };
                holds.then_some(left)
            }
        }
    }

    /// Of what its figures are.
    pub fn scope(self) -> Scope {
        match self {
            Self::Always | Self::Prometheus(_) => Scope::Cluster,
            Self::Compare(left, _, right) => {
                left.figure().or(right.figure()).map_or(Scope::Cluster, Figure::scope)
            }
        }
    }
}

impl Side {
    fn value(self, row: &Row, unix_seconds: f64) -> f64 {
        match self {
            Self::Number(number) => number,
            Self::Figure(figure) => row.get(figure),
            Self::Times(factor, figure) => factor * row.get(figure),
            Self::Share(part, whole) => row.get(part) / row.get(whole),
            Self::Since(moment) => unix_seconds - row.get(moment),
            Self::Until(moment) => row.get(moment) - unix_seconds,
        }
    }

    /// A figure in it, if there is one.
    pub fn figure(self) -> Option<Figure> {
        match self {
            Self::Number(_) => None,
            Self::Figure(figure)
            | Self::Times(_, figure)
            | Self::Share(figure, _)
            | Self::Since(figure)
            | Self::Until(figure) => Some(figure),
        }
    }
}

impl fmt::Display for Check {
    /// PromQL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("vector(1)"),
            Self::Compare(left, than, right) => write!(f, "{left} {than} {right}"),
            Self::Prometheus(query) => f.write_str(query),
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |figure: &Figure| format!("asterism_{}", figure.name());
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Figure(figure) => f.write_str(&name(figure)),
            Self::Times(factor, figure) => write!(f, "{factor} * {}", name(figure)),
            Self::Share(part, whole) => write!(f, "{} / {}", name(part), name(whole)),
            Self::Since(moment) => write!(f, "time() - {}", name(moment)),
            Self::Until(moment) => write!(f, "{} - time()", name(moment)),
        }
    }
}

impl fmt::Display for Than {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Below => "<",
        })
    }
}
