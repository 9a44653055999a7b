//! Grey images, and the few changes to them that help a reader.

/// The most pixels of an image.
pub const MAX_PIXELS: usize = 16 * 1024 * 1024;

/// Brightness, one byte a pixel, row by row. As many bytes as width times height.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grey {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Grey {
    /// Of red, green, blue and opacity, one byte each, on white. `None` where the bytes are not as many as the size says, or
    /// the size is nothing or too much.
    pub fn from_rgba(rgba: &[u8], width: u32, height: u32) -> Option<Self> {
        let (width, height) = (usize::try_from(width).ok()?, usize::try_from(height).ok()?);
        let count = width.checked_mul(height).filter(|count| (1..=MAX_PIXELS).contains(count))?;
        if rgba.len() != count * 4 {
            return None;
        }
        let grey = |pixel: &[u8]| {
            let [red, green, blue, opacity] = [0, 1, 2, 3].map(|part| u32::from(pixel[part]));
            // Weights of ITU-R BT.601, of 256.
            let light = (77 * red + 150 * green + 29 * blue) >> 8;
            ((light * opacity + 255 * (255 - opacity)) / 255).to_le_bytes()[0]
        };
        Some(Self { width, height, pixels: rgba.chunks_exact(4).map(grey).collect() })
    }

    /// Pixels of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Row by row.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    fn row(&self, y: usize) -> &[u8] {
        &self.pixels[y * self.width..(y + 1) * self.width]
    }

    fn by(width: usize, height: usize, pixel: impl Fn(usize, usize) -> u8) -> Self {
        let pixel = &pixel;
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| pixel(x, y))).collect();
        Self { width, height, pixels }
    }

    /// Light for dark.
    #[must_use]
    pub fn inverted(&self) -> Self {
        let pixels = self.pixels.iter().map(|pixel| 255 - pixel).collect();
        Self { pixels, ..*self }
    }

    /// One pixel for `factor` times `factor`, their mean.
    #[must_use]
    pub fn reduced(&self, factor: usize) -> Self {
        let area = factor * factor;
        Self::by(self.width / factor, self.height / factor, |x, y| {
            let rows = (y * factor..(y + 1) * factor).map(|row| &self.row(row)[x * factor..(x + 1) * factor]);
            let sum: usize = rows.flatten().map(|pixel| usize::from(*pixel)).sum();
            (sum / area).to_le_bytes()[0]
        })
    }

    /// Twice as wide and high, with the means of neighbours between them.
    #[must_use]
    pub fn doubled(&self) -> Self {
        Self::by(self.width * 2, self.height * 2, |x, y| {
            let (left, top) = (x / 2, y / 2);
            let right = (left + x % 2).min(self.width - 1);
            let bottom = (top + y % 2).min(self.height - 1);
            let corners = [(left, top), (right, top), (left, bottom), (right, bottom)];
            let sum: u32 = corners.iter().map(|(x, y)| u32::from(self.row(*y)[*x])).sum();
            (sum / 4).to_le_bytes()[0]
        })
    }

    /// Every pixel the mean of the nine around it: against noise.
    #[must_use]
    pub fn smoothed(&self) -> Self {
        Self::by(self.width, self.height, |x, y| {
            let (mut sum, mut count) = (0_usize, 0);
            for row in y.saturating_sub(1)..(y + 2).min(self.height) {
                for pixel in &self.row(row)[x.saturating_sub(1)..(x + 2).min(self.width)] {
                    sum += usize::from(*pixel);
                    count += 1;
                }
            }
            (sum / count).to_le_bytes()[0]
        })
    }

    /// A part; as much of it as there is.
    #[must_use]
    pub fn cropped(&self, left: usize, top: usize, width: usize, height: usize) -> Self {
        let (left, top) = (left.min(self.width), top.min(self.height));
        let (width, height) = (width.min(self.width - left), height.min(self.height - top));
        Self::by(width, height, |x, y| self.row(top + y)[left + x])
    }
}
