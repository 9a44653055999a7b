//! Finding and reading QR codes.
//!
//! Two readers look at an image, one after the other: each finds some that the other does not. What either finds is
//! decoded by quircs: rxing's decoder brings tables of all the world's encodings, a hundred kilobytes for texts that are no URI,
//! and its front asks the clock for the time, and there is none in WebAssembly.

use quircs::{Code, Quirc};
use rxing::common::BitMatrix;
use rxing::common::HybridBinarizer;
use rxing::qrcode::cpp_port::detector::{FindFinderPatterns, GenerateFinderPatternSets, SampleQR};
use rxing::{Binarizer as _, Luma8Source};

use crate::image::Grey;

/// How long to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// A frame of a camera, with another to come: one code is enough, and soon.
    Frame,
    /// A picture that somebody chose: every code in it, and again in other ways if there is none.
    Still,
}

/// One way to look, and where its texts go.
type Way<'a> = &'a dyn Fn(&mut Vec<String>);

/// Smaller than any code.
const LEAST_SIDE: usize = 21;
/// How many groups of three corners are tried; noise has many.
const MOST_GROUPS: usize = 60;
/// A still is looked at in parts of its own only where it has more pixels on its shorter side.
const PARTS_FROM: usize = 600;
/// A still that is at most so wide or high is looked at in twice its size too.
const DOUBLED_UP_TO: usize = 800;
/// The longest side at which a still is looked at first.
const FIRST_SIDE: usize = 1600;

/// The texts, each once; none where no code is found.
pub fn decode(image: &Grey, effort: Effort) -> Vec<String> {
    let mut texts = Vec::new();
    match effort {
        Effort::Frame => frame(image, &mut texts),
        Effort::Still => still(image, &mut texts),
    }
    texts
}

fn frame(image: &Grey, texts: &mut Vec<String>) {
    let large = image.width().min(image.height()) >= PARTS_FROM;
    let ways: [Way<'_>; 4] = [
        &|texts| rxing(image, false, texts),
        &|texts| quircs(image, texts),
        &|texts| rxing(&image.reduced(2), false, texts),
        &|texts| {
            if !large {
                rxing(&image.smoothed(), false, texts);
            }
        },
    ];
    first(&ways, texts);
}

fn still(image: &Grey, texts: &mut Vec<String>) {
    let factor = image.width().max(image.height()).div_ceil(FIRST_SIDE);
    let image = &if factor > 1 { image.reduced(factor) } else { image.clone() };
    for image in [image, &image.inverted()] {
        rxing(image, true, texts);
        quircs(image, texts);
    }
    let (width, height) = (image.width(), image.height());
    let small = width.max(height) <= DOUBLED_UP_TO;
    let both = |image: &Grey, texts: &mut Vec<String>| {
        rxing(image, true, texts);
        if texts.is_empty() {
            quircs(image, texts);
        }
    };
    let parts = |texts: &mut Vec<String>| {
        if width.min(height) < PARTS_FROM {
            return;
        }
        // Nine halves that overlap: what is no corner in one may be one in another.
        for part in 0..9 {
            let (left, top) = (width / 4 * (part % 3), height / 4 * (part / 3));
            both(&image.cropped(left, top, width / 2, height / 2), texts);
        }
    };
    let ways: [Way<'_>; 7] = [
        &|texts| both(&image.reduced(2), texts),
        &|texts| both(&image.smoothed(), texts),
        &|texts| {
            if small {
                both(&image.doubled(), texts);
            }
        },
        &|texts| {
            if small {
                both(&image.doubled().smoothed(), texts);
            }
        },
        &|texts| both(&image.smoothed().smoothed(), texts),
        &|texts| both(&image.reduced(3), texts),
        &parts,
    ];
    first(&ways, texts);
}

/// Goes one way after the other until there is a text.
fn first(ways: &[Way<'_>], texts: &mut Vec<String>) {
    for way in ways {
        if !texts.is_empty() {
            return;
        }
        way(texts);
    }
}

fn add(text: String, texts: &mut Vec<String>) {
    if !text.is_empty() && !texts.contains(&text) {
        texts.push(text);
    }
}

/// The first reader. Unless it looks harder, which takes long enough, it looks for a light code on dark as well.
pub fn rxing(image: &Grey, harder: bool, texts: &mut Vec<String>) {
    let (width, height) = (image.width(), image.height());
    if width.min(height) < LEAST_SIDE {
        return;
    }
    let (Ok(columns), Ok(rows)) = (u32::try_from(width), u32::try_from(height)) else { return };
    let Ok(source) = Luma8Source::new_with_slice(image.pixels(), columns, rows) else { return };
    let binarizer = HybridBinarizer::new(source);
    let Ok(bits) = binarizer.get_black_matrix() else { return };
    let mut bits = bits.clone();
    for is_flipped in [false, true] {
        if is_flipped {
            if harder || !texts.is_empty() {
                return;
            }
            bits.flip_self();
        }
        let mut corners = FindFinderPatterns(&bits, harder, 0);
        for group in GenerateFinderPatternSets(&mut corners).iter().take(MOST_GROUPS) {
            let Ok(sampled) = SampleQR(&bits, group) else { continue };
            let modules = rxing::common::DetectorRXingResult::getBits(&sampled);
            if let Some(text) = code_of(modules).and_then(|code| text_of(&code)) {
                add(text, texts);
            }
        }
    }
}

/// The modules as quircs has them.
fn code_of(modules: &BitMatrix) -> Option<Code> {
    let size = modules.width();
    let mut code = Code { size: i32::try_from(size).ok()?, ..Code::default() };
    let is_qr = modules.height() == size && (21..=177).contains(&size) && size % 4 == 1;
    if !is_qr {
        return None;
    }
    let places = (0..size).flat_map(|y| (0..size).map(move |x| (x, y)));
    for (at, (x, y)) in places.enumerate() {
        code.cell_bitmap[at / 8] |= u8::from(modules.get(x, y)) << (at % 8);
    }
    Some(code)
}

fn text_of(code: &Code) -> Option<String> {
    String::from_utf8(code.decode().ok()?.payload).ok()
}

/// The second reader.
pub fn quircs(image: &Grey, texts: &mut Vec<String>) {
    if image.width().min(image.height()) < LEAST_SIDE {
        return;
    }
    let mut reader = Quirc::default();
    for code in reader.identify(image.width(), image.height(), image.pixels()) {
        if let Some(text) = code.ok().and_then(|code| text_of(&code)) {
            add(text, texts);
        }
    }
}
