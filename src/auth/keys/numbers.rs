//! What the signature library does not look at: the numbers inside a public key.

/// 2^255 - 19, big endian.
const ED25519_PRIME: [u8; 32] = {
    let mut p = [0xFF; 32];
    p[0] = 0x7F;
    p[31] = 0xED;
    p
};

/// The y of the points of small order, big endian: 0, 1, p - 1 and the two of order 8. Under such a
/// key one forged signature fits every message.
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    {
        let mut one = [0; 32];
        one[31] = 1;
        one
    },
    {
        let mut minus_one = ED25519_PRIME;
        minus_one[31] = 0xEC;
        minus_one
    },
    [
        0x05, 0xFC, 0x53, 0x6D, 0x88, 0x02, 0x38, 0xB1, 0x39, 0x33, 0xC6, 0xD3, 0x05, 0xAC, 0xDF,
        0xD5, 0xF0, 0x98, 0xEF, 0xF2, 0x89, 0xF4, 0xC3, 0x45, 0xB0, 0x27, 0xB2, 0xC2, 0x8F, 0x95,
        0xE8, 0x26,
    ],
    [
        0x7A, 0x03, 0xAC, 0x92, 0x77, 0xFD, 0xC7, 0x4E, 0xC6, 0xCC, 0x39, 0x2C, 0xFA, 0x53, 0x20,
        0x2A, 0x0F, 0x67, 0x10, 0x0D, 0x76, 0x0B, 0x3C, 0xBA, 0x4F, 0xD8, 0x4D, 0x3D, 0x70, 0x6A,
        0x17, 0xC7,
    ],
];

/// A compressed point (RFC 8032, 5.1.2) whose y is below p and which has not small order.
pub(super) fn is_sound_ed25519(x: &[u8]) -> bool {
    let Ok(mut y) = <[u8; 32]>::try_from(x) else {
        return false;
    };
    y.reverse();
    let [top, ..] = &mut y;
    *top &= 0x7F;
    y < ED25519_PRIME && !SMALL_ORDER.contains(&y)
}

/// 2048 to 8192 bits, odd, no leading zero, and not from the generator of CVE-2017-15361 (ROCA).
pub(super) fn is_sound_modulus(n: &[u8]) -> bool {
    let bits = match n.first() {
        Some(top) if *top != 0 => n.len() * 8 - top.leading_zeros() as usize,
        _ => return false,
    };
    (2048..=8192).contains(&bits) && n.last().is_some_and(|low| low % 2 == 1) && !is_roca(n)
}

/// Odd, from 65537 up to 32 bits, no leading zero.
pub(super) fn is_sound_exponent(e: &[u8]) -> bool {
    let leads_with_zero = e.first().is_none_or(|top| *top == 0);
    if leads_with_zero || e.len() > 4 {
        return false;
    }
    let value = e
        .iter()
        .fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte));
    value >= 65_537 && value % 2 == 1
}

/// The weak generator made primes k * M + 65537^a mod M, with M a product of small primes, so that
/// the modulus is a power of 65537 modulo each of them. By chance that is one key in 2^27.
fn is_roca(n: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
        97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.iter().all(|prime| {
        let rest = n
            .iter()
            .fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let mut power = 1;
        (0..*prime).any(|_| {
            power = power * (65_537 % prime) % prime;
            power == rest
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_below_65537_even_or_huge_are_refused() {
        for e in [
            &[][..],
            &[1],
            &[3],
            &[0, 1, 0, 1],
            &[1, 0, 0],
            &[1, 0, 2],
            &[1, 0, 0, 0, 1],
        ] {
            assert!(!is_sound_exponent(e), "{e:?}");
        }
        assert!(is_sound_exponent(&[1, 0, 1]));
    }

    #[test]
    fn moduli_of_the_wrong_size_or_even_are_refused() {
        let mut n = vec![0xA5; 256];
        assert!(is_sound_modulus(&n));
        n[0] = 0x7F;
        assert!(!is_sound_modulus(&n), "2047 bits");
        n[0] = 0;
        assert!(!is_sound_modulus(&n));
        n[0] = 0xA5;
        n[255] = 0xA4;
        assert!(!is_sound_modulus(&n), "even");
        assert!(!is_sound_modulus(&[]));
        assert!(!is_sound_modulus(&vec![0xA5; 1025]));
    }

    #[test]
    fn powers_of_65537_look_like_the_weak_generator() {
        // 65537^200, big endian: a power of 65537 modulo every prime, as ROCA moduli are.
        let mut power = vec![1_u32];
        for _ in 0..200 {
            let mut carry = 0_u64;
            for digit in &mut power {
                let product = u64::from(*digit) * 65_537 + carry;
                *digit = u32::try_from(product & 0xFFFF_FFFF).unwrap();
                carry = product >> 32;
            }
            if carry > 0 {
                power.push(u32::try_from(carry).unwrap());
            }
        }
        let bytes: Vec<u8> = power
            .iter()
            .rev()
            .flat_map(|digit| digit.to_be_bytes())
            .collect();
        let modulus: Vec<u8> = bytes
            .iter()
            .copied()
            .skip_while(|byte| *byte == 0)
            .collect();
        assert!(is_roca(&modulus));
        assert!(!is_sound_modulus(&modulus));
        assert!(!is_roca(&[0xA5; 256]));
    }

    #[test]
    fn small_order_and_non_canonical_points_are_refused() {
        let mut refused: Vec<[u8; 32]> = SMALL_ORDER.to_vec();
        // p, p + 1 .. 2^255 - 1: the non-canonical spellings of 0 .. 18.
        for low in 0xED..=0xFF {
            let mut y = ED25519_PRIME;
            y[31] = low;
            refused.push(y);
        }
        for mut point in refused {
            point.reverse();
            assert!(!is_sound_ed25519(&point), "{point:?}");
            point[31] |= 0x80;
            assert!(!is_sound_ed25519(&point), "{point:?}");
        }
        assert!(!is_sound_ed25519(&[9; 31]));
        assert!(is_sound_ed25519(&[9; 32]));
    }
}
