//! Pictures of QR codes as a bad camera would take them, the same on every run.

#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)] // it draws, and clamps

use countersign_phone_worker::image::Grey;
use qrcode::{Color, QrCode};

/// What is wrong with a picture; [`Picture::default`] has nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Picture {
    /// Pixels on each side.
    pub(crate) side: u32,
    /// Pixels of a module.
    pub(crate) module: f64,
    /// Degrees, clockwise.
    pub(crate) angle: f64,
    /// How much farther one side is: 0 is none.
    pub(crate) skew: f64,
    /// How far each pixel is smeared, in pixels.
    pub(crate) blur: u32,
    /// Between dark and light: 1 is all.
    pub(crate) contrast: f64,
    /// The most that a pixel is off.
    pub(crate) noise: f64,
    /// How much darker one corner is: 0 is none.
    pub(crate) shadow: f64,
    /// Light on dark.
    pub(crate) inverted: bool,
}

impl Default for Picture {
    fn default() -> Self {
        Self {
            side: 480,
            module: 5.0,
            angle: 0.0,
            skew: 0.0,
            blur: 0,
            contrast: 1.0,
            noise: 0.0,
            shadow: 0.0,
            inverted: false,
        }
    }
}

impl Picture {
    /// Red, green, blue and opacity.
    pub(crate) fn rgba(&self, text: &str) -> Vec<u8> {
        let code = QrCode::new(text).expect("short enough for a code");
        let (size, colors) = (code.width() as f64, code.to_colors());
        let is_dark = |u: f64, v: f64| {
            let inside = (0.0..size).contains(&u) && (0.0..size).contains(&v);
            inside && colors[v as usize * code.width() + u as usize] == Color::Dark
        };
        let side = self.side as usize;
        let (sin, cos) = self.angle.to_radians().sin_cos();
        let middle = f64::from(self.side) / 2.0;
        let mut light = vec![0.0; side * side];
        for (at, light) in light.iter_mut().enumerate() {
            // Sixteen rays a pixel.
            for ray in 0..16 {
                let x = (at % side) as f64 + f64::from(ray % 4) / 4.0 + 0.125 - middle;
                let y = (at / side) as f64 + f64::from(ray / 4) / 4.0 + 0.125 - middle;
                let depth = 1.0 + self.skew * x / middle;
                let (x, y) = (x * depth / self.module, y * depth / self.module);
                let (u, v) = (cos * x + sin * y + size / 2.0, cos * y - sin * x + size / 2.0);
                *light += if is_dark(u, v) == self.inverted { 1.0 / 16.0 } else { 0.0 };
            }
        }
        for _ in 0..2 {
            light = blurred(&light, side, self.blur as usize);
        }
        let mut state = 1_u32;
        let mut rgba = Vec::with_capacity(side * side * 4);
        for (at, light) in light.iter().enumerate() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (f64::from(state >> 8) / f64::from(1 << 23) - 1.0) * self.noise;
            let corner = (at % side + at / side) as f64 / (2 * side) as f64;
            let value = (128.0 + (light - 0.5) * 240.0 * self.contrast) * (1.0 - self.shadow * corner);
            let value = (value + noise).clamp(0.0, 255.0) as u8;
            rgba.extend([value, value, value, 255]);
        }
        rgba
    }

    /// The same in grey.
    pub(crate) fn grey(&self, text: &str) -> Grey {
        Grey::from_rgba(&self.rgba(text), self.side, self.side).expect("as many bytes as pixels")
    }
}

fn blurred(light: &[f64], side: usize, radius: usize) -> Vec<f64> {
    let mean = |values: &dyn Fn(usize) -> f64, at: usize| {
        let range = at.saturating_sub(radius)..(at + radius + 1).min(side);
        let count = range.len() as f64;
        range.map(values).sum::<f64>() / count
    };
    let across: Vec<f64> =
        (0..side * side).map(|at| mean(&|x| light[at / side * side + x], at % side)).collect();
    (0..side * side).map(|at| mean(&|y| across[y * side + at % side], at / side)).collect()
}
