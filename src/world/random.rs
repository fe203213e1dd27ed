//! Random numbers: from the kernel, or from a seed where a test must be able to
//! repeat itself.

use std::sync::Mutex;
use std::sync::PoisonError;

/// Where random numbers come from.
pub trait Random: Send + Sync {
    /// 64 random bits.
    fn u64(&self) -> u64;

    /// 128 random bits: an id that nobody else has.
    fn bytes16(&self) -> [u8; 16] {
        (u128::from(self.u64()) << 64 | u128::from(self.u64())).to_le_bytes()
    }

    /// 32 random bits.
    fn u32(&self) -> u32 {
        (self.u64() >> 32) as u32
    }

    /// A number from 0 up to and without 1, for waiting times.
    fn jitter(&self) -> f64 {
        // 53 bits are what a double holds exactly.
        (self.u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The kernel's random numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn u64(&self) -> u64 {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).expect("every kernel that runs this gives random bytes");
        u64::from_le_bytes(bytes)
    }
}

/// The same numbers for the same seed (SplitMix64). For tests.
#[derive(Debug)]
pub struct SeededRandom(Mutex<u64>);

impl SeededRandom {
    /// Numbers that follow from this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Random for SeededRandom {
    fn u64(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_the_kernel_does_not() {
        let (a, b) = (SeededRandom::new(0), SeededRandom::new(0));
        // The reference's first number for seed 0.
        assert_eq!(a.u64(), 0xE220_A839_7B1D_CDAF);
        assert_eq!(b.u64(), 0xE220_A839_7B1D_CDAF);
        assert_eq!(a.bytes16(), b.bytes16());
        assert_ne!(SystemRandom.bytes16(), SystemRandom.bytes16());
    }

    #[test]
    fn jitter_stays_below_one() {
        let random = SeededRandom::new(7);
        let all: Vec<f64> = (0..10_000).map(|_| random.jitter()).collect();
        assert!(all.iter().all(|x| (0.0..1.0).contains(x)));
        assert!(all.iter().any(|x| *x < 0.01) && all.iter().any(|x| *x > 0.99));
    }
}
