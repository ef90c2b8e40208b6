//! The client half of the activation handshake, and the rules of the core that a page or an app in a browser needs, behind a
//! raw C ABI: no generated glue, no imports, randomness handed in. Here live the calls and their bytes; the handshake itself
//! is `warifu-activation`, the rules are `warifu-core`, and what a browser does with them is
//! `crates/server/assets/js/activation-client.js`.
//!
//! # The ABI, version 1
//! | export | meaning |
//! |---|---|
//! | `warifu_abi()` | 1 |
//! | `warifu_alloc(bytes)` | a buffer for input, or 0 when `bytes` is 0 or more than 4096 |
//! | `warifu_call(operation, input, bytes)` | runs one operation over the input; a buffer with the output |
//! | `warifu_free(buffer, bytes)` | wipes and releases a buffer of either kind |
//!
//! Input is fields in order, each behind its length in two big-endian bytes. Output is the length of what follows in four
//! little-endian bytes, a status byte (see [`Status`]), and, when that is 0, fields like the input's.
//!
//! | operation | input fields | output fields |
//! |---|---|---|
//! | 1 register start | randomness (32), activation password | state, request |
//! | 2 register finish | state, activation password, response | record |
//! | 3 activate start | randomness (32), service id, token user id, activation password | state, request |
//! | 4 activate finish | state, activation password, response | state, request, server time (8, Unix ms) |
//! | 5 activate confirm | state, response | token id, service id, token user id, parameters (6), seed, device key |
//! | 6 judge password | least and most digits (2), activation password, login id, mail address | the refusal's code, or nothing |
//! | 7 check ids | service id, token user id | service id, its refusal's code or nothing, token user id, the same |
//! | 8 code of a MAC | HMAC of the time step (20, 32 or 64), digits (1) | the code |
//! | 9 stretch | a secret that was typed, salt (16) | 32 bytes |
//! | 10 judge refusal | the refusal's code, flags (1) | `ended`, `begin_again` or `refused` |
//!
//! The flags of 10: 1 for a try of an earlier run of the app, 2 when the activation password is at hand. An id that is refused
//! comes back empty. The HMAC of 8 is computed by the browser, whose key never leaves it.
//!
//! Requests, responses and the record are the messages of `docs/protocol.md`. Texts are UTF-8; what a person typed is
//! normalised (NFKC, no white space) by the browser; of ids, NFKC is enough.

use warifu_activation::{
    Id, Randomness,
    client::{ClientError, Pending, Registration, Started},
    messages::{FinishResponse, RegistrationResponse, StartResponse},
    parameters, stretch,
};
use warifu_core::activation::consequence;
use warifu_core::activation_password::ActivationPassword;
use warifu_core::id::{IdError, ServiceId, TokenUserId};
use warifu_core::oath::hotp;
use zeroize::Zeroizing;

/// The most bytes of input to one call.
const INPUT_BYTES_MAX: usize = 4096;

/// How a call ended: the status byte of its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// The fields follow.
    Done = 0,
    /// The call itself is malformed: an unknown operation, a field too many or too few, a state that is none.
    BadCall = 1,
    /// The activation password is not 4 to 8 ASCII digits.
    BadPassword = 2,
    /// The service id or token user id is not an identifier.
    BadId = 3,
    /// The server's message is not one of the protocol.
    BadAnswer = 4,
    /// The activation password or one of the ids is wrong; the try is spent.
    WrongPasswordOrIds = 5,
    /// The activation password is another than at the start; nothing is spent.
    AnotherPassword = 6,
    /// The last message is not about this activation.
    NotConfirmed = 7,
    /// There is not enough memory to stretch the password.
    Stretching = 8,
}

impl From<ClientError> for Status {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::WrongPasswordOrIds => Self::WrongPasswordOrIds,
            ClientError::AnotherPassword => Self::AnotherPassword,
            ClientError::BadAnswer => Self::BadAnswer,
            ClientError::NotConfirmed => Self::NotConfirmed,
            ClientError::Stretching => Self::Stretching,
        }
    }
}

