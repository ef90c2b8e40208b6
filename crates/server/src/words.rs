//! Passwords that people can read to each other: made of syllables, random ones (R80: nothing is preset).

use rand_core::CryptoRng;
use zeroize::Zeroizing;

const CONSONANTS: [char; 13] = [
    'b', 'd', 'f', 'g', 'h', 'k', 'm', 'n', 'p', 'r', 's', 't', 'z',
];
const VOWELS: [char; 5] = ['a', 'e', 'i', 'o', 'u'];
const SYLLABLES_PER_WORD: usize = 3;

/// A password of so many words, such as `gohami-rodibe-tasuko`; each word has 18 random bits.
pub fn password(words: usize, rng: &mut impl CryptoRng) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(words * (2 * SYLLABLES_PER_WORD + 1)));
    for word in 0..words {
        if word > 0 {
            text.push('-');
        }
        for _ in 0..SYLLABLES_PER_WORD {
            text.push(CONSONANTS[below(CONSONANTS.len(), rng)]);
            text.push(VOWELS[below(VOWELS.len(), rng)]);
        }
    }
    text
}

/// A number below `end` (at most 256), each equally likely.
fn below(end: usize, rng: &mut impl CryptoRng) -> usize {
    let fair = 256 - 256 % end;
    loop {
        let mut byte = [0];
        rng.fill_bytes(&mut byte);
        if usize::from(byte[0]) < fair {
            return usize::from(byte[0]) % end;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::clock::system_rng;

    #[test]
    fn passwords_are_readable_and_no_two_are_alike() {
        let passwords: BTreeSet<String> = (0..1000)
            .map(|_| password(4, &mut system_rng()).to_string())
            .collect();
        assert_eq!(passwords.len(), 1000);
        for password in passwords {
            assert_eq!(password.len(), 27);
            assert!(
                password
                    .chars()
                    .all(|c| c == '-' || CONSONANTS.contains(&c) || VOWELS.contains(&c))
            );
        }
    }
}
