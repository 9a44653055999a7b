//! Random bytes, which only the caller can draw.

use core::fmt;

use zeroize::Zeroizing;

/// So many bytes from a generator fit for keys. It cannot be copied, so one draw serves one purpose.
pub struct Random<const N: usize>(Zeroizing<[u8; N]>);

impl<const N: usize> Random<N> {
    /// Takes bytes that were drawn for this one call and are used nowhere else.
    pub fn new(bytes: [u8; N]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The `LENGTH` bytes from `start` on. Both are constants of this crate, and fit.
    pub(super) fn part<const LENGTH: usize>(&self, start: usize) -> [u8; LENGTH] {
        let mut part = [0; LENGTH];
        part.copy_from_slice(&self.0[start..start + LENGTH]);
        part
    }
}

impl<const N: usize> fmt::Debug for Random<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random(…)")
    }
}
