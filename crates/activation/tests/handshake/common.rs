//! One registered user and one run of the handshake, from fixed randomness.

use warifu_activation::{
    ActivationPassword, Binding, Id, Randomness,
    client::{Pending, Registration, Started},
    messages::{FinishResponse, Record, StartResponse},
    server::{Agreed, Answer, Attempt, Setup},
};
use warifu_core::oath::{Algorithm, Parameters};

pub(crate) const PASSWORD: &str = "24680";
pub(crate) const SERVER_TIME_MS: i64 = 1_800_000_000_000;

pub(crate) fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

pub(crate) fn password(typed: &str) -> ActivationPassword {
    ActivationPassword::new(typed).unwrap()
}

pub(crate) fn random(fill: u8) -> Randomness {
    Randomness::new([fill; Randomness::BYTES])
}

pub(crate) fn setup() -> Setup {
    Setup::generate(random(1))
}

pub(crate) fn binding() -> Binding {
    Binding {
        service_id: id("demo"),
        token_user_id: id("user-1"),
        issuance_id: id("issuance-1"),
        parameters: Parameters::new(Algorithm::Sha256, 6, 60).unwrap(),
    }
}

/// What the page and the server do together at issuance.
pub(crate) fn register(setup: &Setup, binding: &Binding) -> Record {
    let page = Registration::start(&password(PASSWORD), random(2)).unwrap();
    let response = setup.register(binding.clone(), &page.request()).unwrap();
    page.finish(&password(PASSWORD), &response).unwrap().record
}

pub(crate) fn started(fill: u8) -> Started {
    Started::new(id("demo"), id("user-1"), &password(PASSWORD), random(fill)).unwrap()
}

pub(crate) fn answer(setup: &Setup, record: &Record, app: &Started) -> (Attempt, StartResponse) {
    setup
        .start(
            Answer::Genuine(record),
            binding(),
            &app.request(),
            SERVER_TIME_MS,
            random(99),
        )
        .unwrap()
}

/// A whole run for `binding`; `fill` is the app's randomness.
pub(crate) struct Run {
    pub(crate) attempt: Attempt,
    pub(crate) pending: Pending,
    pub(crate) agreed: Agreed,
    pub(crate) last: FinishResponse,
}

impl Run {
    pub(crate) fn of(binding: Binding, fill: u8) -> Self {
        let setup = setup();
        let record = register(&setup, &binding);
        let app = Started::new(
            binding.service_id.clone(),
            binding.token_user_id.clone(),
            &password(PASSWORD),
            random(fill),
        )
        .unwrap();
        let (attempt, answer) = setup
            .start(
                Answer::Genuine(&record),
                binding,
                &app.request(),
                SERVER_TIME_MS,
                random(99),
            )
            .unwrap();
        let pending = app.finish(&password(PASSWORD), &answer).unwrap();
        let agreed = attempt.finish(&pending.request()).unwrap();
        let last = agreed.confirm(id("token-1"));
        Self {
            attempt,
            pending,
            agreed,
            last,
        }
    }
}
