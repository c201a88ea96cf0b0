//! GF(2^8) with the polynomial `x^8 + x^4 + x^3 + x^2 + 1` (0x11d), in which 2 generates every other element.
//!
//! Everything here is small and runs at compile time or while a plan is made; the kernels do the bulk work.

/// What `x^8` is, once reduced.
const REDUCTION: u8 = 0x1d;

struct Tables {
    /// Twice the cycle, so that a sum of two logarithms needs no reduction.
    power: [u8; 512],
    logarithm: [u8; 256],
}

static TABLES: Tables = Tables::new();

impl Tables {
    const fn new() -> Self {
        let mut tables = Self { power: [0; 512], logarithm: [0; 256] };
        let mut value = 1;
        let mut exponent = 0;
        while exponent < 255 {
            tables.power[exponent] = value;
            tables.power[exponent + 255] = value;
            tables.logarithm[value as usize] = exponent as u8;
            value = double(value);
            exponent += 1;
        }
        tables
    }
}

/// `2 × value`.
pub(crate) const fn double(value: u8) -> u8 {
    // The high bit spread over a mask rather than multiplied: the portable kernel does this to whole vectors.
    (value << 1) ^ (REDUCTION & 0u8.wrapping_sub(value >> 7))
}

/// `a × b`.
pub(crate) const fn product(a: u8, b: u8) -> u8 {
    if a == 0 || b == 0 {
        return 0;
    }
    let exponent = TABLES.logarithm[a as usize] as usize + TABLES.logarithm[b as usize] as usize;
    TABLES.power[exponent]
}

/// `1 / value`, and 0 for 0, which has no inverse.
pub(crate) const fn inverse(value: u8) -> u8 {
    if value == 0 {
        return 0;
    }
    TABLES.power[255 - TABLES.logarithm[value as usize] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use reed_solomon_erasure::galois_8;

    #[test]
    fn every_product_is_the_oracles() {
        for a in 0..=255 {
            for b in 0..=255 {
                assert_eq!(product(a, b), galois_8::mul(a, b), "{a} × {b}");
            }
        }
    }

    #[test]
    fn every_element_but_zero_has_an_inverse() {
        for value in 1..=255 {
            assert_eq!(product(value, inverse(value)), 1, "{value}");
        }
        assert_eq!(inverse(0), 0);
    }
}
