//! Several rounds of the same measurements, in turns: a machine becomes slower and quicker again within minutes, so two numbers of tokens are compared within a
//! round, and of the rounds the middle one counts.

use super::Measured;

/// What was measured with one number of tokens and clients, in each round.
pub struct Repeated<'a> {
    /// At least one.
    rounds: Vec<&'a Measured>,
}

/// Figures of several rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The one in the middle; of an even number the lower one.
    pub median: f64,
    /// The least.
    pub from: f64,
    /// The greatest.
    pub to: f64,
}

impl Spread {
    /// Of these figures; `None` of none.
    #[must_use]
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<_> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        Some(Self {
            median: *figures.get((figures.len().checked_sub(1)?) / 2)?,
            from: *figures.first()?,
            to: *figures.last()?,
        })
    }
}

impl<'a> Repeated<'a> {
    /// All measurements by their numbers of tokens and clients, in the order in which those come first.
    #[must_use]
    pub fn of(measured: &'a [Measured]) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for one in measured {
            let same = |group: &&mut Self| {
                let first = group.rounds[0];
                (first.tokens, first.clients) == (one.tokens, one.clients)
            };
            match all.iter_mut().find(same) {
                Some(group) => group.rounds.push(one),
                None => all.push(Self { rounds: vec![one] }),
            }
        }
        all
    }

    /// How many rounds there are.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.rounds.len()
    }

    /// The round whose rate of verifications is the median.
    #[must_use]
    pub fn middle(&self) -> &'a Measured {
        let mut rounds = self.rounds.clone();
        rounds.sort_by(|a, b| a.verify_per_s.total_cmp(&b.verify_per_s));
        rounds[(rounds.len() - 1) / 2]
    }

    /// The rates of verifications.
    #[must_use]
    pub fn rates(&self) -> Option<Spread> {
        Spread::of(self.rounds.iter().map(|one| one.verify_per_s))
    }

    /// The rates of verifications by those with the fewest tokens in the same round; `None` where there are no fewer.
    #[must_use]
    pub fn against_fewest_tokens(&self) -> Option<Spread> {
        let figures = self.rounds.iter().map(|one| one.against_fewest_tokens);
        Spread::of(figures.collect::<Option<Vec<_>>>()?)
    }
}

/// Compares the measurements of one round: each with that of the fewest tokens and as many clients, if it is another one.
pub fn compare(round: &mut [Measured]) {
    let fewest: Vec<_> = round
        .iter()
        .map(|one| {
            let same = round.iter().filter(|other| other.clients == one.clients);
            let fewest = same.min_by_key(|other| other.tokens)?;
            (fewest.tokens < one.tokens).then_some(fewest.verify_per_s)
        })
        .collect();
    for (one, fewest) in round.iter_mut().zip(fewest) {
        one.against_fewest_tokens = fewest.map(|rate| one.verify_per_s / rate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(tokens: u32, clients: usize, verify_per_s: f64) -> Measured {
        Measured {
            verify_per_s,
            tokens,
            clients,
            ..Measured::default()
        }
    }

    #[test]
    fn a_million_is_compared_with_a_thousand_of_the_same_round_and_clients() {
        let mut measured = Vec::new();
        for (thousand, million) in [(40.0, 32.0), (20.0, 18.0), (30.0, 21.0)] {
            let mut round = [
                one(1_000_000, 64, million),
                one(1_000, 64, thousand),
                one(100_000, 8, 1.0),
            ];
            compare(&mut round);
            measured.extend(round);
        }
        let all = Repeated::of(&measured);
        assert_eq!(all.iter().map(Repeated::rounds).collect::<Vec<_>>(), [3; 3]);
        let spread = |from, median, to| Some(Spread { median, from, to });
        assert_eq!(all[0].against_fewest_tokens(), spread(0.7, 0.8, 0.9));
        assert!(all[1].against_fewest_tokens().is_none(), "the fewest");
        assert!(all[2].against_fewest_tokens().is_none(), "other clients");
        assert_eq!(all[1].rates(), spread(20.0, 30.0, 40.0));
        let middle = Spread::of(all.iter().take(2).map(|group| group.middle().verify_per_s));
        assert_eq!(middle, spread(21.0, 21.0, 30.0));
    }

    #[test]
    fn nothing_has_no_spread() {
        assert_eq!(Spread::of([]), None);
    }
}
