//! A model of a restore (R23): a copy of the data is kept, codes are accepted after it, the copy is put in place, and whoever saw an
//! accepted code tries it again. The fence is the core's own ([`Counter::behind`]); so are the decisions. One node: what several do
//! is looked at in [`crate::protocol`].

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{PoisonError, RwLock};

use stateright::{Model, Property};
use warifu_core::oath::{Code, Seed, totp};
use warifu_core::service::Policy;
use warifu_core::time::{SECOND_MS, UnixMillis};
use warifu_core::verification::{Counter, RESYNCHRONISATION_STEPS, Verdict, decide, resynchronise};

/// The moment at which it begins.
const NOW: UnixMillis = UnixMillis(1_790_000_040_000);

/// What is tried.
pub struct Restore {
    /// Whether a restore puts up the fence, as the product does.
    pub fence: bool,
    /// For how many steps it goes on.
    pub steps: u8,
    policy: Policy,
    seed: Seed,
    /// What the core said before.
    said: RwLock<HashMap<Question, Option<Counter>>>,
}

/// Last step, drift, steps passed, and what is submitted.
type Question = (i64, i8, u8, Event);

/// The whole of it at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    counter: Counter,
    copy: Option<Counter>,
    fence: Option<UnixMillis>,
    /// Steps since the beginning.
    passed: u8,
    /// The one step whose accepts are counted; each step has its own beginning.
    watched: i64,
    /// How often it was accepted.
    accepted: u8,
    /// What became of the restore.
    restore: Restored,
}

/// How far a restore is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Restored {
    NotYet,
    Done,
    /// And a code was accepted after it.
    WorksOn,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Somebody submits the code of this step.
    Code(i64),
    /// Somebody submits the codes of this step and the next (R17).
    Codes(i64),
    /// Time goes on by a step.
    Pass,
    /// A copy of the data is kept.
    Copy,
    /// The copy is put in the place of the data.
    Restore,
}

impl Restore {
    /// A model that goes on for `steps` steps.
    ///
    /// # Panics
    /// Never: what it is made of is constant.
    #[must_use]
    pub fn new(fence: bool, steps: u8) -> Self {
        let policy = Policy::manual();
        let seed = Seed::new(vec![0x5a; 32], policy.parameters.algorithm).expect("32 bytes");
        Self {
            fence,
            steps,
            policy,
            seed,
            said: RwLock::default(),
        }
    }

    fn now(&self, data: &Data) -> UnixMillis {
        let step_ms = i64::from(self.policy.parameters.step_s) * SECOND_MS;
        NOW.plus_ms(i64::from(data.passed) * step_ms)
    }

    fn code(&self, step: i64) -> Code {
        totp::code(&self.seed, step, &self.policy.parameters)
    }

    /// The counter after the codes were accepted; `None` when they would not be. The core is asked each question once.
    fn accepted(&self, data: &Data, event: Event) -> Option<Counter> {
        let counter = &data.counter;
        let question = (counter.last_step, counter.drift, data.passed, event);
        let said = self.said.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = said.get(&question) {
            return *answer;
        }
        drop(said);
        let answer = self.ask_core(data, event);
        let mut said = self.said.write().unwrap_or_else(PoisonError::into_inner);
        *said.entry(question).or_insert(answer)
    }

    fn ask_core(&self, data: &Data, event: Event) -> Option<Counter> {
        let policy = &self.policy;
        let shown = totp::Codes::new(&self.seed, &policy.parameters);
        let (counter, now) = (&data.counter, self.now(data));
        let (verdict, next) = match event {
            Event::Code(step) => {
                let code = self.code(step);
                decide(counter, &shown, &code, policy, now)
            }
            Event::Codes(step) => {
                let codes = [self.code(step), self.code(step + 1)];
                resynchronise(counter, &shown, &codes, policy, now)
            }
            Event::Pass | Event::Copy | Event::Restore => return None,
        };
        // The version only ever grows, and nothing here depends on it.
        let next = Counter { version: 1, ..next };
        matches!(verdict, Verdict::Accepted { .. }).then_some(next)
    }

    /// Drops what is not looked at again.
    fn forget(&self, data: &mut Data) {
        let (parameters, policy) = (&self.policy.parameters, &self.policy);
        data.counter = data.counter.behind(data.fence, parameters, policy);
        if data.restore != Restored::NotYet {
            // The copy is in place, and the counter is behind the fence.
            (data.copy, data.fence) = (None, None);
        }
    }
}

impl Model for Restore {
    type State = Data;
    type Action = Event;

    fn init_states(&self) -> Vec<Data> {
        let reach = i64::from(RESYNCHRONISATION_STEPS) + 2;
        let here = self.policy.parameters.time_step(NOW.seconds());
        (here - reach..=here + reach + i64::from(self.steps))
            .map(|watched| Data {
                counter: Counter::of_new_token(None),
                copy: None,
                fence: None,
                passed: 0,
                watched,
                accepted: 0,
                restore: Restored::NotYet,
            })
            .collect()
    }

    fn actions(&self, data: &Data, events: &mut Vec<Event>) {
        let here = self.policy.parameters.time_step(self.now(data).seconds());
        let reach = i64::from(RESYNCHRONISATION_STEPS);
        // Wrong codes are looked at elsewhere; here only those matter that are right.
        let right = |event| self.accepted(data, event).is_some();
        events.extend(
            (here - reach - 1..=here + reach + 1)
                .map(Event::Code)
                .filter(|event| right(*event)),
        );
        events.extend(
            (here - reach..here + reach)
                .map(Event::Codes)
                .filter(|event| right(*event)),
        );
        if data.passed < self.steps {
            events.push(Event::Pass);
        }
        if data.copy.is_none() && data.restore == Restored::NotYet {
            events.push(Event::Copy);
        }
        if data.copy.is_some() {
            events.push(Event::Restore);
        }
    }

    fn next_state(&self, data: &Data, event: Event) -> Option<Data> {
        let mut next = data.clone();
        match event {
            Event::Pass => next.passed += 1,
            Event::Copy => next.copy = Some(data.counter),
            Event::Restore => {
                next.counter = data.copy?;
                next.restore = Restored::Done;
                next.fence = self.fence.then(|| self.now(data));
            }
            Event::Code(step) | Event::Codes(step) => {
                next.counter = self.accepted(data, event)?;
                if data.restore != Restored::NotYet {
                    next.restore = Restored::WorksOn;
                }
                let both = matches!(event, Event::Codes(_)) && step + 1 == data.watched;
                if both || step == data.watched {
                    next.accepted = data.accepted.saturating_add(1).min(2);
                }
            }
        }
        self.forget(&mut next);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONCE_OVER_A_RESTORE, |_, data: &Data| data.accepted <= 1),
            Property::sometimes(GOES_ON, |_, data: &Data| data.restore == Restored::WorksOn),
        ]
    }
}

/// R12, R23.
pub const ONCE_OVER_A_RESTORE: &str = "a step is accepted at most once, before and after a restore";
/// That the fence ends.
pub const GOES_ON: &str = "codes are accepted after a restore";

impl Hash for Data {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let counter = |counter: &Counter| (counter.last_step, counter.drift);
        (counter(&self.counter), self.copy.as_ref().map(counter)).hash(hasher);
        (self.restore, self.fence.map(|at| at.0), self.passed).hash(hasher);
        (self.watched, self.accepted).hash(hasher);
        self.counter.standing.hash(hasher);
    }
}
