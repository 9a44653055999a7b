//! The same codes as `oathtool` of the OATH Toolkit, an implementation that shares no line with ours, over
//! many parameters. The parameters are random but the same at every run.

use std::fmt::Write as _;
use std::process::Command;

use mobile_core::{Algorithm, Counter, Digits, Hotp, Period, Secret, Step, Totp};

/// Codes printed by one run of `oathtool`.
const NEIGHBOURS: u64 = 4;

/// `SplitMix64`: enough to spread parameters.
struct Spread(u64);

impl Spread {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below a bound.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A number of anything up to so many bits, small ones as likely as large ones.
    fn bits(&mut self, most: u64) -> u64 {
        let bits = self.below(most) + 1;
        self.next() >> (64 - bits)
    }

    fn secret(&mut self) -> Secret {
        let length = self.below(Secret::MAX_BYTES as u64) + 1;
        let bytes: Vec<u8> = (0..length).map(|_| self.next().to_le_bytes()[0]).collect();
        Secret::from_bytes(&bytes).unwrap()
    }

    fn digits(&mut self) -> Digits {
        Digits::new(u8::try_from(6 + self.below(3)).unwrap()).unwrap()
    }
}

/// Runs `oathtool` and returns its lines.
fn oathtool(arguments: &[String]) -> Vec<String> {
    let output = Command::new("oathtool").args(arguments).output().unwrap_or_else(|error| {
        panic!(
            "cannot run `oathtool` ({error}): install the package `oathtool`; these tests must not be skipped"
        )
    });
    assert!(output.status.success(), "oathtool {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn hexadecimal(secret: &Secret) -> String {
    secret.expose().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[test]
fn totp_codes_are_those_of_oathtool() {
    let mut spread = Spread(6238);
    for round in 0..300 {
        let algorithm = Algorithm::ALL[round % 3];
        let secret = spread.secret();
        let digits = spread.digits();
        // Times up to the year 36812 and periods of any size; the usual period every other time.
        let seconds = spread.bits(40);
        let period = if round % 2 == 0 { 30 } else { u32::try_from(spread.bits(32)).unwrap().max(1) };
        let totp = Totp { algorithm, digits, period: Period::new(period).unwrap() };

        let arguments = [
            format!("--totp={}", algorithm.as_str().to_lowercase()),
            format!("--digits={digits}"),
            format!("--time-step-size={period}s"),
            format!("--now=@{seconds}"),
            format!("--window={}", NEIGHBOURS - 1),
            hexadecimal(&secret),
        ];
        let first = totp.step_at(seconds).get();
        let ours: Vec<_> = (first..first + NEIGHBOURS)
            .map(|step| totp.code(&secret, Step::new(step)).as_str().to_owned())
            .collect();
        assert_eq!(ours, oathtool(&arguments), "{arguments:?}");
    }
}

#[test]
fn hotp_codes_are_those_of_oathtool() {
    let mut spread = Spread(4226);
    for _ in 0..200 {
        let secret = spread.secret();
        let digits = spread.digits();
        let counter = spread.bits(64).min(u64::MAX - NEIGHBOURS);
        let hotp = Hotp { digits, ..Hotp::default() };

        let arguments = [
            "--hotp".to_owned(),
            format!("--digits={digits}"),
            format!("--counter={counter}"),
            format!("--window={}", NEIGHBOURS - 1),
            hexadecimal(&secret),
        ];
        let ours: Vec<_> = (counter..counter + NEIGHBOURS)
            .map(|counter| hotp.code(&secret, Counter::new(counter)).as_str().to_owned())
            .collect();
        assert_eq!(ours, oathtool(&arguments), "{arguments:?}");
    }
}

#[test]
fn base32_is_read_as_oathtool_reads_it() {
    let mut spread = Spread(4648);
    for _ in 0..50 {
        let secret = spread.secret();
        let ours = Hotp::default().code(&secret, Counter::new(0));
        // oathtool wants whole groups of eight characters or padding.
        let mut text = secret.to_base32().to_string();
        text.extend(std::iter::repeat_n('=', (8 - text.len() % 8) % 8));
        assert_eq!(oathtool(&["--base32".to_owned(), text]), [ours.as_str()]);
    }
}

#[test]
fn hotp_with_other_hashes_agrees_with_totp() {
    // oathtool knows SHA-1 only for HOTP. TOTP is HOTP over the step (RFC 6238 s4), and comes from another
    // library here.
    let mut spread = Spread(6234);
    for round in 0..300 {
        let (algorithm, digits, secret) = (Algorithm::ALL[round % 3], spread.digits(), spread.secret());
        let number = spread.bits(64);
        let hotp = Hotp { algorithm, digits }.code(&secret, Counter::new(number));
        let totp = Totp { algorithm, digits, period: Period::default() }.code(&secret, Step::new(number));
        assert_eq!(hotp.as_str(), totp.as_str());
    }
}
