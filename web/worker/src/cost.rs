//! How much a new passphrase costs on this device.

use mobile_core::vault::Cost;

/// What the page times: one pass over so many KiB.
pub const TRIAL_KIB: u32 = 64 * 1024;
/// The least that is ever chosen: OWASP's floor for Argon2id, 19 MiB and 2 passes.
pub const FLOOR: (u32, u32) = (19 * 1024, 2);
/// The longest that a person should wait.
const TARGET_MILLIS: f64 = 1000.0;

/// The cost that takes half a second to a second, where one pass over [`TRIAL_KIB`] took so many milliseconds. A device so
/// slow that the floor takes longer gets the floor, one so fast that 16 passes take less gets those; a time that is none gets
/// the usual cost. `None` where there was not the memory for the trial: the floor takes less of it.
pub fn pick(trial_millis: Option<f64>) -> Cost {
    let Some(trial_millis) = trial_millis else {
        let (memory, passes) = FLOOR;
        return Cost::new(memory, passes, 1).unwrap_or_default();
    };
    if !trial_millis.is_finite() || trial_millis < 0.0 {
        return Cost::default();
    }
    let (memory, passes) = if trial_millis * 2.0 <= TARGET_MILLIS {
        let most = *Cost::PASSES.end();
        // As many passes as there is time for; a coarse clock says 0.
        let passes = (3..=most).rev().find(|passes| f64::from(*passes) * trial_millis <= TARGET_MILLIS);
        (TRIAL_KIB, passes.unwrap_or(2))
    } else {
        let (least, passes) = FLOOR;
        let kib = |mib: u32| mib * 1024;
        let fits = |memory: &u32| {
            f64::from(passes) * trial_millis * f64::from(*memory) <= TARGET_MILLIS * f64::from(TRIAL_KIB)
        };
        ((20..64).rev().map(kib).find(fits).unwrap_or(least), passes)
    };
    Cost::new(memory, passes, 1).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_passphrase_takes_half_a_second_to_a_second() {
        for trial in 63..=1600 {
            let trial = f64::from(trial);
            let (memory, passes, lanes) = pick(Some(trial)).get();
            let millis = trial * f64::from(passes) * f64::from(memory) / f64::from(TRIAL_KIB);
            assert!((500.0..=1000.0).contains(&millis), "{trial}: {memory} KiB, {passes} passes: {millis}");
            assert_eq!(lanes, 1);
        }
    }

    #[test]
    fn it_is_never_cheaper_than_the_floor_nor_dearer_than_the_bounds() {
        for (trial, memory, passes) in [
            (0.0, 64, 16),
            (62.0, 64, 16),
            (200.0, 64, 5),
            (333.0, 64, 3),
            (500.0, 64, 2),
            (501.0, 63, 2),
            (1000.0, 32, 2),
            (1684.0, 19, 2),
            (60_000.0, 19, 2),
            (f64::MAX, 19, 2),
            (f64::NAN, 64, 3),
            (f64::INFINITY, 64, 3),
            (-1.0, 64, 3),
        ] {
            assert_eq!(pick(Some(trial)).get(), (memory * 1024, passes, 1), "{trial}");
        }
        assert_eq!(pick(None).get(), (19 * 1024, 2, 1), "without the memory for a trial");
    }
}
