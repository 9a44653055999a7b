//! How many hard pictures are read, by which reader, and how long it takes:
//! `cargo run --release -p countersign-phone-worker --example hard_images`.

#![allow(clippy::disallowed_methods)] // it measures real time

#[path = "../tests/it/picture.rs"]
mod picture;

use std::time::Instant;

use countersign_phone_worker::codes::{self, Effort};
use picture::Picture;

const TEXTS: [&str; 6] = [
    "otpauth://totp/A:b?secret=GEZDGNBVGY3TQOJQ",
    "otpauth://totp/Example:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example",
    "otpauth://totp/Example:alice@example.com?secret=MZXW6YTBOJRGC6RAMZXW6YTBOJRGC6RA&issuer=Example&algorithm=SHA1&digits=6&period=30",
    "otpauth://hotp/Bank%20of%20Examples:12345678?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Bank%20of%20Examples&counter=7",
    "otpauth://totp/B%C3%BCro:Zo%C3%AB?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA&issuer=B%C3%BCro&algorithm=SHA256",
    "otpauth://totp/A%20long%20name%20of%20a%20service:someone.with.a.long.name@mail.example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=A%20long%20name%20of%20a%20service&algorithm=SHA512&digits=8",
];

fn kinds() -> Vec<(&'static str, Vec<(String, Picture)>)> {
    fn levels(values: [f64; 5], of: impl Fn(f64) -> Picture) -> Vec<(String, Picture)> {
        values.into_iter().map(|value| (value.to_string(), of(value))).collect()
    }
    let good = Picture::default();
    let whole = |value: f64| (1..=9).rev().find(|n| f64::from(*n) <= value).unwrap_or(0);
    vec![
        ("rotated, degrees", levels([7.0, 30.0, 45.0, 60.0, 200.0], |angle| Picture { angle, ..good })),
        ("small, pixels a module", levels([3.0, 2.5, 2.0, 1.7, 1.4], |module| Picture { module, ..good })),
        ("blurred, pixels", levels([1.0, 2.0, 3.0, 4.0, 5.0], |b| Picture { blur: whole(b), ..good })),
        ("pale, contrast", levels([0.5, 0.3, 0.2, 0.12, 0.06], |contrast| Picture { contrast, ..good })),
        ("noisy, of 255", levels([30.0, 60.0, 90.0, 120.0, 160.0], |noise| Picture { noise, ..good })),
        ("skewed", levels([0.1, 0.2, 0.3, 0.4, 0.5], |skew| Picture { skew, angle: 12.0, ..good })),
        ("shadow", levels([0.3, 0.5, 0.7, 0.85, 0.95], |shadow| Picture { shadow, ..good })),
        (
            "inverted, rotated",
            levels([0.0, 20.0, 45.0, 70.0, 180.0], |angle| Picture { angle, inverted: true, ..good }),
        ),
        (
            "all at once",
            levels([0.2, 0.4, 0.6, 0.8, 1.0], |much| Picture {
                module: 4.5 - 1.5 * much,
                angle: 40.0 * much,
                skew: 0.25 * much,
                blur: 1,
                contrast: 1.0 - 0.6 * much,
                noise: 40.0 * much,
                shadow: 0.4 * much,
                ..good
            }),
        ),
    ]
}

fn main() {
    println!(
        "| kind | level | of | rxing | quircs | frame | still | ms frame (median) | ms still (median) |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let (mut sums, mut frames, mut stills) = ([0; 5], Vec::new(), Vec::new());
    for (kind, levels) in kinds() {
        for (level, picture) in levels {
            let mut read = [0; 5];
            let (mut of_frame, mut of_still) = (Vec::new(), Vec::new());
            for text in TEXTS {
                let image = picture.grey(text);
                let is_read = |texts: Vec<String>| usize::from(texts.iter().any(|read| read == text));
                let alone = |reader: &dyn Fn(&mut Vec<String>)| {
                    let mut texts = Vec::new();
                    reader(&mut texts);
                    is_read(texts)
                };
                read[0] += 1;
                read[1] += alone(&|texts| codes::rxing(&image, false, texts));
                read[2] += alone(&|texts| codes::quircs(&image, texts));
                let timed = |effort, times: &mut Vec<f64>| {
                    let start = Instant::now();
                    let texts = codes::decode(&image, effort);
                    times.push(start.elapsed().as_secs_f64() * 1000.0);
                    is_read(texts)
                };
                read[3] += timed(Effort::Frame, &mut of_frame);
                read[4] += timed(Effort::Still, &mut of_still);
            }
            let [of, rxing, quircs, frame, still] = read;
            let (frame_ms, still_ms) = (part(&mut of_frame, 50), part(&mut of_still, 50));
            println!(
                "| {kind} | {level} | {of} | {rxing} | {quircs} | {frame} | {still} | {frame_ms:.1} | {still_ms:.1} |"
            );
            sums.iter_mut().zip(read).for_each(|(sum, read)| *sum += read);
            frames.append(&mut of_frame);
            stills.append(&mut of_still);
        }
    }
    println!("all, rxing, quircs, frame, still: {sums:?}");
    for (name, times) in [("frame", &mut frames), ("still", &mut stills)] {
        println!("{name}: median {:.1} ms, p95 {:.1} ms", part(times, 50), part(times, 95));
    }
}

/// The time that so many of a hundred are not above.
fn part(times: &mut [f64], percent: usize) -> f64 {
    times.sort_by(f64::total_cmp);
    times[(times.len() - 1) * percent / 100]
}