/// Fields of the output, behind room for the length and the status.
struct Output(Zeroizing<Vec<u8>>);

impl Output {
    fn of(fields: &[&[u8]]) -> Self {
        let bytes: usize = fields.iter().map(|field| 2 + field.len()).sum();
        let mut output = Zeroizing::new(Vec::with_capacity(5 + bytes));
        output.extend_from_slice(&[0; 4]);
        output.push(Status::Done as u8);
        for field in fields {
            let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
            output.extend_from_slice(&length.to_be_bytes());
            output.extend_from_slice(field);
        }
        Self(output)
    }

    fn refusal(status: Status) -> Self {
        Self(Zeroizing::new(vec![0, 0, 0, 0, status as u8]))
    }

    fn finish(mut self) -> Zeroizing<Vec<u8>> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_le_bytes());
        self.0
    }
}

/// Exactly `N` fields, with nothing after them.
fn fields<const N: usize>(mut input: &[u8]) -> Result<[&[u8]; N], Status> {
    let mut fields = [[].as_slice(); N];
    for field in &mut fields {
        let (length, rest) = input.split_first_chunk::<2>().ok_or(Status::BadCall)?;
        (*field, input) = rest
            .split_at_checked(usize::from(u16::from_be_bytes(*length)))
            .ok_or(Status::BadCall)?;
    }
    if input.is_empty() {
        Ok(fields)
    } else {
        Err(Status::BadCall)
    }
}

fn randomness(field: &[u8]) -> Result<Randomness, Status> {
    field
        .try_into()
        .map(Randomness::new)
        .map_err(|_| Status::BadCall)
}

fn password(field: &[u8]) -> Result<ActivationPassword, Status> {
    str::from_utf8(field)
        .ok()
        .and_then(|typed| ActivationPassword::new(typed).ok())
        .ok_or(Status::BadPassword)
}

fn id(field: &[u8]) -> Result<Id, Status> {
    str::from_utf8(field)
        .ok()
        .and_then(|typed| Id::new(typed).ok())
        .ok_or(Status::BadId)
}

fn text(field: &[u8]) -> Result<&str, Status> {
    str::from_utf8(field).map_err(|_| Status::BadCall)
}

/// An id and no refusal, or no id and the refusal's code.
fn judged<'a>(id: Result<&'a str, &IdError>) -> [&'a [u8]; 2] {
    match id {
        Ok(id) => [id.as_bytes(), b""],
        Err(refusal) => [b"", refusal.code().as_bytes()],
    }
}

