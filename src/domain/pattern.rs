//! Whether bytes that should be random are not.

/// 32 random bytes have 30 different values; fewer than this, once in 10^12.
const FEW: usize = 16;

/// Whether bytes repeat, count up or down, or have few different values. Never so of random ones; of printable texts, which
/// have fewer letters than there are bytes, only repetition and sequences count.
pub fn is_regular(bytes: &[u8]) -> bool {
    if bytes.len() < FEW {
        return false;
    }
    let mut seen = [false; 256];
    for byte in bytes {
        if let Some(seen) = seen.get_mut(usize::from(*byte)) {
            *seen = true;
        }
    }
    let different = seen.iter().filter(|seen| **seen).count();
    let few = !bytes.iter().all(u8::is_ascii_graphic) && different < FEW.min(bytes.len());
    let repeated = (1..=bytes.len() / 2).any(|period| {
        bytes
            .iter()
            .zip(bytes.iter().skip(period))
            .all(|(one, other)| one == other)
    });
    let steps = || {
        bytes
            .iter()
            .zip(bytes.iter().skip(1))
            .map(|(one, next)| next.wrapping_sub(*one))
    };
    let sequence = steps()
        .next()
        .is_some_and(|first| steps().filter(|step| *step == first).count() * 4 >= bytes.len() * 3);
    few || repeated || sequence
}

#[cfg(test)]
mod tests {
    use super::is_regular;

    #[test]
    fn what_somebody_typed_to_get_over_a_length_is_regular() {
        let up: Vec<u8> = (0..32).collect();
        let mut almost = up.clone();
        almost[7] = 99;
        for bytes in [
            &[0; 32][..],
            &up,
            &almost,
            &[1, 2].repeat(16),
            &b"0123456789abcdef".repeat(2),
        ] {
            assert!(is_regular(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn what_a_generator_gave_is_not() {
        let bytes = b"\x8f\x1c\x02\xa4\x77\xd9\x5e\x30\xb2\x6b\xee\x41\x09\xcd\x93\x58\
                      \x21\xf6\x0a\x8d\x64\xbf\x17\xe0\x3c\x99\x52\xc8\x70\x2d\xab\x15";
        assert!(!is_regular(bytes));
        assert!(!is_regular(b"nobody will ever guess this secret"));
    }
}
