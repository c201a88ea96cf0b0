//! GF(2^8) with the polynomial `x^8 + x^4 + x^3 + x^2 + 1` (0x11d), in which 2 generates every other element.
//!
//! Everything here is small and runs at compile time or while a plan is made; the kernels do the bulk work.

/// What `x^8` is, once reduced.
pub(crate) const REDUCTION: u8 = 0x1d;

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
    (value << 1) ^ (REDUCTION * (value >> 7))
}

/// `a × b`.
pub(crate) fn product(a: u8, b: u8) -> u8 {
    if a == 0 || b == 0 {
        return 0;
    }
    let logarithm = |value: u8| usize::from(TABLES.logarithm[usize::from(value)]);
    TABLES.power[logarithm(a) + logarithm(b)]
}

/// `a × b` by shifting and adding: the definition, usable at compile time.
pub(crate) const fn product_by_definition(mut a: u8, mut b: u8) -> u8 {
    let mut sum = 0;
    while b != 0 {
        if b & 1 != 0 {
            sum ^= a;
        }
        a = double(a);
        b >>= 1;
    }
    sum
}

/// `1 / value`, and 0 for 0, which has no inverse.
pub(crate) const fn inverse(value: u8) -> u8 {
    // value^254, as value^255 is 1: the exponent's bits are 11111110.
    let mut square = value;
    let mut result = 1;
    let mut bit = 1;
    while bit < 8 {
        square = product_by_definition(square, square);
        result = product_by_definition(result, square);
        bit += 1;
    }
    result
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
                assert_eq!(product_by_definition(a, b), galois_8::mul(a, b), "{a} × {b}");
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