fn run(operation: u32, input: &[u8]) -> Result<Output, Status> {
    match operation {
        1 => {
            let [random, typed] = fields(input)?;
            let state = Registration::start(&password(typed)?, randomness(random)?)?;
            Ok(Output::of(&[&state.to_bytes(), &state.request().encode()]))
        }
        2 => {
            let [state, typed, response] = fields(input)?;
            let state = Registration::from_bytes(state).map_err(|_| Status::BadCall)?;
            let response = RegistrationResponse::decode(response).map_err(|_| Status::BadAnswer)?;
            let record = state.finish(&password(typed)?, &response)?;
            Ok(Output::of(&[&record.encode()]))
        }
        3 => {
            let [random, service_id, token_user_id, typed] = fields(input)?;
            let state = Started::new(
                id(service_id)?,
                id(token_user_id)?,
                &password(typed)?,
                randomness(random)?,
            )?;
            Ok(Output::of(&[&state.to_bytes(), &state.request().encode()]))
        }
        4 => {
            let [state, typed, response] = fields(input)?;
            let state = Started::from_bytes(state).map_err(|_| Status::BadCall)?;
            let response = StartResponse::decode(response).map_err(|_| Status::BadAnswer)?;
            let pending = state.finish(&password(typed)?, &response)?;
            Ok(Output::of(&[
                &pending.to_bytes(),
                &pending.request().encode(),
                &pending.server_time_ms().to_be_bytes(),
            ]))
        }
        5 => {
            let [state, response] = fields(input)?;
            let state = Pending::from_bytes(state).map_err(|_| Status::BadCall)?;
            let response = FinishResponse::decode(response).map_err(|_| Status::BadAnswer)?;
            let token = state.confirm(&response)?;
            Ok(Output::of(&[
                token.token_id.as_str().as_bytes(),
                token.service_id.as_str().as_bytes(),
                token.token_user_id.as_str().as_bytes(),
                &parameters::encode(token.parameters),
                token.seed.expose(),
                token.device_key.expose(),
            ]))
        }
        6 => {
            let [limits, chosen, login_id, mail_address] = fields(input)?;
            let &[min, max] = limits else {
                return Err(Status::BadCall);
            };
            let own = [text(login_id)?, text(mail_address)?];
            let refusal = ActivationPassword::choose(text(chosen)?, (min, max), &own).err();
            let code = refusal.map_or("", |refusal| refusal.code());
            Ok(Output::of(&[code.as_bytes()]))
        }
        7 => {
            let [service_id, token_user_id] = fields(input)?;
            let service_id = ServiceId::of_nfkc(text(service_id)?);
            let token_user_id = TokenUserId::of_nfkc(text(token_user_id)?);
            let [service_id, service_refusal] = judged(service_id.as_ref().map(ServiceId::as_str));
            let [token_user_id, token_user_refusal] =
                judged(token_user_id.as_ref().map(TokenUserId::as_str));
            Ok(Output::of(&[
                service_id,
                service_refusal,
                token_user_id,
                token_user_refusal,
            ]))
        }
        8 => {
            let [mac, digits] = fields(input)?;
            let &[digits] = digits else {
                return Err(Status::BadCall);
            };
            let code = hotp::code_of_mac(mac, digits).ok_or(Status::BadCall)?;
            Ok(Output::of(&[code.expose().as_bytes()]))
        }
        9 => {
            let [typed, salt] = fields(input)?;
            let salt = salt.try_into().map_err(|_| Status::BadCall)?;
            Ok(Output::of(&[stretch(typed, salt)?.as_slice()]))
        }
        10 => {
            let [code, flags] = fields(input)?;
            let &[flags @ 0..=3] = flags else {
                return Err(Status::BadCall);
            };
            let consequence = consequence(text(code)?, flags & 1 != 0, flags & 2 != 0);
            Ok(Output::of(&[consequence.as_str().as_bytes()]))
        }
        _ => Err(Status::BadCall),
    }
}

/// The version of the ABI.
#[expect(unsafe_code, reason = "an export needs its plain name")]
#[unsafe(no_mangle)]
pub extern "C" fn warifu_abi() -> u32 {
    1
}

/// A buffer of `bytes` for input, or null when that is nothing or too much. Given back by `warifu_free`.
#[expect(unsafe_code, reason = "an export needs its plain name")]
#[unsafe(no_mangle)]
pub extern "C" fn warifu_alloc(bytes: usize) -> *mut u8 {
    if bytes == 0 || bytes > INPUT_BYTES_MAX {
        return std::ptr::null_mut();
    }
    hand_over(vec![0; bytes].into_boxed_slice())
}

/// Runs one operation; see the table above.
///
/// # Safety
/// `input` is a buffer of `warifu_alloc` with exactly `bytes` bytes.
#[expect(unsafe_code, reason = "the caller of a C ABI hands over addresses")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warifu_call(operation: u32, input: *const u8, bytes: usize) -> *mut u8 {
    let output = if input.is_null() || bytes > INPUT_BYTES_MAX {
        Output::refusal(Status::BadCall)
    } else {
        // SAFETY: the caller promises that the buffer is one of `warifu_alloc`, which has all its bytes set.
        let input = unsafe { std::slice::from_raw_parts(input, bytes) };
        run(operation, input).unwrap_or_else(Output::refusal)
    };
    let mut output = output.finish();
    hand_over(std::mem::take(&mut *output).into_boxed_slice())
}

