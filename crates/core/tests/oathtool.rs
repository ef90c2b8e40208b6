//! R01: 100,000 random codes equal those of `oathtool`, an implementation that shares no line with ours.
//!
//! Needs the program `oathtool`, and so stays out of a plain `cargo test`: `cargo xtask test` installs it and runs this.

use std::process::Command;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use warifu_core::oath::{Algorithm, Parameters, Seed, totp};

const SEEDS: usize = 1_000;
/// `oathtool -w 99` prints the codes of the named time step and the 99 after it.
const STEPS_PER_SEED: i64 = 100;
/// The year 2603: past 2038 and past every time that 32 bits can count (R03).
const TIME_MAX_S: u64 = 20_000_000_000;
/// Any number does: every run compares the same codes, so a failure comes again.
const RNG_SEED: u64 = 0x6238;

#[test]
fn r01_a_hundred_thousand_random_codes_equal_those_of_oathtool() {
    let mut rng = ChaCha8Rng::seed_from_u64(RNG_SEED);
    let mut compared = 0;
    for _ in 0..SEEDS {
        let algorithm = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512][below(&mut rng, 3)];
        let parameters = Parameters {
            algorithm,
            digits: [6, 7, 8][below(&mut rng, 3)],
            step_s: [30, 60][below(&mut rng, 2)],
        };
        let mut key = vec![0; algorithm.seed_len()];
        rng.fill_bytes(&mut key);
        let time_s = i64::try_from(rng.next_u64() % TIME_MAX_S).unwrap();

        let theirs = oathtool(&key, parameters, time_s);
        let seed = Seed::new(key, algorithm).unwrap();
        let first = parameters.time_step(time_s);
        let ours: Vec<String> = (first..first + STEPS_PER_SEED)
            .map(|step| totp::code(&seed, step, &parameters).expose().to_owned())
            .collect();
        assert_eq!(ours, theirs, "{parameters:?} from second {time_s}");
        compared += ours.len();
    }
    assert_eq!(compared, 100_000);
}

fn below(rng: &mut ChaCha8Rng, end: u32) -> usize {
    (rng.next_u32() % end) as usize
}

fn oathtool(key: &[u8], parameters: Parameters, time_s: i64) -> Vec<String> {
    let answer = Command::new("oathtool")
        .arg(format!("--totp={}", parameters.algorithm.as_str()))
        .arg(format!("--digits={}", parameters.digits))
        .arg(format!("--time-step-size={}s", parameters.step_s))
        .arg(format!("--now=@{time_s}"))
        .arg(format!("--window={}", STEPS_PER_SEED - 1))
        .arg(
            key.iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<Vec<_>>()
                .concat(),
        )
        .output()
        .expect("oathtool runs: `cargo xtask test` installs it");
    assert!(
        answer.status.success(),
        "oathtool: {}",
        String::from_utf8_lossy(&answer.stderr)
    );
    String::from_utf8(answer.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}