/// Wipes a buffer and releases it.
///
/// # Safety
/// `buffer` is one of `warifu_alloc` or `warifu_call` with exactly `bytes` bytes (for an output: its length and four more),
/// and is not used again.
#[expect(unsafe_code, reason = "the caller of a C ABI hands back addresses")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warifu_free(buffer: *mut u8, bytes: usize) {
    if buffer.is_null() {
        return;
    }
    // SAFETY: the caller promises that address and length are those of a box that `hand_over` leaked, given back once.
    let buffer = unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(buffer, bytes)) };
    drop(Zeroizing::new(buffer));
}

fn hand_over(buffer: Box<[u8]>) -> *mut u8 {
    Box::leak(buffer).as_mut_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_call_is_refused() {
        let lone = |operation, input: &[u8]| run(operation, input).err();
        assert_eq!(lone(0, &[]), Some(Status::BadCall));
        assert_eq!(lone(11, &[]), Some(Status::BadCall));
        assert_eq!(lone(7, &[0, 0]), Some(Status::BadCall));
        assert_eq!(lone(7, &[0, 1, 0xff, 0, 0]), Some(Status::BadCall));
        assert_eq!(lone(8, &[0, 1, 0, 0, 1, 6]), Some(Status::BadCall));
        assert_eq!(lone(9, &[0, 1, b'1', 0, 1, 0]), Some(Status::BadCall));
        assert_eq!(lone(10, &[0, 1, b'a', 0, 1, 4]), Some(Status::BadCall));
        assert_eq!(lone(1, &[0]), Some(Status::BadCall));
        assert_eq!(lone(1, &[0, 1, 7]), Some(Status::BadCall));
        assert_eq!(lone(1, &[0, 0, 0, 0, 9]), Some(Status::BadCall));
        assert_eq!(
            lone(1, &[0, 1, 7, 0, 4, b'1', b'2', b'3', b'5']),
            Some(Status::BadCall)
        );
        assert_eq!(
            lone(1, &[0, 1, 7, 0, 3, b'1', b'2', b'3']),
            Some(Status::BadPassword)
        );
        assert_eq!(lone(2, &[0, 0, 0, 0, 0, 0]), Some(Status::BadCall));
        assert_eq!(lone(6, &[0, 1, 4, 0, 0, 0, 0, 0, 0]), Some(Status::BadCall));
        assert_eq!(
            lone(6, &[0, 2, 4, 8, 0, 1, 0xff, 0, 0, 0, 0]),
            Some(Status::BadCall)
        );
    }

    #[test]
    fn a_chosen_password_is_judged_by_the_rules_of_the_core() {
        let judged = |chosen: &str| {
            let fields: [&[u8]; 4] = [
                &[4, 8],
                chosen.as_bytes(),
                b"tanaka5937",
                b"t0468@example.jp",
            ];
            let input = Output::of(&fields).0[5..].to_vec();
            let output = run(6, &input).map(|output| output.0[7..].to_vec());
            output.map(|code| String::from_utf8(code).expect("a code is ASCII"))
        };
        for (chosen, code) in [
            ("604817", ""),
            ("60481a", "activation_password_not_digits"),
            ("604", "activation_password_length"),
            ("1234", "activation_password_trivial"),
            ("5937", "activation_password_trivial"),
            ("0468", "activation_password_trivial"),
        ] {
            assert_eq!(judged(chosen), Ok(code.to_owned()), "{chosen}");
        }
    }

    #[test]
    fn an_output_carries_its_length_and_status() {
        let output = Output::of(&[b"ab", b""]).finish();
        assert_eq!(*output, [7, 0, 0, 0, 0, 0, 2, b'a', b'b', 0, 0]);
        let refusal = Output::refusal(Status::BadId).finish();
        assert_eq!(*refusal, [1, 0, 0, 0, 3]);
    }
}
